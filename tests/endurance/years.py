"""Years of work in an index, written in bulk: the studies of the benchmark's archive, and the exam of each of them.

Rows go in by plain SQL with every trigger off (the next start makes them again): a bulk load is no news to a copy and
its counters are already right. The last day is today; the newest exams still wait for their report.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.full_archive import fill

WARDS = ("URG", "PED", "CHIR", "NEO", "REA")
READ_WITHIN = 200  # the newest exams still wait for their report
UNRECONCILED_EVERY = 5_000  # one study in so many waits under the overlay

# One exam a study. The newest have no report yet; one in twenty was cancelled years ago and nobody ever closed it.
_EXAMS = """
INSERT INTO imaging_service_request (id, patient_id, accession_number, foreign_accession, placer_number,
    placer_authority, filler_number, source, sender, prescriber, ward, indication, urgency, comment, visit_number,
    sent_number, sent_authority, requested_at)
SELECT id, patient_id, accession_number, '', 'P' || id, 'SIH', accession_number, 'hl7', 'SIH', referring_physician,
    {ward}, 'douleur', 'N', '', '', number, 'CHUP', {moment} FROM study;
INSERT INTO requested_procedure (id, request_id, procedure_id, study_instance_uid, exam_code, exam_label)
SELECT id, id, 'RP' || id, study_instance_uid, 'TDM-CRANE', description FROM study;
INSERT INTO step (id, procedure_id, patient_id, scheduled_step_id, exam_code, exam_label, modality, room, station_ae,
    side, day, scheduled_at, duration_min, arrived_at, started_at, ended_at, due_at, status, report_status,
    delivery_status, vetting, protocol, urgency, ward, flags, dose, dose_source, version)
SELECT id, id, patient_id, 'S' || id, 'TDM-CRANE', description, json_extract(modalities, '$[0]'), 'SC1', 'SCANNER1',
    '', {day}, {moment}, 20, {moment}, {moment}, {moment},
    CASE WHEN {fresh} THEN {moment} END,
    CASE WHEN {fresh} THEN 'COMPLETED' WHEN id % 20 = 0 THEN 'CANCELED' ELSE 'COMPLETED' END,
    CASE WHEN {fresh} THEN 'DUE' WHEN id % 20 = 0 THEN 'NOT_DUE' ELSE 'SIGNED' END,
    CASE WHEN {fresh} OR id % 20 = 0 THEN 'NONE' ELSE 'DELIVERED' END,
    'NOT_NEEDED', '', CASE WHEN id % 50 = 0 THEN 'U' ELSE 'N' END, {ward}, '[]', '', '', 1 FROM study;
UPDATE study SET step_id = id, match = CASE WHEN id % {doubtful} = 0 THEN 'unreconciled' ELSE 'matched' END;
"""


def written(data: Path, studies: int) -> None:
    """`studies` studies in three years up to today, each with its order, its exam and one image."""
    fill(data, studies)
    index = sqlite3.connect(data / "index.sqlite")
    try:
        index.execute("PRAGMA synchronous = 0")
        _until_today(index)
        day = "substr(study_date, 1, 4) || '-' || substr(study_date, 5, 2) || '-' || substr(study_date, 7, 2)"
        wards = " ".join(f"WHEN {n} THEN '{ward}'" for n, ward in enumerate(WARDS))
        index.executescript(
            _EXAMS.format(
                day=day,
                moment=f"({day} || 'T' || printf('%02d:%02d', 7 + id % 12, id % 60) || ':00.000000Z')",
                ward=f"(CASE id % {len(WARDS)} {wards} END)",
                fresh=f"id > {studies - READ_WITHIN}",
                doubtful=UNRECONCILED_EVERY,
            )
        )
        index.commit()
    finally:
        index.close()


def _until_today(index: sqlite3.Connection) -> None:
    """The benchmark's archive ends on a day of its own."""
    (last,) = index.execute("SELECT MAX(study_date) FROM study").fetchone()
    days = (datetime.now(UTC) - datetime.strptime(last, "%Y%m%d").replace(tzinfo=UTC)) // timedelta(days=1)
    parts = "substr(study_date, 1, 4) || '-' || substr(study_date, 5, 2) || '-' || substr(study_date, 7, 2)"
    if days:
        index.execute(f"UPDATE study SET study_date = strftime('%Y%m%d', {parts}, '{days:+d} days')")
