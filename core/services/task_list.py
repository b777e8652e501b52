"""« À faire »: the lines that wait for people of the actor's roles, and a person's word that one is settled."""

from __future__ import annotations

from typing import Any

from core.errors import BadInput, Conflict
from core.i18n import _
from core.index.tables import Task
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.task import TaskLine
from core.services.access import DEPARTMENT, hidden, require
from core.services.damaged import KIND as DAMAGED
from core.services.doubts import RECONCILE
from core.services.kit import Kit

EVERYTHING = (Role.LEAD_TECHNOLOGIST, Role.ADMINISTRATOR)
BY_THEMSELVES = frozenset({RECONCILE, DAMAGED})
LISTED = 300


class TaskList:
    """Verbs on lines for people."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def waiting(self, actor: Actor) -> list[TaskLine]:
        """What waits for the actor's roles, oldest first; those who lead the department see all of it."""
        require(actor, *DEPARTMENT)
        rows = Task.select().where(Task.done_at.is_null(), _theirs(actor)).order_by(Task.id).limit(LISTED)
        return [_line(row) for row in rows]

    def settle(self, actor: Actor, task_id: int, how: str) -> None:
        """A person has dealt with it; how is kept. Raises `Conflict` for what only ends with what it speaks of."""
        require(actor, *DEPARTMENT)
        if not how.strip():
            raise BadInput(_("Dites ce qui a été fait."), "how")

        def act(unit: Unit) -> None:
            row = Task.get_or_none(Task.id == task_id)
            if row is None or not Task.select().where(Task.id == task_id, _theirs(actor)).exists():
                raise hidden(_("Cette ligne n'existe pas."), f"task:{task_id}" if row is not None else "")
            if row.done_at is not None:
                return
            if row.kind in BY_THEMSELVES:
                raise Conflict(_("Cette ligne part d'elle-même avec ce dont elle parle."))
            Task.update(done_at=unit.now, done_by=actor.name).where(Task.id == row.id).execute()
            unit.audit(actor, "task_done", f"task:{row.id}", row.patient_id, kind=row.kind, how=how.strip())
            unit.event("alarm", "task")

        self._kit.act(actor, "settle_task", act)


def _theirs(actor: Actor) -> Any:
    if actor.is_any(*EVERYTHING):
        return Task.id > 0
    return Task.role.in_([str(role) for role in actor.roles])


def _line(row: Any) -> TaskLine:
    return TaskLine(
        id=row.id,
        kind=row.kind,
        text=row.text,
        role=Role(row.role),
        asked_at=row.created_at,
        step_id=row.step_id,
        patient_id=row.patient_id,
        study_id=row.study_id,
        ends_by_itself=row.kind in BY_THEMSELVES,
    )
