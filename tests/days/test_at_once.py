"""What is acknowledged is already there: the first look sees it, and an open page at its next poll.

Nothing here waits: a second look would hide a delay.
"""

from __future__ import annotations

from install.demo.accounts import PASSWORD
from install.demo.browser import Browser
from install.demo.phantoms import ct_head
from tests.days.conftest import Department, Seat
from tests.days.machines import exam_of
from tests.skips import needs_chromium, needs_dcmtk

POLL = "htmx.trigger('#liste', 'revenir')"


@needs_dcmtk
def test_an_order_is_on_the_worklist_at_the_first_question_after_its_acknowledgement(department: Department) -> None:
    for _order in range(3):
        child = department.child()
        assert str(department.order(child).PatientName) == f"SAWADOGO^{child.given}"


@needs_dcmtk
def test_a_study_is_in_a_fresh_page_at_the_first_fetch_after_its_last_image(department: Department) -> None:
    browser = Browser(department.site.kiosk + "/")
    browser.get("/connexion")
    browser.submit("/connexion", nom="urgences", secret=PASSWORD)
    child = department.child()
    images = ct_head(exam_of(department.order(child)), slices=3)
    step = department.witness.step(images[0].AccessionNumber)
    department.scanner.store(department.port("dicom"), images)
    page = browser.get("/")
    study = department.witness.one("SELECT id FROM study WHERE step_id = ?", step)
    assert f'<a id="i{step}" href="/etude/{study}">3 images</a>' in page
    viewer = browser.get(f"/etude/{study}")
    assert "1 / 3" in viewer
    assert child.number in viewer


@needs_chromium
@needs_dcmtk
def test_a_study_is_on_an_open_page_at_its_next_poll(department: Department, seat: Seat) -> None:
    images = ct_head(exam_of(department.order(department.child())), slices=3)
    step = department.witness.step(images[0].AccessionNumber)
    page = seat(department.site.kiosk, "urgences")
    assert page.locator(f"#i{step}").count() == 0
    department.scanner.store(department.port("dicom"), images)
    with page.expect_request(lambda request: "auto=1" in request.url and "veille" not in request.url) as polled:
        page.evaluate(POLL)
    answer = polled.value.response()
    assert answer is not None
    assert answer.status == 200
    page.wait_for_selector(f"#i{step}:has-text('3 images')")
