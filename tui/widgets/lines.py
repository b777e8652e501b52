"""A block of text lines in the terminal's own colours; a line that did not change is not drawn again."""

from __future__ import annotations

from collections.abc import Sequence

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
        if text.isascii():
            cells += [(character, style) for character in text]
            continue
        for character in text:
            wide = cell_len(character)
            if wide == 0 and cells:
                cells[-1] = (cells[-1][0] + character, cells[-1][1])
            elif wide:
                cells += [(character, style), ("", style)][:wide]
    if len(cells) > width and cells[width][0] == "":
        cells[width - 1] = (" ", cells[width - 1][1])
    return cells[:width] + [(" ", PLAIN)] * (width - len(cells))


class Lines(Widget):
    """`rows` lines of text with styles (0: as many as the layout gives)."""

    DEFAULT_CSS = "Lines { width: 100%; }"

    def __init__(self, rows: int = 0, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        if rows:
            self.styles.height = rows

    def show(self, lines: Sequence[Line]) -> None:
        """These lines from the top; the rest is blank."""
        old, self._lines = self._lines, list(lines)
        width, height = self.size
        if regions := [Region(0, y, width, 1) for y in range(height) if _at(old, y) != _at(self._lines, y)]:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        line = _at(self._lines, y)
        runs = [(line, PLAIN)] if isinstance(line, str) else line
        return Strip([Segment(text, style) for text, style in runs if text]).adjust_cell_length(width, PLAIN)


def _at(lines: Sequence[Line], y: int) -> Line:
    return lines[y] if y < len(lines) else ""
