"""What acts write of a patient: a new row, new demographics, and the identity that studies and lists show."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from core.i18n import _
from core.index.patient_rows import demographics_columns, demographics_of
from core.index.rows import insert
from core.index.tables import Patient as Row
from core.index.tables import PatientIdentifier, Step, Study
from core.index.writer import Unit
from core.model.identifiers import patient_number
from core.model.names import person_name
from core.model.patient import Demographics
from core.model.people import Actor
from core.model.study import Match
from core.services.doubts import doubt_in_place
from core.services.kit import Kit, issue


def house_number(kit: Kit) -> str:
    """The next patient number of ours that nobody bears, inside an act."""
    while True:
        number = patient_number(kit.config.site.patient_prefix, issue("patient"))
        if not PatientIdentifier.select().where(PatientIdentifier.value == number).exists():
            return number


def create_patient(
    unit: Unit,
    kit: Kit,
    actor: Actor,
    who: Demographics,
    *,
    number: str = "",
    authority: str = "",
    kind: str = "PI",
    provisional: bool = False,
    reason: str = "",
    **also: Any,
) -> Any:
    """The row of a new patient, inside an act. A number of ours is issued when none is given."""
    number = number or house_number(kit)
    row = insert(Row, number=number, provisional=provisional, created_at=unit.now, **demographics_columns(who), **also)
    insert(PatientIdentifier, patient=row.id, value=number, authority=authority or kit.config.site.authority, kind=kind)
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
    shown = shown_identity(row)
    # A row that is written is journalled, whatever it holds: those that say so already stay as they are.
    otherwise = reduce(or_, (getattr(Study, name) != value for name, value in shown.items()))
    Study.update(**shown).where(Study.patient == row.id, otherwise).execute()


def shown_identity(row: Any) -> dict[str, Any]:
    """The columns of a study that say whose it is now."""
    who = demographics_of(row)
    return {
        "number": row.number,
        "name": person_name(who.family_name, who.given_names),
        "name_key": row.name_key,
        "birth_date": who.birth.dicom(),
        "sex": who.sex,
    }


def yield_number(unit: Unit, kit: Kit, actor: Actor, row: Any, value: str, authority: str) -> None:
    """The HIS says whose a number is that a machine had given this patient: they get one of ours, their images a doubt.

    Whoever took the images typed a number; whether they typed the wrong one or the right one, a person finds out.
    """
    number = house_number(kit)  # while the one that goes is still taken
    mine = (PatientIdentifier.patient == row.id) & (PatientIdentifier.value == value)
    PatientIdentifier.delete().where(mine, PatientIdentifier.authority == authority).execute()
    insert(PatientIdentifier, patient=row.id, value=number, authority=kit.config.site.authority)
    Row.update(number=number).where(Row.id == row.id).execute()
    row.number = number
    show_identity(row)
    why = _("le SIH donne le numéro %s à un autre enfant") % value
    for study in Study.select().where(Study.patient == row.id, Study.match != str(Match.UNRECONCILED)):
        doubt_in_place(unit, actor, study, why)
    unit.audit(actor, "yield_number", f"patient:{row.id}", row.id, number=value, now=number)
    unit.event(f"patient:{row.id}", row.id)
    touch_exams(unit, row.id)


def touch_exams(unit: Unit, patient_id: int) -> None:
    """Every list that shows an exam of this patient must be drawn again."""
    for step in Step.select(Step.id, Step.day, Step.room, Step.ward).where(Step.patient == patient_id):
        for topic in (f"day:{step.day}", f"step:{step.id}", f"ward:{step.ward}", "reading"):
            unit.event(topic, step.id)
