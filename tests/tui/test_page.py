"""What a list does with changes: nothing moves under the cursor, and text keeps its columns whatever it holds."""

from __future__ import annotations

from rich.cells import cell_len

from tui.widgets.cells import Column, fit, heading, line_of, safe
from tui.widgets.page import Fetched, Page

Row = tuple[int, str]


def page_of(count: int = 10, height: int = 4) -> Page[Row]:
    page: Page[Row] = Page(lambda row: row[0])
    page.height = height
    page.show(Fetched(0, [(i, "PREVU") for i in range(height)], count), cursor=1)
    return page


def fresh(*rows: Row, count: int = 10) -> Fetched[Row]:
    return Fetched(0, list(rows), count)


def test_a_visible_row_that_changed_is_replaced_in_place() -> None:
    page = page_of()
    dirty = page.notice(fresh((0, "PREVU"), (1, "PREVU"), (2, "ARRIVE"), (3, "PREVU")), [2])
    assert dirty == [2]
    assert page.rows[2] == (2, "ARRIVE")
    assert not page.pending


def test_a_row_that_came_is_counted_and_moves_nothing() -> None:
    page = page_of()
    assert page.notice(fresh((9, "PREVU"), (0, "PREVU"), (1, "PREVU"), (2, "PREVU"), count=11), [9]) == []
    assert [key for key, _word in page.rows] == [0, 1, 2, 3]
    assert page.pending == {9}
    assert page.current == (1, "PREVU")


def test_a_row_that_would_move_changes_its_content_and_waits() -> None:
    page = page_of()
    dirty = page.notice(fresh((0, "PREVU"), (2, "PREVU"), (3, "PREVU"), (1, "FAIT")), [1])
    assert dirty == [1]
    assert page.rows[1] == (1, "FAIT")
    assert page.pending == {1}


def test_a_change_elsewhere_draws_nothing_and_counts_nothing() -> None:
    page = page_of()
    assert page.notice(fresh(*[(i, "PREVU") for i in range(4)]), [8]) == []
    assert not page.pending


def test_a_vanished_row_stays_marked_until_the_reader_asks() -> None:
    page = page_of()
    assert page.lose(1) == 1
    assert page.lose(1) is None
    assert page.current == (1, "PREVU")
    page.show(fresh((0, "PREVU"), (2, "PREVU"), count=2), cursor=1)
    assert page.gone == set()


def test_the_page_flips_by_whole_pages() -> None:
    page = page_of()
    page.cursor = 3
    assert page.target("down") == 4
    assert not page.holds(4)
    assert page.top_of(4) == 4
    assert page.target("pagedown") == 7
    assert page.target("end") == 9
    assert page.target("f6") is None


def test_an_empty_list_has_a_cursor_at_zero_and_no_current_row() -> None:
    page: Page[Row] = Page(lambda row: row[0])
    page.show(Fetched(0, [], 0), cursor=5)
    assert page.cursor == 0
    assert page.current is None
    assert page.target("down") == 0
    assert page.pages == 1


def test_names_never_shift_columns_nor_reach_the_terminal_as_commands() -> None:
    columns: list[Column[str]] = [Column("Patient", 10, lambda v: v), Column("S", 1, lambda _v: "F")]
    for name in (
        "Aïcha",
        "Ai\u0308cha",
        "山田太郎花子",
        "עברית שם ארוך",
        "\x1b[31mROUGE",
        "a\u202eb",
        "e\u0301" * 12,
        "\x9b31m",
    ):
        line = line_of(columns, name)
        assert cell_len(line) == cell_len(heading(columns)) == 12
        assert line.endswith(" F")
        assert "\x1b" not in line
        assert "\x9b" not in line
    assert safe("Ai\u0308cha") == "Aïcha"
    assert fit("4a", 3, right=True) == " 4a"
