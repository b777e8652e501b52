"""Images in the browser: they are drawn, the wheel and the keys turn them, the mouse windows them, no GPU needed."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from core.model.query import DayFilter
from core.model.report import ReportText
from core.services import Services
from tests.kiosk.exams import Exams
from tests.people.hospital import RADIOLOGIST

BRIGHT = """() => {
  const img = document.querySelector('[data-frame]');
  if (!img.complete || !img.naturalWidth) return 0;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext('2d');
  pen.drawImage(img, 0, 0, 64, 64);
  return pen.getImageData(0, 0, 64, 64).data.filter((v, i) => i % 4 === 0 && v > 60).length;
}"""
COLD_PAGE = 60_000  # bytes on the wire, pictures aside


def shown(page: Page) -> str:
    return str(page.evaluate("new URL(document.querySelector('[data-frame]').src).pathname"))


def open_study(seat: Callable[..., Page], exams: Exams, login: str = "urg1") -> Page:
    study = exams.study(exams.to_read(images=6))
    page = seat(login)
    with page.expect_response("**/serie/*/images"):
        page.goto(f"/etude/{study}")
    page.wait_for_function(f"() => ({BRIGHT})() > 80")
    return page


def test_the_picture_is_on_the_screen(seat: Callable[..., Page], exams: Exams) -> None:
    page = open_study(seat, exams)
    box = page.locator("[data-frame]").bounding_box()
    assert box is not None
    assert box["width"] > 200
    assert box["y"] + 200 < 768


def test_wheel_and_keys_turn_the_pictures_and_the_address_follows(seat: Callable[..., Page], exams: Exams) -> None:
    page = open_study(seat, exams)
    first = shown(page)
    page.hover("[data-picture]")
    page.mouse.wheel(0, 100)
    expect(page.locator("[data-count]")).to_have_text("2 / 6")
    page.wait_for_function(
        "(before) => new URL(document.querySelector('[data-frame]').src).pathname !== before", arg=first
    )
    assert "image=2" in page.url
    page.keyboard.press("End")
    expect(page.locator("[data-count]")).to_have_text("6 / 6")
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-count]")).to_have_text("5 / 6")
    page.reload()
    expect(page.locator("[data-count]")).to_have_text("5 / 6")


def test_what_was_on_the_screen_is_counted_and_what_was_fetched_ahead_is_not(
    seat: Callable[..., Page], exams: Exams, services: Services
) -> None:
    page = open_study(seat, exams, "dr.traore")
    page.hover("[data-picture]")
    with page.expect_request("**/serie/*/vues") as told:
        page.mouse.wheel(0, 100)
        expect(page.locator("[data-count]")).to_have_text("2 / 6")
    response = told.value.response()
    assert response is not None
    assert response.status == 204
    (line,) = services.scheduling.day_page(RADIOLOGIST, DayFilter(services.today())).lines
    (series,) = services.reports.signer_view(RADIOLOGIST, line.step_id, ReportText()).series
    assert (series.seen, series.pictures) == (2, 6)


def test_a_preset_and_the_mouse_window_in_place(seat: Callable[..., Page], exams: Exams) -> None:
    page = open_study(seat, exams)
    page.click(".presets a:has-text('Os')")
    expect(page.locator("[name=w]")).to_have_value("2000")
    assert "w=2000" in page.url
    picture = page.locator("[data-frame]").bounding_box()
    assert picture is not None
    x, y = picture["x"] + 100, picture["y"] + 100
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.mouse.up()
    expect(page.locator("[name=w]")).to_have_value("2400")
    page.wait_for_function("() => document.querySelector('[data-frame]').src.includes('w=2400')")


def test_another_series_and_a_zoom_come_without_leaving_the_page(
    seat: Callable[..., Page], exams: Exams, services: Services
) -> None:
    step = exams.to_read(images=2)
    uid = services.studies.get(RADIOLOGIST, exams.study(step)).study_instance_uid
    exams.imaged(step, 4, study=uid, series=2)
    page = seat("dr.traore")
    page.goto(f"/etude/{exams.study(step)}")
    page.evaluate("window.same = true")
    page.click(".series a >> nth=1")
    expect(page.locator("[data-viewer][data-started] [data-count]")).to_have_text("1 / 4")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-count]")).to_have_text("2 / 4")
    page.click(".zooms a:has-text('×2')")
    page.wait_for_function("() => document.querySelector('[data-frame]').src.includes('size=1240')")
    expect(page.locator("[data-count]")).to_have_text("2 / 4")
    assert page.evaluate("window.same") is True
    assert "serie=" in page.url


def test_the_badge_stays_on_every_picture(seat: Callable[..., Page], exams: Exams) -> None:
    page = open_study(seat, exams)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tag.right")).to_contain_text("aperçu, non diagnostique")


def test_the_study_page_is_light_on_the_wire(seat: Callable[..., Page], exams: Exams) -> None:
    study = exams.study(exams.to_read(images=6))
    page = seat("urg1")
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.clearBrowserCache")
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    wire.on("Network.responseReceived", lambda e: kinds.__setitem__(e["requestId"], e["type"]))
    wire.on("Network.loadingFinished", lambda e: sizes.__setitem__(e["requestId"], e["encodedDataLength"]))
    page.goto(f"/etude/{study}")
    page.wait_for_function(f"() => ({BRIGHT})() > 80")
    counted = {kinds.get(i, "?"): 0.0 for i in sizes}
    for request, size in sizes.items():
        counted[kinds.get(request, "?")] += size
    assert {"Document", "Script", "Stylesheet"} <= set(counted)
    assert sum(size for kind, size in counted.items() if kind != "Image") <= COLD_PAGE
