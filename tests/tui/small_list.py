"""A small real program with nothing but a virtual list: `python -m tests.tui.small_list COUNT`.

`c` changes the third row, `h` a row that is not on the page.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tui import surroundings  # sets the environment before Textual is imported

surroundings.prepare()

from textual import events  # noqa: E402
from textual.app import App, ComposeResult  # noqa: E402

from tui.widgets.page import Fetched  # noqa: E402
from tui.widgets.virtual_list import VirtualList  # noqa: E402


@dataclass(frozen=True)
class Item:
    number: int
    word: str = "PREVU"


class SmallList(App[None]):
    """Rows are made on demand."""

    CSS = "Screen { layout: vertical; }"

    def __init__(self, count: int) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.count = count
        self.changed: dict[int, str] = {}
        self.rows: VirtualList[Item] = VirtualList(self.fetch, self.text, lambda item: item.number)

    def compose(self) -> ComposeResult:
        yield self.rows

    async def fetch(self, top: int, n: int) -> Fetched[Item]:
        wanted = range(top, min(top + n, self.count))
        return Fetched(top, [Item(i, self.changed.get(i, "PREVU")) for i in wanted], self.count)

    def text(self, item: Item) -> str:
        return f"08:40 CDG{item.number:07d} OUEDRAOGO Aïcha           4a F TDM CRANE C-  SC1   {item.word}"

    async def on_virtual_list_resized(self) -> None:
        await self.rows.load(self.rows.page.cursor)

    async def on_key(self, event: events.Key) -> None:
        target = self.rows.page.target(event.key)
        if target is not None and self.rows.page.holds(target):
            self.rows.move(target)
        elif target is not None:
            await self.rows.load(target)
        elif event.key in ("c", "h"):
            which = 2 if event.key == "c" else self.count - 1
            self.changed[which] = "ARRIVE"
            await self.rows.notice([which])


if __name__ == "__main__":
    SmallList(int(sys.argv[1])).run(mouse=False)
