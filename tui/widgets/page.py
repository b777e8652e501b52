"""The visible page of a long list: where the cursor is, which lines must be redrawn, what changed out of sight.

Rule 1: a list pages, it never scrolls by one line: `top` is a multiple of the height.
Rule 2: nothing moves under the cursor. A visible row whose content changed is replaced in place; rows added, removed
        or to be moved are only counted, until the reader asks for them.
Rule 3: a visible row that no longer belongs to the list stays, marked as gone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Fetched(Generic[R]):
    """Rows `top` to `top + len(rows)` of `count`."""

    top: int
    rows: Sequence[R]
    count: int


class Page(Generic[R]):
    """What a list of any length knows: one page of rows. `key` names a row for ever, its index does not."""

    def __init__(self, key: Callable[[R], Hashable]) -> None:
        self.key = key
        self.height = 1
        self.top = 0
        self.count = 0
        self.cursor = 0
        self.known = False  # whether a first page was read
        self.rows: list[R] = []
        self.gone: set[Hashable] = set()
        self.pending: set[Hashable] = set()

    @property
    def current(self) -> R | None:
        return self.rows[self.cursor - self.top] if self.holds(self.cursor) else None

    @property
    def number(self) -> int:
        return self.top // self.height + 1

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // self.height))

    def holds(self, index: int) -> bool:
        return self.top <= index < self.top + len(self.rows)

    def top_of(self, index: int) -> int:
        return (max(index, 0) // self.height) * self.height

    def target(self, key: str) -> int | None:
        """Where a key sends the cursor; None when it is no key of a list."""
        steps = {"up": -1, "down": 1, "pageup": -self.height, "pagedown": self.height}
        if key in steps:
            wanted = self.cursor + steps[key]
        elif key in ("home", "end"):
            wanted = 0 if key == "home" else self.count - 1
        else:
            return None
        return max(0, min(wanted, self.count - 1))

    def move(self, index: int) -> tuple[int, ...]:
        """The cursor goes to a row of this page; the lines to redraw."""
        lines = (self.cursor - self.top, index - self.top)
        self.cursor = index
        return lines if lines[0] != lines[1] else ()

    def show(self, fetched: Fetched[R], cursor: int) -> None:
        """A page as the core knows it now. The cursor stays inside the list."""
        self.known = True
        self.top, self.count = fetched.top, fetched.count
        self.rows = list(fetched.rows)[: self.height]
        self.cursor = max(0, min(cursor, self.count - 1))
        self.gone.clear()

    def index_of(self, key: Hashable) -> int | None:
        return next((self.top + i for i, row in enumerate(self.rows) if self.key(row) == key), None)

    def replace(self, row: R) -> int | None:
        """The line to redraw when a visible row changed, else None."""
        index = self.index_of(self.key(row))
        if index is None or self.rows[index - self.top] == row:
            return None
        self.rows[index - self.top] = row
        return index - self.top

    def notice(self, fresh: Fetched[R], changed: Iterable[Hashable]) -> list[int]:
        """What the core now says of this page, after changes of some rows; the lines to redraw.

        Nothing moves: rows that came, left or would move are counted in `pending`.
        """
        fresh_keys = [self.key(row) for row in fresh.rows]
        shown_keys = [self.key(row) for row in self.rows]
        dirty = [line for row in fresh.rows if (line := self.replace(row)) is not None]
        elsewhere = fresh.count != self.count or fresh_keys != shown_keys
        for key in changed:
            if key not in shown_keys:
                if elsewhere:
                    self.pending.add(key)
            elif key not in fresh_keys or fresh_keys.index(key) != shown_keys.index(key):
                self.pending.add(key)
        return dirty

    def lose(self, key: Hashable) -> int | None:
        """A visible row no longer exists for the reader: it stays, marked; the line to redraw."""
        index = self.index_of(key)
        if index is None or key in self.gone:
            return None
        self.gone.add(key)
        return index - self.top
