"""The rows of a received image: study, series, instance, counters, and what its arrival does to the exam.

The hot path of ingest: plain SQL spelled once, inside one act.
"""

from __future__ import annotations

from typing import Any

from core.archive.store import StoredFile
from core.clock import stamp
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Series, Study
from core.index.writer import Unit
from core.model.names import search_key
from core.model.people import Actor, Role
from core.model.received import Arrival, ReceivedHeader, Stored, StoreOutcome
from core.model.step import Flag, ReportStatus, StepEvent, StepStatus
from core.model.study import Match
from core.services.doubts import ask_whose, note_other_identity
from core.services.kit import Kit
from core.services.matching import Place, find_place
from core.services.patient_acts import shown_identity
from core.services.steps import advance, flag, step_row
from core.services.tasks import ask

BULK = frozenset({"CT", "MR", "PT", "US", "XA", "RF", "NM"})
DONE_THOUGH_CANCELED = "done_though_canceled"
WAITING = (StepStatus.REQUESTED, StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.NO_SHOW)


LOOK_UP = (
    "SELECT r.id, s.id, s.step_id, s.match, s.modalities, p.status, p.report_status, s.sent_name, s.sent_birth_date, "
    "s.sent_sex, s.sent_issuer, s.also_sent FROM study s LEFT JOIN step p ON p.id = s.step_id "
    "LEFT JOIN series r ON r.study_id = s.id AND r.series_instance_uid = ? "
    "WHERE s.study_instance_uid = ? AND s.sent_id = ?"
)
INSERT_INSTANCE = (
    "INSERT INTO instance (key, series_id, sop_instance_uid, sop_class_uid, transfer_syntax, number, rows, "
    "columns, frames, image_type, content_date, content_time, created_date, created_time, path, size, sha256, "
    "incomplete, charset_suspect, lane, calling_ae, address, received_at)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (sop_instance_uid) DO NOTHING"
)


def insert_image(
    unit: Unit, kit: Kit, actor: Actor, arrival: Arrival, header: ReceivedHeader, stored: StoredFile
) -> StoreOutcome | None:
    """Study, series and instance rows and what the first image does to the exam; None when the UID has a row already.

    The counters of study and series follow by trigger.
    """
    row = unit.sql(LOOK_UP, (header.series_instance_uid, header.study_instance_uid, header.patient_id)).fetchone()
    series_id = row[0] if row else None
    if series_id is None:
        if unit.sql("SELECT 1 FROM instance WHERE sop_instance_uid = ?", (header.sop_instance_uid,)).fetchone():
            return None
        row = row or (None, *_new_study(unit, kit, actor, arrival, header, stored))
        series_id = _new_series(row[1], header)
    _, study_id, step_id, match, modalities, status, report, name, birth_date, sex, issuer, also_sent = row
    written = unit.sql(
        INSERT_INSTANCE,
        (
            stored.key,
            series_id,
            header.sop_instance_uid,
            arrival.sop_class_uid,
            arrival.transfer_syntax,
            header.instance_number,
            header.rows,
            header.columns,
            max(header.number_of_frames or 1, 1),
            header.image_type,
            header.content_date,
            header.content_time,
            header.created_date,
            header.created_time,
            stored.path,
            stored.size,
            stored.sha256,
            header.incomplete,
            header.charset_suspect,
            "bulk" if header.modality in BULK else "small",
            arrival.sender.ae_title,
            arrival.sender.address,
            stamp(unit.now),
        ),
    )
    if not written.rowcount:
        return None
    said = (header.patient_name, header.patient_birth_date, header.patient_sex, header.issuer_of_patient_id)
    spelled_otherwise = said != (name, birth_date, sex, issuer) or bool(header.conflicting)
    if spelled_otherwise and note_other_identity(unit, actor, study_id, header, also_sent):
        match = str(Match.UNRECONCILED)
    if header.modality and f'"{header.modality}"' not in modalities:
        _add_modality(study_id, header.modality)
    if header.incomplete:
        Study.update(incomplete=True).where(Study.id == study_id).execute()
    unit.audit(actor, "store", f"instance:{stored.key}", study=study_id)
    unit.event(f"study:{study_id}", study_id)
    if step_id is not None:
        _image_of(unit, actor, step_id, status, report, header)
    return StoreOutcome(
        Stored.ARCHIVED, study_id=study_id, step_id=step_id, unreconciled=match == str(Match.UNRECONCILED)
    )


