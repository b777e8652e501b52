"""An archive of rows without files: patients, studies, series and images enough for every question."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from core.index.rows import insert
from core.index.tables import Instance, Patient, PatientIdentifier, Series, Study
from core.index.writer import Unit
from core.model.names import fold, phonetic_key, search_key

FAMILIES = ("OUÉDRAOGO", "OUEDRA", "DIALLO", "KABORÉ", "N'DIAYE", "SAVADOGO-KABORE")
GIVEN = ("Aïssata", "Awa", "Idrissa", "Awa Marie", "")
WHOLE = ("Yamada^Tarou=山田^太郎", "=MARTIN^Jean", "山田^太郎", "DIALLO", "")
MODALITIES = ("CT", "US", "SR", "MR")


@dataclass
class Image:
    """One image with everything above it, as an answer shows it: attribute name to text."""

    patient: int | None
    overlay: bool
    sent_accession: str
    old_numbers: tuple[tuple[str, str], ...]  # with their issuers
    values: dict[str, str] = field(default_factory=dict)


class Images(list[Image]):
    def __repr__(self) -> str:
        return f"{len(self)} images"


def fill(unit: Unit, studies: int = 70, seed: int = 7) -> Images:
    """Rows of an archive; every image of it, newest study first."""
    choose = random.Random(seed)
    patients = [_patient(unit, choose, number) for number in range(studies // 3)]
    merged = _merge(unit, choose, patients)
    found = [image for number in range(studies) for image in _study(unit, choose, number, patients, merged)]
    return _with_counts(found)


def _patient(unit: Unit, choose: random.Random, number: int) -> Any:
    family, given = choose.choice(FAMILIES), choose.choice(GIVEN)
    row = insert(
        Patient, number=f"CDG{number // 2:03}{number % 2}", family_name=family, given_names=given,
        name_key=fold(f"{family} {given}"), sound_key=phonetic_key(f"{family} {given}"),
        sex=choose.choice("FM"), created_at=unit.now,
    )  # fmt: skip
    insert(PatientIdentifier, patient=row.id, value=row.number, authority=choose.choice(("CHUP", "CMA")))
    return row


def _issuer(patient: Any) -> str:
    return str(PatientIdentifier.get(PatientIdentifier.patient == patient.id).authority)


def _merge(unit: Unit, choose: random.Random, patients: list[Any]) -> dict[int, list[Any]]:
    """Some patients were two: what hung on the second hangs on the first. Survivor id to the rows merged into it."""
    merged: dict[int, list[Any]] = {}
    for prior in patients[len(patients) * 3 // 4 :]:
        survivor = choose.choice(patients[: len(patients) // 2])
        Patient.update(merged_into=survivor.id).where(Patient.id == prior.id).execute()
        merged.setdefault(survivor.id, []).append(prior)
    return merged


def _study(
    unit: Unit, choose: random.Random, number: int, patients: list[Any], merged: dict[int, list[Any]]
) -> list[Image]:
    patient = choose.choice(patients[: len(patients) * 3 // 4]) if choose.random() < 0.8 else None
    name = f"{patient.family_name}^{patient.given_names}".rstrip("^") if patient else choose.choice(WHOLE)
    physician = choose.choice(("ZONGO^Paul", "Sawadogo^Éric", ""))
    sent = f"CDG{choose.randrange(20):04}"
    modalities = sorted(set(choose.choices(MODALITIES, k=choose.choice((1, 1, 2)))))
    columns: dict[str, Any] = {
        "study_instance_uid": f"1.2.{number}",
        "sent_id": sent,
        "sent_issuer": "" if patient else choose.choice(("", "CHUP")),
        "patient": patient.id if patient else None,
        "match": "unscheduled" if patient else "unreconciled",
        "folder": "f",
        "accession_number": choose.choice((f"26-{number // 2:04}", "")),
        "study_id": str(number % 5),
        "study_date": choose.choice(("", *(f"2026{month:02}{day:02}" for month in (1, 2) for day in (1, 15, 28)))),
        "study_time": choose.choice(("", "08", "0830", "083000.5", "170000")),
        "description": choose.choice(("TDM CRANE", "TDM CRÂNE", "ECHO [ABDO] 100%", "")),
        "referring_physician": physician,
        "referring_key": search_key(physician),
        "institution": choose.choice(("CHU", "CMA")),
        "modalities": tuple(modalities),
        "number": patient.number if patient else sent,
        "name": name,
        "name_key": patient.name_key if patient else search_key(name),
        "birth_date": choose.choice(("20190114", "")),
        "sex": patient.sex if patient else "",
        "received_at": unit.now,
    }  # fmt: skip
    study = insert(Study, **columns)
    series = [_series(choose, study.id, number, place, modality) for place, modality in enumerate(modalities)]
    images = [(s, i) for s in series for i in _images(unit, choose, s)]
    Study.update(series=len(series), instances=len(images)).where(Study.id == study.id).execute()
    issuer = columns["sent_issuer"]
    if patient:
        issuer = _issuer(patient)
    base = {
        "patient_name": name,
        "patient_id": columns["number"],
        "issuer_of_patient_id": issuer,
        "patient_birth_date": columns["birth_date"],
        "patient_sex": columns["sex"],
        "study_date": columns["study_date"],
        "study_time": columns["study_time"],
        "accession_number": columns["accession_number"],
        "modalities_in_study": "\\".join(modalities),
        "institution_name": columns["institution"],
        "referring_physician_name": columns["referring_physician"],
        "study_description": columns["description"],
        "study_instance_uid": columns["study_instance_uid"],
        "study_id": columns["study_id"],
        "study_row": str(study.id),
    }
    old = tuple((p.number, _issuer(p)) for p in merged.get(patient.id, ())) if patient else ()
    plain = Image(patient.id if patient else None, patient is None, columns["accession_number"], old, base)
    return [replace(plain, values=base | _shown(s, i)) for s, i in images]


def _series(choose: random.Random, study: int, number: int, place: int, modality: str) -> Any:
    return insert(
        Series, study=study, series_instance_uid=f"1.2.{number}.{place}", modality=modality,
        number=choose.choice((None, place + 1)), description=choose.choice(("AXIAL 5mm", "")),
        body_part=choose.choice(("HEAD", "CHEST")),
    )  # fmt: skip


def _images(unit: Unit, choose: random.Random, series: Any) -> list[Any]:
    made = []
    for place in range(choose.randrange(1, 4)):
        uid = f"{series.series_instance_uid}.{place + 1}"
        made.append(
            insert(
                Instance,
                key=uid,
                series=series.id,
                sop_instance_uid=uid,
                sop_class_uid=choose.choice(("1.9", "1.8")),
                transfer_syntax="1.2.840.10008.1.2.1",
                number=place + 1,
                rows=512,
                columns=512,
                path=uid,
                size=1,
                image_type=choose.choice(("ORIGINAL\\PRIMARY", "DERIVED\\SECONDARY")),
                sha256="",
                received_at=unit.now,
            )
        )
    Series.update(instances=len(made)).where(Series.id == series.id).execute()
    return made


def _shown(series: Any, image: Any) -> dict[str, str]:
    return {
        "modality": series.modality,
        "series_instance_uid": series.series_instance_uid,
        "series_number": "" if series.number is None else str(series.number),
        "series_description": series.description,
        "body_part_examined": series.body_part,
        "sop_instance_uid": image.sop_instance_uid,
        "sop_class_uid": image.sop_class_uid,
        "instance_number": str(image.number),
        "image_type": image.image_type,
    }


def _with_counts(images: list[Image]) -> Images:
    for image in images:
        values = image.values
        of_study = [i.values for i in images if i.values["study_row"] == values["study_row"]]
        values["number_of_study_related_series"] = str(len({v["series_instance_uid"] for v in of_study}))
        values["number_of_study_related_instances"] = str(len(of_study))
        values["number_of_series_related_instances"] = str(
            sum(v["series_instance_uid"] == values["series_instance_uid"] for v in of_study)
        )
        values["sop_classes_in_study"] = "\\".join(sorted({v["sop_class_uid"] for v in of_study}))
    return Images(sorted(images, key=lambda i: (i.values["study_date"], int(i.values["study_row"])), reverse=True))
