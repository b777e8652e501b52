"""Two records of one child become one, and two again. Everything runs inside one act; twice is once."""

from __future__ import annotations

import json
import re
from typing import Any

from core.i18n import _
from core.index.patient_rows import current
from core.index.rows import insert
from core.index.tables import (
    ImagingServiceRequest,
    MergeRecord,
    PatientIdentifier,
    RequestedProcedure,
    Step,
    Study,
    Table,
    Task,
    Visit,
)
from core.index.tables import Patient as Row
from core.index.writer import Unit
from core.model.people import Actor
from core.services.doubts import doubt_in_place
from core.services.patient_acts import show_identity, touch_exams

MOVED_BY_MERGE: tuple[type[Table], ...] = (Visit, ImagingServiceRequest, Step, Study)


def merge_rows(unit: Unit, actor: Actor, survivor: Any, prior: Any, reason: str) -> None:
    """Inside an act: move what the prior patient owns and make it an alias. Twice is once."""
    if survivor.id == prior.id:
        return
    moved: dict[str, list[int]] = {}
    for table in MOVED_BY_MERGE:
        owned = [r.id for r in table.select(table.id).where(table.patient == prior.id)]  # type: ignore[attr-defined]
        if table is Visit:
            taken = {v.number for v in Visit.select(Visit.number).where(Visit.patient == survivor.id)}
            owned = [v.id for v in Visit.select().where(Visit.patient == prior.id) if v.number not in taken]
        table.update(patient=survivor.id).where(table.id.in_(owned)).execute()  # type: ignore[attr-defined]
        moved[table._meta.table_name] = owned
    Row.update(merged_into=survivor.id).where(Row.id == prior.id).execute()
    show_identity(survivor)
    insert(
        MergeRecord,
        prior=prior.id,
        survivor=survivor.id,
        at=unit.now,
        actor=actor.name,
        reason=reason,
        moved=json.dumps(moved),
    )
    unit.audit(
        actor, "merge_patients", f"patient:{survivor.id}", survivor.id, prior=prior.number, moved=moved, reason=reason
    )
    for patient_id in (survivor.id, prior.id):
        unit.event(f"patient:{patient_id}", patient_id)
    touch_exams(unit, survivor.id)
    _answer_questions(unit, actor, survivor, prior)


def _answer_questions(unit: Unit, actor: Actor, survivor: Any, prior: Any) -> None:
    """What was asked about these two is answered: they are one."""
    asked = Task.select().where(
        Task.kind.in_(["merge", "identifier"]), Task.patient_id.in_([survivor.id, prior.id]), Task.done_at.is_null()
    )
    for task in asked:
        if {survivor.number, prior.number} <= set(re.split(r"[\s,;:()]+", task.text)):
            Task.update(done_at=unit.now, done_by=actor.name).where(Task.id == task.id).execute()


def undo_merge(unit: Unit, actor: Actor, record: Any, reason: str) -> None:
    """What the merge moved and the survivor still has goes back, with what came since under the prior's numbers.

    A study goes with its exam. One that hangs on an exam of the one child and names the other is for a person.
    """
    survivor = current(record.survivor_id)
    assert survivor is not None
    moved: dict[str, list[int]] = json.loads(record.moved)
    numbers = _numbers_of(record.prior_id)
    requests = _still(ImagingServiceRequest, moved, survivor.id) + _asked_since(numbers, record, survivor.id)
    of_requests = RequestedProcedure.select(RequestedProcedure.id).where(RequestedProcedure.request.in_(requests))
    following = Step.select(Step.id).where(Step.procedure.in_(of_requests), Step.patient == survivor.id)
    steps = sorted({*_still(Step, moved, survivor.id), *(s.id for s in following)})
    back = {
        "visit": _still(Visit, moved, survivor.id),
        "imaging_service_request": requests,
        "step": steps,
    }
    Row.update(merged_into=None).where(Row.id == record.prior_id).execute()
    MergeRecord.update(undone_at=unit.now).where(MergeRecord.id == record.id).execute()
    for table in (Visit, ImagingServiceRequest, Step):
        name = table._meta.table_name
        table.update(patient=record.prior_id).where(table.id.in_(back[name])).execute()
    back["study"] = _part_studies(unit, actor, record, survivor.id, set(steps), numbers, set(moved.get("study", [])))
    for patient_id in (record.prior_id, survivor.id):
        show_identity(Row.get_by_id(patient_id))
        unit.event(f"patient:{patient_id}", patient_id)
        touch_exams(unit, patient_id)
    unit.audit(actor, "unmerge_patients", f"patient:{record.prior_id}", record.prior_id, moved=back, reason=reason)


def _still(table: type[Table], moved: dict[str, list[int]], survivor_id: int) -> list[int]:
    """Of the rows that the merge moved, those that nobody has moved elsewhere since."""
    ids = moved.get(table._meta.table_name, [])
    rows: Any = table.select().where(table.id.in_(ids), table.patient == survivor_id)  # type: ignore[attr-defined]
    return [row.id for row in rows]


def _numbers_of(patient_id: int) -> set[tuple[str, str]]:
    rows = PatientIdentifier.select().where(PatientIdentifier.patient == patient_id)
    return {(row.value, row.authority) for row in rows}


def _names(numbers: set[tuple[str, str]], value: str, authority: str) -> bool:
    """Whether a number as sent is one of these; without its authority the value alone counts."""
    return any(value == number and authority in ("", issuer) for number, issuer in numbers)


def _asked_since(numbers: set[tuple[str, str]], record: Any, survivor_id: int) -> list[int]:
    """Orders that came after the merge for one of the prior's own numbers."""
    since = ImagingServiceRequest.select().where(
        ImagingServiceRequest.patient == survivor_id, ImagingServiceRequest.requested_at >= record.at
    )
    return [r.id for r in since if _names(numbers, r.sent_number, r.sent_authority)]


def _part_studies(
    unit: Unit,
    actor: Actor,
    record: Any,
    survivor_id: int,
    steps: set[int],
    numbers: set[tuple[str, str]],
    moved: set[int],
) -> list[int]:
    """Give each study the patient of its exam; those that went back."""
    back = []
    for study in Study.select().where(Study.patient == survivor_id):
        named = study.received_at >= record.at and _names(numbers, study.sent_id, study.sent_issuer)
        theirs = study.id in moved or named
        if study.step_id in steps or (study.step_id is None and theirs):
            Study.update(patient=record.prior_id).where(Study.id == study.id).execute()
            back.append(study.id)
        if study.step_id is not None and (study.step_id in steps) != theirs:
            doubt_in_place(unit, actor, study, _("fusion défaite : image de l'un des deux enfants"))
    return back
