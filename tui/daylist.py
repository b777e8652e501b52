"""A list of exams of a day, kept true by pushes: shared by the day screen and the room console."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from core.errors import NotFound
from core.model.query import DayFilter
from core.model.worklist import ExamLine
from core.rpc import contract as c
from tui.core import Core
from tui.exams import day_columns
from tui.widgets.cells import heading, line_of
from tui.widgets.page import Fetched
from tui.widgets.virtual_list import VirtualList


class DayList(VirtualList[ExamLine]):
    """The exams of `filter`; one page of them is here."""

    def __init__(self, core: Core, filter: DayFilter, id: str = "") -> None:
        super().__init__(self._page, self._written, lambda exam: exam.step_id, id)
        self._core, self.filter = core, filter
        self.as_of = ""

    async def _page(self, top: int, n: int) -> Fetched[ExamLine]:
        page = await self._core.ask(c.GetDayPage(self.filter, top, n))
        self.as_of = self._core.hour(page.as_of)
        return Fetched(page.top, page.lines, page.total)

    def _written(self, exam: ExamLine) -> str:
        return line_of(day_columns(self._core, self.size.width), exam)

    def heading(self) -> str:
        return heading(day_columns(self._core, self.size.width))

    def narrow(self, **changes: object) -> None:
        """Another filter; to be followed by `load(0)`."""
        self.filter = replace(self.filter, **changes)  # type: ignore[arg-type]
        self.page.pending.clear()

    async def refresh_all(self) -> None:
        """What was counted is applied; the cursor stays on the same exam, wherever it went."""
        current, page = self.current, self.page
        page.pending.clear()
        await self.load(page.cursor)
        if current is None or (self.current is not None and self.current.step_id == current.step_id):
            return
        index = page.index_of(current.step_id)
        if index is None:
            index = await self._find(current.step_id)
        if index is not None:
            await self.load(index)

    async def _find(self, step_id: int) -> int | None:
        """The place of an exam in a list ordered by hour: halving, one row a question, never the whole list."""
        try:
            wanted = _order(await self._core.ask(c.GetLine(step_id)))
        except NotFound:
            return None
        low, high = 0, self.page.count
        while low < high:
            middle = (low + high) // 2
            rows = (await self._page(middle, 1)).rows
            if rows and _order(rows[0]) < wanted:
                low = middle + 1
            else:
                high = middle
        rows = (await self._page(low, 1)).rows
        return low if rows and rows[0].step_id == step_id else None

    async def apply(self, changes: tuple[c.Change, ...] | None) -> None:
        """Pushes: visible rows are redrawn where they stand, the others are counted."""
        changed: set[Hashable] = (
            {exam.step_id for exam in self.page.rows}
            if changes is None
            else {int(change.key) for change in changes if change.key.isdigit()}
        )
        for key in await self.notice(changed):
            try:
                self.replace(await self._core.ask(c.GetLine(int(str(key)))))
            except NotFound:
                self.lose(key)


def _order(exam: ExamLine) -> tuple[bool, str, int]:
    """The order of the day list: by hour, those without an hour last, then by number."""
    return exam.scheduled_at is None, exam.scheduled_at.isoformat() if exam.scheduled_at else "", exam.step_id
