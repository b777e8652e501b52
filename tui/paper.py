"""Printing from any screen: which paper, and the sentence that says it is on its way."""

from __future__ import annotations

from core.i18n import _
from core.model.worklist import ExamLine
from core.rpc import contract as c
from tui.dialogs.choice import Choice, Option
from tui.screens.base import Desk


async def print_paper(desk: Desk, exam: ExamLine) -> str:
    """Asks label, wristband or convocation; the default is the label."""
    papers = [
        Option("E", _("Étiquette"), print_label),
        Option("B", _("Bracelet"), print_wristband),
        Option("C", _("Convocation"), print_convocation),
    ]
    chosen = await desk.ask(Choice(_("Imprimer pour %s") % exam.patient_name, papers))
    return await chosen(desk, exam.step_id)


async def print_label(desk: Desk, step_id: int) -> str:
    await desk.core.once(f"label {step_id}", lambda key: c.PrintLabel(step_id, idempotency_key=key))
    return _("Étiquette dans la file d'impression.")


async def print_wristband(desk: Desk, step_id: int) -> str:
    await desk.core.once(f"band {step_id}", lambda key: c.PrintWristband(step_id, idempotency_key=key))
    return _("Bracelet dans la file d'impression.")


async def print_convocation(desk: Desk, step_id: int) -> str:
    await desk.core.once(f"slip {step_id}", lambda key: c.PrintConvocation(step_id, idempotency_key=key))
    return _("Convocation dans la file d'impression.")
