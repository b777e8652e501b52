"""Patients between their rows and their values: keys recomputed on every write, never copied from a sender."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from core.index.rows import find
from core.index.tables import Patient as Row
from core.index.tables import PatientIdentifier, Step, database
from core.model.birth import Birth, Precision
from core.model.identifiers import Identifier
from core.model.names import fold, phonetic_key
from core.model.patient import Demographics, Patient


def demographics_columns(who: Demographics) -> dict[str, Any]:
    """The columns of a patient row that follow from demographics."""
    return {
        "family_name": who.family_name,
        "given_names": who.given_names,
        "usual_name": who.usual_name,
        "name_key": fold(f"{who.family_name} {who.given_names} {who.usual_name}"),
        "sound_key": phonetic_key(f"{who.family_name} {who.given_names}"),
        "sex": who.sex,
        "birth_earliest": who.birth.earliest,
        "birth_latest": who.birth.latest,
        "birth_precision": str(who.birth.precision),
        "mother_family_name": who.mother_family_name,
        "mother_given_names": who.mother_given_names,
        "mother_number": who.mother_number,
        "birth_order": who.birth_order,
        "phone": who.guardian_phone,
        "phone_key": phone_key(who.guardian_phone),
        "address": who.address,
        "national_id": who.national_id,
    }


def phone_key(phone: str) -> str:
    """The last eight digits: how a number is found whatever prefix was typed."""
    return re.sub(r"\D", "", phone)[-8:]


def demographics_of(row: Any) -> Demographics:
    return Demographics(
        family_name=row.family_name,
        given_names=row.given_names,
        birth=Birth(row.birth_earliest, row.birth_latest, Precision(row.birth_precision)),
        sex=row.sex,
        usual_name=row.usual_name,
        mother_family_name=row.mother_family_name,
        mother_given_names=row.mother_given_names,
        mother_number=row.mother_number,
        birth_order=row.birth_order,
        guardian_phone=row.phone,
        address=row.address,
        national_id=row.national_id,
    )


def patients_of(rows: Iterable[Any]) -> list[Patient]:
    """Rows as values, with their identifiers and the day of their last exam."""
    rows = list(rows)
    ids = [r.id for r in rows]
    numbers: dict[int, list[Identifier]] = {}
    for i in PatientIdentifier.select().where(PatientIdentifier.patient.in_(ids)):
        numbers.setdefault(i.patient_id, []).append(Identifier(i.value, i.authority, i.kind))
    last: dict[int, Any] = {}
    for step in Step.select(Step.patient, Step.started_at).where(Step.patient.in_(ids), Step.started_at.is_null(False)):
        last[step.patient_id] = max(step.started_at, last.get(step.patient_id, step.started_at))
    return [
        Patient(
            id=r.id,
            number=r.number,
            demographics=demographics_of(r),
            identifiers=tuple(numbers.get(r.id, ())),
            provisional=r.provisional,
            merged_into=r.merged_into_id,
            ward=r.ward,
            last_exam_at=last.get(r.id),
            deceased_on=r.deceased_on,
        )
        for r in rows
    ]


def patient_of(row: Any) -> Patient:
    return patients_of([row])[0]


def current(patient_id: int) -> Any | None:
    """The row of a patient, following merges to the survivor."""
    row = find(Row, id=patient_id)
    while row is not None and row.merged_into_id is not None:
        row = find(Row, id=row.merged_into_id)
    return row


def bearers(value: str, authority: str = "") -> list[Any]:
    """The patients who bear or bore a number, after merges; without an authority whoever issued it."""
    sql = "SELECT DISTINCT patient_id FROM patient_identifier WHERE value = ?"
    values = (value, authority) if authority else (value,)
    found = database.execute_sql(sql + (" AND authority = ?" if authority else ""), values).fetchall()
    owners = {row.id: row for (bearer,) in found if (row := current(bearer)) is not None}
    return list(owners.values())


def by_identifier(value: str, authority: str = "") -> Any | None:
    """The patient who bears a number; without an authority only when one patient bears it."""
    owners = bearers(value, authority)
    return owners[0] if len(owners) == 1 else None
