"""Moving an exam: the one place where a state column changes, with its history row, audit and events."""

from __future__ import annotations

from typing import Any

from core.errors import BadInput, NotFound
from core.i18n import _
from core.index.rows import find, insert
from core.index.tables import Step, StepHistory
from core.index.writer import Unit
from core.model.people import Actor
from core.model.step import (
    REASON_REQUIRED,
    DeliveryEvent,
    DeliveryStatus,
    ExamState,
    Flag,
    ReportEvent,
    ReportStatus,
    StepEvent,
    StepStatus,
    check_right,
)

AnyEvent = StepEvent | ReportEvent | DeliveryEvent


def step_row(step_id: int) -> Any:
    """The row of an exam. Raises `NotFound`."""
    row = find(Step, id=step_id)
    if row is None:
        raise NotFound(_("Cet examen n'existe pas."))
    return row


def state_of(row: Any) -> ExamState:
    return ExamState(StepStatus(row.status), ReportStatus(row.report_status), DeliveryStatus(row.delivery_status))


def already(step_id: int, event: AnyEvent, source_key: str) -> bool:
    """Whether this very cause already had this effect: the same MPPS, image, message or form."""
    return (
        bool(source_key)
        and StepHistory.select()
        .where(StepHistory.step == step_id, StepHistory.source_key == source_key, StepHistory.event == str(event))
        .exists()
    )


def advance(
    unit: Unit, actor: Actor, row: Any, event: AnyEvent, *, reason: str = "", source_key: str = "", **also: Any
) -> ExamState:
    """Apply an event to an exam, inside an act; `also` are further columns of the row that change with it.

    Raises `NotAllowed`, `IllegalTransition`, or `BadInput` without a reason where one is required.
    The same cause twice changes nothing.
    """
    before = state_of(row)
    if already(row.id, event, source_key):
        return before
    if not isinstance(event, DeliveryEvent):
        check_right(before, event, actor.roles)
        if event in REASON_REQUIRED and not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")
    after = before.after(event)
    _write_history(unit, actor, row, event, before, after, reason, source_key)
    change(
        unit,
        row,
        status=str(after.step),
        report_status=str(after.report),
        delivery_status=str(after.delivery),
        **also,
    )
    unit.audit(actor, str(event).lower(), f"step:{row.id}", row.patient_id, reason=reason, to=_spelled(after))
    return after


def begin(unit: Unit, actor: Actor, row: Any, event: StepEvent, reason: str = "", source_key: str = "") -> None:
    """The first history row of an exam that was just inserted with its first state."""
    _write_history(unit, actor, row, event, ExamState(), state_of(row), reason, source_key)
    touch(unit, row)
    unit.audit(actor, str(event).lower(), f"step:{row.id}", row.patient_id, reason=reason)


def change(unit: Unit, row: Any, **columns: Any) -> None:
    """Write columns of an exam, raise its version and tell who watches it."""
    watched_day = row.day
    for name, value in columns.items():
        setattr(row, name, value)
    row.version += 1
    Step.update(version=row.version, **columns).where(Step.id == row.id).execute()
    touch(unit, row)
    if watched_day != row.day:
        unit.event(f"day:{watched_day}", row.id)


def touch(unit: Unit, row: Any) -> None:
    """Tell the screens that show this exam."""
    for topic in (f"day:{row.day}", f"step:{row.id}", f"room:{row.room}", f"ward:{row.ward}", "reading"):
        unit.event(topic, row.id)


def flag(unit: Unit, row: Any, *flags: Flag, on: bool = True) -> None:
    """Put flags on an exam or take them off."""
    held = set(row.flags)
    wanted = held | set(flags) if on else held - set(flags)
    if wanted != held:
        change(unit, row, flags=tuple(sorted(str(f) for f in wanted)))


def _write_history(
    unit: Unit,
    actor: Actor,
    row: Any,
    event: AnyEvent,
    before: ExamState,
    after: ExamState,
    reason: str,
    source_key: str,
) -> None:
    machine, came_from, became = {
        StepEvent: ("step", before.step, after.step),
        ReportEvent: ("report", before.report, after.report),
        DeliveryEvent: ("delivery", before.delivery, after.delivery),
    }[type(event)]
    insert(
        StepHistory,
        step=row.id,
        machine=machine,
        event=str(event),
        came_from=str(came_from or ""),
        became=str(became),
        at=unit.now,
        actor=actor.name,
        post=actor.post,
        origin=actor.origin,
        reason=reason,
        source_key=source_key,
    )


def _spelled(state: ExamState) -> str:
    return f"{state.step}/{state.report}/{state.delivery}"
