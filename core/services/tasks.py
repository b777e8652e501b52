"""Tasks: what a person must look at, one French line each, until somebody or something has settled it. Inside acts."""

from __future__ import annotations

from typing import Any

from core.index.rows import insert
from core.index.tables import Task
from core.index.writer import Unit
from core.model.people import Actor, Role


def ask(unit: Unit, kind: str, role: Role, text: str, **about: int | None) -> None:
    """A new line for people of a role. about: `step_id`, `patient_id`, `study_id`."""
    insert(Task, kind=kind, role=str(role), text=text, created_at=unit.now, **about)


def is_asked(kind: str, study_id: int) -> bool:
    """Whether such a line of this study is waiting."""
    return Task.select().where(Task.kind == kind, Task.study_id == study_id, Task.done_at.is_null()).exists()


def settle_of_study(unit: Unit, actor: Actor, kind: str, study_id: int) -> None:
    """What was asked about this study is done: its lines leave the list, with who did it."""
    _settle(unit, actor, kind, Task.study_id == study_id)


def settle_of_step(unit: Unit, actor: Actor, kind: str, step_id: int) -> None:
    """The same for what was asked about an exam."""
    _settle(unit, actor, kind, Task.step_id == step_id)


def _settle(unit: Unit, actor: Actor, kind: str, about: Any) -> None:
    waiting = (Task.kind == kind) & about & Task.done_at.is_null()
    for task in list(Task.select(Task.id).where(waiting)):
        Task.update(done_at=unit.now, done_by=actor.name).where(Task.id == task.id).execute()
        unit.audit(actor, "task_done", f"task:{task.id}", kind=kind)
