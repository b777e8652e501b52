"""One exam: what is known of it, and everything that happened to it, with who and when."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import _
from core.model.step import DeliveryStatus, ReportStatus, StepStatus, state_word
from core.model.worklist import ExamLine
from core.rpc import contract as c
from tui import exams
from tui.paper import print_paper
from tui.screens.base import Desk
from tui.widgets.cells import fit, safe
from tui.widgets.lines import BOLD, Line

MOST = 9  # lines of history that fit
_MACHINES: dict[str, type[StepStatus] | type[ReportStatus] | type[DeliveryStatus]] = {
    "step": StepStatus,
    "report": ReportStatus,
    "delivery": DeliveryStatus,
}


class ExamScreen(Desk):
    """Opened from a list with Enter; Escape goes back to the same row."""

    kind = "exam"
    head_rows = 17

    def __init__(self, exam: ExamLine) -> None:
        super().__init__()
        self.exam = exam
        self._history: tuple[c.StepEntry, ...] = ()

    async def prepare(self) -> None:
        self.exam = await self.core.ask(c.GetLine(self.exam.step_id))
        self._history = await self.core.ask(c.GetHistory(self.exam.step_id))

    def topics(self) -> tuple[str, ...]:
        return (f"step:{self.exam.step_id}",)

    async def changed(self, changes: tuple[c.Change, ...] | None) -> None:
        await self.prepare()

    def title_text(self) -> str:
        return _("Examen %s") % self.exam.accession_number

    def head(self) -> Sequence[Line]:
        known: list[Line] = [f"{fit(word, 9)} {value}" for word, value in exams.facts(self.core, self.exam)]
        return ["", *known, "", [(_("HISTORIQUE"), BOLD)], *self._events()]

    def _events(self) -> list[str]:
        return [self._event(entry) for entry in self._history[-MOST:]]

    def _event(self, entry: c.StepEntry) -> str:
        when = f"{self.core.local(entry.at):%d/%m %H:%M}"
        return f"{when} {fit(became(entry), 18)} {fit(entry.actor, 12)} {fit(entry.post, 12)} {safe(entry.reason)}"

    async def act_refresh(self) -> None:
        await self.prepare()

    async def act_print(self) -> None:
        self.say(await print_paper(self, self.exam))


def became(entry: c.StepEntry) -> str:
    """What the exam became, in the words of its machine."""
    machine = _MACHINES.get(entry.machine)
    try:
        return state_word(machine(entry.became)) if machine else entry.became
    except ValueError:
        return entry.became
