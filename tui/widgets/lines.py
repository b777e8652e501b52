"""A block of text lines that repaints only the cells that changed: a clock tick is a few bytes, not a line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

PLAIN = Style()
REVERSE = Style(reverse=True)
BOLD = Style(bold=True)

Run = tuple[str, Style]
Line = str | Sequence[Run]
Cell = tuple[str, Style]  # the second cell of a wide character is ("", style)


def cells_of(line: Line, width: int) -> list[Cell]:
    """Exactly `width` cells: cut, padded, combining marks kept with their letter."""
    runs = [(line, PLAIN)] if isinstance(line, str) else line
    cells: list[Cell] = []
    for text, style in runs:
        for character in text:
            wide = cell_len(character)
            if wide == 0 and cells:
                cells[-1] = (cells[-1][0] + character, cells[-1][1])
            elif wide:
                cells += [(character, style), ("", style)][:wide]
    if len(cells) > width and cells[width][0] == "":
        cells[width - 1] = (" ", cells[width - 1][1])
    return cells[:width] + [(" ", PLAIN)] * (width - len(cells))


def difference(old: Sequence[Cell], new: Sequence[Cell]) -> tuple[int, int] | None:
    """First and last differing cell, widened to whole characters; None when they are equal."""
    changed = [x for x, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    if not changed:
        return None
    first, last = changed[0], changed[-1]
    while first and "" in (old[first][0], new[first][0]):
        first -= 1
    while last + 1 < len(new) and "" in (old[last + 1][0], new[last + 1][0]):
        last += 1
    return first, last


class Lines(Widget):
    """`rows` lines of text with styles; `show` sends what differs from what stands there."""

    DEFAULT_CSS = "Lines { width: 100%; }"

    def __init__(self, rows: int = 0, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows = rows
        self._lines: list[Line] = []
        self._cells: list[list[Cell]] = []
        self._cuts: dict[int, tuple[int, int]] = {}
        if rows:
            self.styles.height = rows

    def show(self, lines: Sequence[Line]) -> None:
        """These lines from the top; the rest is blank."""
        self._lines = list(lines)
        width, height = self.size
        if not self._is_laid_out():
            self._cells.clear()
            self.refresh()
            return
        regions = []
        for y in range(height):
            fresh = self._wanted(y, width)
            changed = difference(self._cells[y], fresh)
            if changed is not None:
                self._cells[y], self._cuts[y] = fresh, changed
                regions.append(Region(changed[0], y, changed[1] - changed[0] + 1, 1))
        if regions:
            self.refresh(*regions)

    def _is_laid_out(self) -> bool:
        width, height = self.size
        return bool(width) and len(self._cells) == height and all(len(cells) == width for cells in self._cells)

    def _lay_out(self) -> None:
        width, height = self.size
        self._cells = [self._wanted(y, width) for y in range(height)]
        self._cuts.clear()

    def _wanted(self, y: int, width: int) -> list[Cell]:
        return cells_of(self._lines[y] if y < len(self._lines) else "", width)

    def render_line(self, y: int) -> Strip:
        if not self._is_laid_out():
            self._lay_out()
        width, cells = self.size.width, self._cells[y]
        portions = _portions(cells, self._cuts[y]) if y in self._cuts else [cells]
        return Strip([segment for portion in portions for segment in _segments(portion)], width)


def _portions(cells: Sequence[Cell], changed: tuple[int, int]) -> list[Sequence[Cell]]:
    """The line cut so that Textual's partial update writes the changed cells and at most one character more.

    It writes the first segment that reaches into the region without counting it, hence a first one of one character
    and one character after the last.
    """
    first, last = changed
    start = first + (2 if cells[first + 1 : first + 2] and cells[first + 1][0] == "" else 1)
    end = max(start, last + 1)
    after = end + (2 if cells[end + 1 : end + 2] and cells[end + 1][0] == "" else 1)
    return [cells[:first], cells[first:start], cells[start:end], cells[end:after], cells[after:]]


def _segments(cells: Sequence[Cell]) -> list[Segment]:
    return [Segment("".join(c for c, _s in run), style) for style, run in groupby(cells, key=lambda cell: cell[1])]
