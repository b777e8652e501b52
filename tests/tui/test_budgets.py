"""Bytes of the day list of reception on a Linux console of 80x24, against a real core, at 200 and 100,000 exams."""

from __future__ import annotations

import pytest

from tests.people.hospital import RECEPTION
from tests.tui.conftest import Department, Post
from tests.tui.harness import BUDGET_QUIET

CLOCK = 30  # bytes: the minute in the title line, when it turns during the test
LIST_TOP = 4  # first line of the list on the screen


@pytest.mark.parametrize("exams", [200, 100_000])
def test_the_day_list_stays_within_its_byte_budgets(department: Department, post: Post, exams: int) -> None:
    department.multiply(exams)
    terminal = post("reception1")
    assert 0 < len(terminal.boot) <= 10_000
    assert 0 < len(terminal.opening) <= 10_000
    assert f"1/{exams}" in terminal.row(22)

    assert 0 < len(terminal.press("down", quiet=BUDGET_QUIET)) <= 300
    assert "2/" in terminal.row(22)
    # The detail of the row follows when the cursor rests.
    terminal.wait_until(lambda: "SAWADOGO Moussa" in terminal.row(19), "the detail")

    assert 0 < len(terminal.press("pagedown", quiet=BUDGET_QUIET)) <= 3_000
    assert terminal.reversed_rows() == [LIST_TOP + 1]
    assert 0 < len(terminal.press("pageup", quiet=BUDGET_QUIET)) <= 3_000
    terminal.read_until_quiet(0.6)

    third = department.lines()[2].step_id
    department.services.scheduling.arrive(RECEPTION, third)
    assert 0 < len(terminal.wait_for("ARRIVE")) <= 200
    assert "ARRIVE" in terminal.row(LIST_TOP + 2)

    terminal.read_until_quiet(0.6)
    assert len(terminal.read_until_quiet(2.5)) <= CLOCK


def test_a_change_on_another_page_sends_nothing_but_its_count(department: Department, post: Post) -> None:
    department.multiply(200)
    terminal = post("reception1")
    department.services.scheduling.arrive(RECEPTION, department.lines()[150].step_id)
    assert terminal.read_until_quiet(1.0) == b""
    department.child("COMPAORE", "Issa", "M", 900, "ECHO-ABDO", 5)
    assert 0 < len(terminal.wait_for("+1 changement (F5)")) <= 100
    assert "COMPAORE" not in terminal.text
    terminal.press("f5")
    terminal.wait_for("COMPAORE")
    assert "COMPAORE Issa" in terminal.row(LIST_TOP + 1)


def test_at_120x40_the_budgets_are_those_of_a_larger_screen(department: Department, post: Post) -> None:
    department.multiply(200)
    terminal = post("reception1", columns=120, rows=40)
    assert len(terminal.boot) <= 22_000
    assert "FICHE" in terminal.text
    assert 0 < len(terminal.press("down", quiet=BUDGET_QUIET)) <= 400
    terminal.read_until_quiet(0.6)
    assert 0 < len(terminal.press("pagedown", quiet=BUDGET_QUIET)) <= 7_000
