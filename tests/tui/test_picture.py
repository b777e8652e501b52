"""The picture of the terminal: only cells that differ are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from textual.strip import Strip

from tui.picture import Picture, spans
from tui.widgets.lines import BOLD, PLAIN, cells_of


def shown(*rows: str, width: int = 12) -> list[Strip]:
    return [Strip([Segment(row.ljust(width), PLAIN)], width) for row in rows]


def written(picture: Picture, strips: list[Strip]) -> list[tuple[int, int, str]]:
    difference = picture.update(strips)
    return [(x, y, "".join(s.text for s in segments)) for x, y, segments in difference._portions] if difference else []


def test_only_the_cells_that_differ_are_written() -> None:
    picture = Picture()
    assert len(written(picture, shown("08:40 PREVU", "08:45 PREVU"))) == 2
    assert written(picture, shown("08:40 PREVU", "08:45 PREVU")) == []
    assert written(picture, shown("08:40 PREVU", "08:46 PREVU")) == [(4, 1, "6")]
    picture.forget()
    assert len(written(picture, shown("08:40 PREVU", "08:46 PREVU"))) == 2


def test_a_style_alone_is_a_difference() -> None:
    picture = Picture()
    picture.update(shown("ZONGO"))
    bold = [Strip([Segment("ZONGO".ljust(12), BOLD)], 12)]
    assert written(picture, bold) == [(0, 0, "ZONGO".ljust(12))]


@given(st.text(alphabet="aé山e\u0301 ", max_size=12), st.text(alphabet="aé山e\u0301 ", max_size=12))
def test_writing_the_differences_over_the_old_line_gives_the_new_one(old: str, new: str) -> None:
    before, after = cells_of(old, 14), cells_of(new, 14)
    line = list(before)
    for start, end in spans(before, after):
        line[start:end] = after[start:end]
        assert start == 0 or after[start][0] != ""
    assert line == after
