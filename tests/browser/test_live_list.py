"""A list that refreshes itself: swapped when something happened, and only then; never empty; never under the hand."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from core.services import Services
from tests.kiosk.exams import Exams
from tests.people.hospital import RECEPTION

COUNT = """window.swaps = 0;
document.body.addEventListener('htmx:afterSwap', (e) => { if (e.target.id === 'liste') window.swaps += 1; })"""
POLL = "htmx.trigger('#liste', 'revenir')"


def poll(page: Page) -> int:
    """One poll now, instead of in five seconds; its status."""
    with page.expect_request(lambda r: "auto=1" in r.url and "veille" not in r.url) as asked:
        page.evaluate(POLL)
    answer = asked.value.response()  # of this very poll, not of one that was already on its way
    assert answer is not None
    answer.finished()
    return int(answer.status)


def test_an_unchanged_list_is_never_swapped_and_never_emptied(seat: Callable[..., Page], exams: Exams) -> None:
    exams.ordered()
    page = seat("urg1")
    page.evaluate(COUNT)
    assert [poll(page) for _n in range(4)] == [304] * 4
    assert page.evaluate("swaps") == 0
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_a_change_is_swapped_once(seat: Callable[..., Page], exams: Exams, services: Services) -> None:
    step = exams.ordered()
    page = seat("urg1")
    page.evaluate(COUNT)
    services.scheduling.arrive(RECEPTION, step)
    assert poll(page) == 200
    expect(page.locator(".state")).to_have_text("accueil")
    assert [poll(page) for _n in range(3)] == [304] * 3
    assert page.evaluate("swaps") == 1


def test_the_list_polls_by_itself(seat: Callable[..., Page], exams: Exams, services: Services) -> None:
    step = exams.ordered()
    page = seat("urg1")
    services.scheduling.arrive(RECEPTION, step)
    expect(page.locator(".state")).to_have_text("accueil", timeout=20_000)


def test_a_list_does_not_move_under_the_pointer(seat: Callable[..., Page], exams: Exams, services: Services) -> None:
    step = exams.ordered()
    page = seat("urg1")
    page.hover("tr[data-row]")
    services.scheduling.arrive(RECEPTION, step)
    assert poll(page) == 200
    expect(page.locator("[data-show]")).to_have_text("+1 changement(s) – Afficher")
    expect(page.locator(".state")).to_have_text("planifié")
    page.click("[data-show]")
    expect(page.locator(".state")).to_have_text("accueil")
    expect(page.locator("[data-show]")).to_be_hidden()


def test_the_focus_stays_on_the_same_exam(seat: Callable[..., Page], exams: Exams, services: Services) -> None:
    exams.ordered()
    other = exams.ordered("Zongo", "Léa")
    page = seat("urg1")
    page.focus(f"#e{other}")
    services.scheduling.arrive(RECEPTION, other)
    expect(page.locator(".state.s-accueil")).to_have_count(1, timeout=30_000)
    assert page.evaluate("document.activeElement.id") == f"e{other}"


def test_a_cut_line_is_said_with_the_age_of_the_data(seat: Callable[..., Page], exams: Exams) -> None:
    page = seat("urg1")
    poll(page)
    page.context.set_offline(True)
    page.evaluate(POLL)
    expect(page.locator("#liaison")).to_contain_text("Liaison coupée depuis")
    expect(page.locator("#liaison")).to_contain_text("données du")
    page.context.set_offline(False)
    page.evaluate(POLL)
    expect(page.locator("#liaison")).to_be_hidden()


def test_up_and_down_walk_along_the_rows(seat: Callable[..., Page], exams: Exams) -> None:
    first, second = exams.ordered(), exams.ordered("Zongo", "Léa")
    page = seat("urg1")
    page.focus(f"#e{first}")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.id") == f"e{second}"
