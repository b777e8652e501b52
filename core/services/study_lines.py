"""Study, series and instance rows as model values."""

from __future__ import annotations

from typing import Any

from core.archive.store import Archive
from core.model.study import InstanceLine, Match, SeriesLine, StudyLine


def study_line(row: Any) -> StudyLine:
    return StudyLine(
        id=row.id,
        study_instance_uid=row.study_instance_uid,
        match=Match(row.match),
        why=row.why,
        patient_id=row.patient_id,
        step_id=row.step_id,
        patient_number=row.number,
        patient_name=row.name,
        patient_birth_date=row.birth_date,
        patient_sex=row.sex,
        as_sent_number=row.sent_id,
        as_sent_name=row.sent_name,
        as_sent_birth_date=row.sent_birth_date,
        as_sent_sex=row.sent_sex,
        accession_number=row.accession_number,
        study_date=row.study_date,
        study_time=row.study_time,
        study_description=row.description,
        referring_physician=row.referring_physician,
        modalities=tuple(row.modalities),
        series=row.series,
        instances=row.instances,
        received_at=row.received_at,
        last_image_at=row.last_image_at or row.received_at,
        device=row.device,
        incomplete=row.incomplete,
        study_id=row.study_id,
        committed=row.committed,
    )


def series_line(row: Any) -> SeriesLine:
    return SeriesLine(
        row.id, row.series_instance_uid, row.modality, row.number, row.description, row.body_part, row.instances
    )


def instance_line(row: Any, archive: Archive) -> InstanceLine:
    return InstanceLine(
        id=row.id,
        key=row.key,
        series_id=row.series_id,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax=row.transfer_syntax,
        number=row.number,
        rows=row.rows,
        columns=row.columns,
        frames=row.frames,
        size=row.size,
        sha256=row.sha256,
        path=str(archive.absolute(row.path)),
        incomplete=row.incomplete,
        damaged=row.damaged_at is not None,
    )
