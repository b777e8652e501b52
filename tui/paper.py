"""Printing from any screen: which paper, and the sentence that says it is on its way."""

from __future__ import annotations

from core.i18n import _
from core.model.worklist import ExamLine
from core.rpc import contract as c
from tui.dialogs.choice import Choice, Option
from tui.screens.base import Desk


async def print_paper(desk: Desk, exam: ExamLine) -> str:
    """Asks label or convocation; the default is the label."""
    label: Option[bool] = Option("E", _("Étiquette"), True)
    convocation: Option[bool] = Option("C", _("Convocation"), False)
    question = _("Imprimer pour %s") % exam.patient_name
    if await desk.ask(Choice(question, [label, convocation])):
        return await print_label(desk, exam.step_id)
    return await print_convocation(desk, exam.step_id)


async def print_label(desk: Desk, step_id: int) -> str:
    await desk.core.once(f"label {step_id}", lambda key: c.PrintLabel(step_id, idempotency_key=key))
    return _("Étiquette dans la file d'impression.")


async def print_convocation(desk: Desk, step_id: int) -> str:
    await desk.core.once(f"slip {step_id}", lambda key: c.PrintConvocation(step_id, idempotency_key=key))
    return _("Convocation dans la file d'impression.")
