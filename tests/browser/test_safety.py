"""What a browser must never do: run what a name says, complain of our policy, show a patient after the lock."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from core.model.report import ReportText
from tests.kiosk.exams import Exams

NASTY = "<img src=x onerror=window.pwned=1>"


def test_every_page_respects_the_policy(seat: Callable[..., Page], exams: Exams, complaints: list[str]) -> None:
    step = exams.signed()
    waiting = exams.to_read(family="Zongo", given="Léa")
    page = seat("urg1")
    for path in ("/", f"/examen/{step}", f"/etude/{exams.study(step)}", f"/cr/{step}", "/etat"):
        page.goto(path, wait_until="networkidle")
    page = seat("dr.traore")
    page.click(f"#o{waiting}")
    for path in (f"/lecture/{waiting}/provisoire", f"/lecture/{waiting}/signature", f"/lecture/{waiting}"):
        page.goto(path, wait_until="networkidle")
    admin = seat("admin")
    admin.goto("/etat")
    expect(admin.locator("main")).to_contain_text("Alertes de sécurité (CSP)0")
    assert complaints == []


def test_a_violation_would_be_seen(seat: Callable[..., Page], exams: Exams, complaints: list[str]) -> None:
    page = seat("urg1")
    with page.expect_request("**/csp"):
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    assert any("style-src" in complaint for complaint in complaints)


def test_names_and_reports_are_never_run(seat: Callable[..., Page], exams: Exams) -> None:
    step = exams.signed(ReportText(conclusion=f"{NASTY}<script>window.pwned=2</script>"), family=NASTY, given="Léa")
    page = seat("urg1")
    for path in ("/", f"/examen/{step}", f"/etude/{exams.study(step)}", f"/cr/{step}"):
        page.goto(path, wait_until="networkidle")
        assert page.evaluate("window.pwned") is None
    expect(page.locator("article")).to_contain_text(NASTY)


def test_a_fragment_with_a_nasty_name_is_never_run(seat: Callable[..., Page], exams: Exams) -> None:
    page = seat("urg1")
    exams.ordered(NASTY, "Léa")
    with page.expect_response(lambda r: "auto=1" in r.url and r.status == 200):
        page.evaluate("htmx.trigger('#liste', 'revenir')")
    expect(page.locator("tr[data-row]")).to_contain_text("IMG SRC=X")
    assert page.evaluate("window.pwned") is None


def test_the_back_button_after_the_lock_shows_no_patient(seat: Callable[..., Page], exams: Exams) -> None:
    exams.ordered()
    page = seat("urg1")
    expect(page.locator("main")).to_contain_text("OUÉDRAOGO")
    page.click("text=Verrouiller")
    page.go_back()
    expect(page.locator("body")).not_to_contain_text("OUÉDRAOGO")


def test_an_ended_session_blanks_the_page_at_the_next_poll(seat: Callable[..., Page], exams: Exams, clock) -> None:  # type: ignore[no-untyped-def]
    exams.ordered()
    page = seat("urg1")
    clock.advance(180)
    page.evaluate("htmx.trigger('#liste', 'revenir')")
    expect(page.locator("h1")).to_have_text("Poste verrouillé")


def test_the_lock_is_announced_and_can_be_put_off(seat: Callable[..., Page]) -> None:
    page = seat("urg1")
    page.clock.install()
    page.reload()
    page.clock.fast_forward(100_000)
    expect(page.locator("#verrou")).to_contain_text("Ce poste se verrouille dans")
    page.click("text=Rester")
    expect(page.locator("#verrou")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/examen/{step}", "/cr/{step}", "/etude/{study}"])
def test_long_names_do_not_push_the_page_sideways(seat: Callable[..., Page], exams: Exams, path: str) -> None:
    step = exams.signed(family="OUÉDRAOGO-KABORÉ-NIKIÉMA-COMPAORÉ-ZOUNGRANA", given="Wendpanga Jean-Baptiste Abdoul")
    page = seat("urg1")
    page.goto(path.format(step=step, study=exams.study(step)))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1024
