"""A list of any length that costs one page: one style run per row, dirty lines only, pages flipped and not scrolled.

A table widget repaints itself whole for one changed cell (8 kB); this one sends 104 bytes. The rules of what is
shown are in `tui.widgets.page`; here is only the painting.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from core.i18n import _
from tui.widgets.page import Fetched, Page

R = TypeVar("R")
Fetch = Callable[[int, int], Awaitable[Fetched[R]]]

LAYOUT_SECONDS = 1.0
PLAIN = Style()
CURSOR = Style(reverse=True)


def ascii_only() -> bool:
    """Whether the terminal asked for plain ASCII marks (`YELEN_ASCII=1`)."""
    return os.environ.get("YELEN_ASCII") == "1"


class VirtualList(Widget, Generic[R], can_focus=True):
    """Rows fetched a page at a time through `fetch(top, n)`, written by `text(row)`."""

    DEFAULT_CSS = "VirtualList { height: 1fr; width: 100%; }"

    class Resized(Message):
        """The page holds more or fewer rows than before: its rows must be fetched again."""

    def __init__(self, fetch: Fetch[R], text: Callable[[R], str], key: Callable[[R], Hashable], id: str = "") -> None:
        super().__init__(id=id or None)
        self._fetch, self._text = fetch, text
        self.page: Page[R] = Page(key)
        self._ascii = ascii_only()
        self._sized = asyncio.Event()
        self._loaded_height = 0
        self._loads = 0
        self._shown: dict[int, tuple[str, Style]] = {}

    @property
    def current(self) -> R | None:
        return self.page.current

    def on_resize(self) -> None:
        self._shown.clear()
        if self.size.height and self.size.height != self.page.height:
            self.page.height = self.size.height
            self.post_message(self.Resized())
        if self.size.height:
            self._sized.set()

    @property
    def needs_rows(self) -> bool:
        """Whether the page was read for another height than the list has now."""
        return self.page.known and self._loaded_height != self.page.height

    async def _until_sized(self) -> None:
        """The first page is asked once its height is known; a list that is hidden is not waited for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._sized.wait(), LAYOUT_SECONDS)

    def move(self, index: int) -> None:
        """The cursor goes to a row of the page: two lines are redrawn."""
        self._redraw(self.page.move(index))

    async def load(self, index: int) -> None:
        """The page that holds `index` is fetched, and the cursor goes there."""
        await self._until_sized()
        self._loaded_height = self.page.height
        fetched = await self._fetch(self.page.top_of(index), self.page.height)
        if not fetched.rows and fetched.count:
            fetched = await self._fetch(self.page.top_of(fetched.count - 1), self.page.height)
        self._loads += 1
        self.page.show(fetched, index)
        self._redraw(range(self.page.height))

    async def notice(self, changed: Collection[Hashable]) -> list[Hashable]:
        """Some rows changed: visible ones are redrawn in place, others counted; those that left the page are given."""
        while True:
            loads = self._loads
            fresh = await self._fetch(self.page.top, self.page.height)
            if loads == self._loads:  # else the page was turned meanwhile, and this answer is about another one
                break
        self._redraw(self.page.notice(fresh, changed))
        here = {self.page.key(row) for row in fresh.rows}
        return [key for key in changed if self.page.index_of(key) is not None and key not in here]

    def replace(self, row: R) -> None:
        self._redraw(line for line in (self.page.replace(row),) if line is not None)

    def lose(self, key: Hashable) -> None:
        self._redraw(line for line in (self.page.lose(key),) if line is not None)

    def _redraw(self, lines: Iterable[int]) -> None:
        """Of these lines, those that differ from what stands there."""
        width = self.size.width
        if regions := [Region(0, y, width, 1) for y in lines if self._shown.get(y) != self._line(y)]:
            self.refresh(*regions)

    def _line(self, y: int) -> tuple[str, Style]:
        width = self.size.width
        if y >= len(self.page.rows):
            return " " * width, PLAIN
        row = self.page.rows[y]
        at_cursor = self.page.top + y == self.page.cursor
        text = self._text(row)
        if self._ascii:
            text = (">" if at_cursor else " ") + text
        if self.page.key(row) in self.page.gone:
            mark = _("[retiré]")
            text = set_cell_size(text, max(0, width - len(mark))) + mark
        return set_cell_size(text, width), CURSOR if at_cursor else PLAIN

    def render_line(self, y: int) -> Strip:
        line = self._shown[y] = self._line(y)
        return Strip([Segment(*line)], self.size.width)
