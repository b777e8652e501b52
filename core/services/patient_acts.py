"""What acts write of a patient: a new row, new demographics, and the identity that studies and lists show."""

from __future__ import annotations

from typing import Any

from core.index.patient_rows import demographics_columns, demographics_of
from core.index.rows import insert
from core.index.tables import Patient as Row
from core.index.tables import PatientIdentifier, Step, Study
from core.index.writer import Unit
from core.model.identifiers import patient_number
from core.model.names import person_name
from core.model.patient import Demographics
from core.model.people import Actor
from core.services.kit import Kit, issue


def create_patient(
    unit: Unit,
    kit: Kit,
    actor: Actor,
    who: Demographics,
    *,
    number: str = "",
    authority: str = "",
    provisional: bool = False,
    reason: str = "",
    **also: Any,
) -> Any:
    """The row of a new patient, inside an act. A number of ours is issued when none is given."""
    if not number:
        prefix = kit.config.site.patient_prefix
        number = patient_number(prefix, issue("patient"))
        while PatientIdentifier.select().where(PatientIdentifier.value == number).exists():
            number = patient_number(prefix, issue("patient"))
    row = insert(Row, number=number, provisional=provisional, created_at=unit.now, **demographics_columns(who), **also)
    insert(PatientIdentifier, patient=row.id, value=number, authority=authority or kit.config.site.authority)
    unit.audit(actor, "register_patient", f"patient:{row.id}", row.id, number=number, reason=reason)
    unit.event(f"patient:{row.id}", row.id)
    return row


def update_patient(unit: Unit, actor: Actor, row: Any, who: Demographics, **also: Any) -> None:
    """Write new demographics and everything that shows them: studies' current identity and the lists."""
    new = demographics_columns(who) | also
    old = {name: getattr(row, name) for name in new}
    changed = {name: value for name, value in new.items() if old[name] != value}
    if not changed:
        return
    Row.update(**changed).where(Row.id == row.id).execute()
    for name, value in changed.items():
        setattr(row, name, value)
    show_identity(row)
    before = {name: old[name] for name in changed if not name.endswith("_key") and name != "told_at"}
    unit.audit(actor, "correct_patient", f"patient:{row.id}", row.id, before=before)
    unit.event(f"patient:{row.id}", row.id)
    touch_exams(unit, row.id)


def show_identity(row: Any) -> None:
    """The studies of a patient carry the current identity; what the files said stays in the `sent_` columns."""
    who = demographics_of(row)
    Study.update(
        number=row.number,
        name=person_name(who.family_name, who.given_names),
        name_key=row.name_key,
        birth_date=who.birth.dicom(),
        sex=who.sex,
    ).where(Study.patient == row.id).execute()


def touch_exams(unit: Unit, patient_id: int) -> None:
    """Every list that shows an exam of this patient must be drawn again."""
    for step in Step.select(Step.id, Step.day, Step.room, Step.ward).where(Step.patient == patient_id):
        for topic in (f"day:{step.day}", f"step:{step.id}", f"ward:{step.ward}", "reading"):
            unit.event(topic, step.id)
