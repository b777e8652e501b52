"""What stands on the terminal, so that only cells that differ are sent: Textual rewrites whatever it refreshes.

Opening a screen, a page of a list or a changed word costs its new cells, as if tmux stood in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from textual._compositor import CompositorUpdate
from textual.strip import Strip

from tui.widgets.lines import PLAIN, Cell, cells_of

GAP = 8  # cells: jumping over fewer unchanged ones costs more than writing them again


def spans(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """First cell and end of each portion to write; whole characters, near portions joined."""
    found: list[tuple[int, int]] = []
    for x, (a, b) in enumerate(zip(old, new, strict=True)):
        if a == b:
            continue
        if found and x - found[-1][1] < GAP:
            found[-1] = (found[-1][0], x + 1)
        else:
            found.append((x, x + 1))
    return [_whole(old, new, start, end) for start, end in found]


def _whole(old: Sequence[Cell], new: Sequence[Cell], start: int, end: int) -> tuple[int, int]:
    """Widened so that no half of a wide character is written or left."""
    while start and "" in (old[start][0], new[start][0]):
        start -= 1
    while end < len(new) and "" in (old[end][0], new[end][0]):
        end += 1
    return start, end


class Picture:
    """The cells of the terminal as they were last written."""

    def __init__(self) -> None:
        self._strips: list[Strip] = []

    def forget(self) -> None:
        """The terminal was resized, or garbled: the next update writes everything."""
        self._strips = []

    def update(self, strips: list[Strip]) -> Difference | None:
        """What must be written so that the terminal shows these strips; None when it already does."""
        known = self._strips if [s.cell_length for s in self._strips] == [s.cell_length for s in strips] else []
        self._strips = strips
        portions: list[tuple[int, int, list[Segment]]] = []
        for y, strip in enumerate(strips):
            if known and known[y] == strip:
                continue
            cells = _cells(strip)
            old = _cells(known[y]) if known else [("\0", PLAIN)] * len(cells)
            portions += [(start, y, _segments(cells[start:end])) for start, end in spans(old, cells)]
        return Difference(portions) if portions else None


class Difference(CompositorUpdate):
    """Portions of lines, each at its place."""

    def __init__(self, portions: Iterable[tuple[int, int, list[Segment]]]) -> None:
        self._portions = list(portions)

    def render_segments(self, console: Console) -> str:
        """The bytes, as text."""
        return "".join(f"\x1b[{y + 1};{x + 1}H" + Strip(segments).render(console) for x, y, segments in self._portions)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for _x, _y, segments in self._portions:
            yield from segments


def _cells(strip: Strip) -> list[Cell]:
    return cells_of([(text, style or PLAIN) for text, style, control in strip if not control], strip.cell_length)


def _segments(cells: Sequence[Cell]) -> list[Segment]:
    return [Segment("".join(c for c, _s in run), style) for style, run in groupby(cells, key=lambda cell: cell[1])]
