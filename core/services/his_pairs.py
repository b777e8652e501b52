"""Which exam of an order each line of a message speaks of: by what names it, then by its code, never by its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.index.tables import RequestedProcedure
from core.model.his import OrderedStep
from core.model.step import StepStatus

Pairs = list[tuple[Any, OrderedStep]]


def pair(steps: Sequence[Any], ordered: Sequence[OrderedStep]) -> tuple[Pairs, list[OrderedStep]]:
    """Each line with its step, each step once; and the lines that are none of the steps."""
    free = sorted(steps, key=lambda s: (s.status == str(StepStatus.CANCELED), s.id))
    procedures = {p.id: p for p in RequestedProcedure.select().where(RequestedProcedure.id.in_(_procedures(free)))}
    left, found = list(ordered), list[tuple[Any, OrderedStep]]()
    for same in (_bears_its_name, _is_the_same_exam):
        for line in list(left):
            step = next((s for s in free if same(s, procedures[s.procedure_id], line)), None)
            if step is not None:
                found.append((step, line))
                free.remove(step)
                left.remove(line)
    return found, left


def _procedures(steps: Sequence[Any]) -> list[int]:
    return [s.procedure_id for s in steps]


def _bears_its_name(step: Any, procedure: Any, line: OrderedStep) -> bool:
    return (
        (bool(line.step_id) and line.step_id == step.scheduled_step_id)
        or (bool(line.study_instance_uid) and line.study_instance_uid == procedure.study_instance_uid)
        or (bool(line.requested_procedure_id) and line.requested_procedure_id == procedure.procedure_id)
    )


def _is_the_same_exam(step: Any, _procedure: Any, line: OrderedStep) -> bool:
    return bool(line.exam_code) and line.exam_code == step.exam_code
