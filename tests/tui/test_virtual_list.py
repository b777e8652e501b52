"""The list on a real pseudo-terminal: bytes of a cursor move, a page and a changed row, at 200 and 100,000 rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.tui.harness import BUDGET_QUIET, KEYS, Terminal

COUNT = 100_000


@pytest.fixture
def small_list(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    count = getattr(request, "param", COUNT)
    with Terminal([sys.executable, "-m", "tests.tui.small_list", str(count)]) as terminal:
        terminal.boot = terminal.wait_for("CDG0000023")
        yield terminal


@pytest.mark.parametrize("small_list", [200, COUNT], indirect=True)
def test_the_list_stays_within_its_byte_budgets_whatever_its_length(small_list: Terminal) -> None:
    assert len(small_list.boot) <= 10_000
    assert small_list.reversed_rows() == [0]

    assert 0 < len(small_list.press("down", quiet=BUDGET_QUIET)) <= 300
    assert small_list.reversed_rows() == [1]

    assert 0 < len(small_list.press("pagedown", quiet=BUDGET_QUIET)) <= 3_000
    assert "CDG0000024" in small_list.row(0)
    assert small_list.reversed_rows() == [1]

    small_list.press("pageup", quiet=BUDGET_QUIET)
    assert 0 < len(small_list.press("c", quiet=BUDGET_QUIET)) <= 200
    assert "ARRIVE" in small_list.row(2)


def test_leaving_the_page_flips_it_instead_of_scrolling(small_list: Terminal) -> None:
    small_list.write(KEYS["down"] * 24)
    small_list.wait_until(lambda: "CDG0000024" in small_list.row(0), "the second page")
    assert small_list.reversed_rows() == [0]
    small_list.write(KEYS["up"])
    small_list.wait_until(lambda: "CDG0000000" in small_list.row(0), "the first page")
    assert small_list.reversed_rows() == [23]


def test_a_change_out_of_sight_and_time_passing_send_no_byte(small_list: Terminal) -> None:
    small_list.write(b"h")
    assert small_list.read_until_quiet(quiet=1.5) == b""


def test_home_and_end_reach_both_ends(small_list: Terminal) -> None:
    small_list.write(KEYS["end"])
    small_list.wait_for("CDG0099999")
    small_list.write(KEYS["home"])
    small_list.wait_until(lambda: "CDG0000000" in small_list.row(0), "the first row")
