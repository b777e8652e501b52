"""Reading and writing with a live page: the draft that saves itself, the delivery by reading, one click for one act."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from core.services import Services
from tests.kiosk.exams import Exams
from tests.people.hospital import PIN, RADIOLOGIST, RECEPTION

AUTOSAVE_MS = 15_000


@pytest.fixture
def desk(seat: Callable[..., Page], exams: Exams) -> Page:
    step = exams.to_read()
    page = seat("dr.traore")
    page.click(f"#o{step}")
    return page


def step_of(page: Page) -> int:
    return int(page.url.split("/lecture/")[1].split("/")[0].split("?")[0])


def eventually(true: Callable[[], bool]) -> None:
    """Waits for what another thread is doing; the deadline only stops a hang."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def draft(services: Services, page: Page) -> str:
    return services.reports.desk(RADIOLOGIST, step_of(page)).draft.conclusion


def test_the_draft_saves_itself_while_one_types(desk: Page, services: Services) -> None:
    desk.fill("[name=conclusion]", "Hématome sous-dural.")
    expect(desk.locator("[data-draft]")).to_contain_text("Brouillon enregistré", timeout=AUTOSAVE_MS)
    assert draft(services, desk) == "Hématome sous-dural."


def test_leaving_the_page_keeps_what_was_typed(desk: Page, services: Services) -> None:
    step = step_of(desk)
    desk.fill("[name=conclusion]", "Fracture temporale.")
    desk.goto("/etat")
    eventually(lambda: services.reports.desk(RADIOLOGIST, step).draft.conclusion == "Fracture temporale.")


def test_a_cut_line_says_that_the_draft_is_not_saved(desk: Page) -> None:
    desk.context.set_offline(True)
    desk.fill("[name=conclusion]", "Hématome.")
    expect(desk.locator("[data-draft]")).to_contain_text("Brouillon NON enregistré", timeout=2 * AUTOSAVE_MS)
    desk.context.set_offline(False)
    expect(desk.locator("[data-draft]")).to_contain_text("Brouillon enregistré", timeout=AUTOSAVE_MS)


def test_another_window_leaves_the_typed_text_alone(desk: Page) -> None:
    desk.fill("[name=conclusion]", "Pas encore enregistré.")
    desk.click(".presets a:has-text('Os')")
    desk.click(".zooms a:has-text('×1,5')")
    desk.wait_for_function("() => document.querySelector('[data-frame]').src.includes('size=750')")
    expect(desk.locator("[name=conclusion]")).to_have_value("Pas encore enregistré.")


def test_the_keys_of_the_pictures_do_not_disturb_the_text(desk: Page) -> None:
    desk.focus("[name=findings]")
    desk.keyboard.type("ligne")
    desk.keyboard.press("ArrowLeft")
    expect(desk.locator("[data-count]")).to_have_text("1 / 3")


def test_a_report_is_written_and_signed(desk: Page, services: Services) -> None:
    step = step_of(desk)
    desk.fill("[name=conclusion]", "Scanner normal.")
    desk.click("text=Vérifier et signer")
    desk.fill("[name=secret]", PIN)
    desk.dblclick("button:has-text('Signer')")
    expect(desk.locator("article")).to_contain_text("Scanner normal.")
    assert len(services.reports.versions(RADIOLOGIST, step)) == 1


def test_a_report_that_is_read_is_delivered_by_the_page(
    seat: Callable[..., Page], exams: Exams, services: Services
) -> None:
    step = exams.signed()
    page = seat("urg1")
    page.goto(f"/cr/{step}")
    expect(page.locator("#lecture")).to_contain_text("Remis au service", timeout=20_000)
    assert services.scheduling.line(RECEPTION, step).status.word == "envoyé"


def test_the_whole_way_without_javascript(seat: Callable[..., Page], exams: Exams, services: Services) -> None:
    step = exams.to_read()
    reader = seat("dr.traore", scripts=False)
    reader.click(f"#o{step}")
    reader.click("[data-step='1']")
    expect(reader.locator("[data-count]")).to_have_text("2 / 3")
    reader.fill("[name=conclusion]", "Scanner normal.")
    reader.click("text=Vérifier et signer")
    reader.fill("[name=secret]", PIN)
    reader.click("button:has-text('Signer')")
    nurse = seat("urg1", scripts=False)
    nurse.click(f"#r{step}")
    expect(nurse.locator("article")).to_contain_text("Scanner normal.")
    nurse.click("button:has-text('Lu')")
    expect(nurse.locator("#lecture")).to_contain_text("Remis au service")
    assert services.scheduling.line(RECEPTION, step).status.word == "envoyé"