def _image_of(unit: Unit, actor: Actor, step_id: int, status: str, report: str, header: ReceivedHeader) -> None:
    """What an image does to its exam: the first one starts it, a late one is flagged."""
    unit.event(f"step:{step_id}", step_id)
    if status in WAITING:
        row = step_row(step_id)
        flags = set(row.flags)
        if status in (StepStatus.REQUESTED, StepStatus.NO_SHOW):
            flags.add(str(Flag.NO_APPOINTMENT))
        advance(
            unit,
            actor,
            row,
            StepEvent.ACQUISITION_STARTED,
            source_key=header.sop_instance_uid,
            started_at=unit.now,
            flags=tuple(sorted(flags)),
        )
    elif status == StepStatus.CANCELED:
        done_though_canceled(unit, step_row(step_id))
    elif report == ReportStatus.SIGNED:
        flag(unit, step_row(step_id), Flag.LATE_IMAGES)
    if header.incomplete:
        flag(unit, step_row(step_id), Flag.INCOMPLETE)


def _new_study(
    unit: Unit, kit: Kit, actor: Actor, arrival: Arrival, header: ReceivedHeader, stored: StoredFile
) -> tuple[Any, ...]:
    place = find_place(unit, kit, actor, header, arrival.sender)
    whose = shown_identity(place.patient) if place.patient is not None else _sent_identity(header)
    study = insert(
        Study,
        study_instance_uid=header.study_instance_uid,
        sent_id=header.patient_id,
        sent_issuer=header.issuer_of_patient_id,
        sent_name=header.patient_name,
        sent_birth_date=header.patient_birth_date,
        sent_sex=header.patient_sex,
        sent_age=header.patient_age,
        sent_weight=header.patient_weight,
        patient=place.patient.id if place.patient else None,
        step=place.step.id if place.step else None,
        suspect_step_id=place.suspect.id if place.suspect else None,
        match=str(place.match),
        why=place.why,
        folder=stored.path.rpartition("/")[0],
        accession_number=header.accession_number,
        study_id=header.study_id,
        study_date=header.study_date,
        study_time=header.study_time,
        description=header.study_description,
        referring_physician=header.referring_physician,
        referring_key=search_key(header.referring_physician),
        institution=header.institution,
        modalities=(header.modality,) if header.modality else (),
        device=arrival.sender.ae_title,
        received_at=unit.now,
        **whose,
    )
    _tell_new_study(unit, actor, study, place)
    step = place.step
    return (
        study.id,
        step.id if step else None,
        str(place.match),
        f'["{header.modality}"]',
        step.status if step else None,
        step.report_status if step else None,
        *(header.patient_name, header.patient_birth_date, header.patient_sex, header.issuer_of_patient_id, "[]"),
    )


def _sent_identity(header: ReceivedHeader) -> dict[str, Any]:
    """As the files say, while nobody knows whose a study is."""
    return {
        "number": header.patient_id,
        "name": header.patient_name,
        "name_key": search_key(header.patient_name),
        "birth_date": header.patient_birth_date,
        "sex": header.patient_sex,
    }


def _new_series(study_id: int, header: ReceivedHeader) -> int:
    row = insert(
        Series,
        study=study_id,
        series_instance_uid=header.series_instance_uid,
        modality=header.modality,
        number=header.series_number,
        description=header.series_description,
        series_date=header.series_date,
        series_time=header.series_time,
        protocol=header.protocol_name,
        body_part=header.body_part,
        laterality=header.laterality,
        station=header.station_name,
    )
    return int(row.id)


def _add_modality(study_id: int, modality: str) -> None:
    study = Study.get_by_id(study_id)
    if modality not in study.modalities:
        Study.update(modalities=sorted({*study.modalities, modality})).where(Study.id == study_id).execute()


def _tell_new_study(unit: Unit, actor: Actor, study: Any, place: Place) -> None:
    if place.match is Match.UNRECONCILED:
        ask_whose(unit, actor, study, place.why)
        if place.suspect is not None:
            flag(unit, place.suspect, Flag.IDENTITY_DOUBTFUL)
    unit.event("studies", study.id)


def done_though_canceled(unit: Unit, row: Any) -> None:
    """Images, or a machine, say that a cancelled exam took place: a person decides what it is."""
    if str(Flag.DONE_THOUGH_CANCELED) in row.flags:
        return
    flag(unit, row, Flag.DONE_THOUGH_CANCELED)
    ask(unit, DONE_THOUGH_CANCELED, Role.RECEPTION, _("Annulé mais réalisé : %s") % row.exam_label, step_id=row.id)
    unit.event("alarm", "canceled")
