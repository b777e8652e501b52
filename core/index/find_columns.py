"""The columns of a search as SQL expressions: the study row is `s`, the series `r`, the image `i`.

What an answer says of a patient is the current identity; the exam's accession number goes before the one that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.model.finding import Level

_ORDER_OF: Final = (
    "(SELECT q.accession_number FROM step x JOIN requested_procedure p ON p.id = x.procedure_id "
    "JOIN imaging_service_request q ON q.id = p.request_id WHERE x.id = s.step_id)"
)
_SAME_PATIENT: Final = (
    "FROM study t WHERE t.instances > 0 AND ((s.patient_id IS NOT NULL AND t.patient_id = s.patient_id) OR "
    "(s.patient_id IS NULL AND t.number = s.number AND t.patient_id IS NULL "
    "AND t.name = s.name AND t.birth_date = s.birth_date AND t.sex = s.sex))"
)
_SERIES_OF: Final = "FROM series y JOIN instance z ON z.series_id = y.id WHERE y.study_id = s.id"
EXPRESSIONS: Final[Mapping[str, str]] = {
    "patient_name": "s.name",
    "patient_id": "s.number",
    "issuer_of_patient_id": "CASE WHEN s.patient_id IS NULL THEN s.sent_issuer ELSE coalesce((SELECT h.authority FROM "
    "patient_identifier h WHERE h.patient_id = s.patient_id AND h.value = s.number), '') END",
    "patient_birth_date": "s.birth_date",
    "patient_sex": "s.sex",
    "number_of_patient_related_studies": f"(SELECT count(DISTINCT t.study_instance_uid) {_SAME_PATIENT})",
    "number_of_patient_related_series": f"(SELECT sum(t.series) {_SAME_PATIENT})",
    "number_of_patient_related_instances": f"(SELECT sum(t.instances) {_SAME_PATIENT})",
    "study_date": "s.study_date",
    "study_time": "s.study_time",
    "accession_number": f"CASE WHEN s.match = 'matched' OR s.accession_number = '' THEN "
    f"coalesce({_ORDER_OF}, s.accession_number) ELSE s.accession_number END",
    "modalities_in_study": """replace(trim(s.modalities, '[]"'), '", "', '\\')""",
    "sop_classes_in_study": f"(SELECT replace(group_concat(DISTINCT z.sop_class_uid), ',', '\\') {_SERIES_OF})",
    "institution_name": "s.institution",
    "referring_physician_name": "s.referring_physician",
    "study_description": "s.description",
    "patient_age": "s.sent_age",
    "patient_weight": "coalesce(printf('%g', s.sent_weight), '')",
    "study_instance_uid": "s.study_instance_uid",
    "study_id": "s.study_id",
    "number_of_study_related_series": "s.series",
    "number_of_study_related_instances": "s.instances",
    "procedure_code": "coalesce((SELECT x.exam_code FROM step x WHERE x.id = s.step_id), '')",
    "procedure_meaning": "coalesce((SELECT x.exam_label FROM step x WHERE x.id = s.step_id), '')",
    "series_date": "r.series_date",
    "series_time": "r.series_time",
    "modality": "r.modality",
    "station_name": "r.station",
    "series_description": "r.description",
    "body_part_examined": "r.body_part",
    "protocol_name": "r.protocol",
    "series_instance_uid": "r.series_instance_uid",
    "series_number": "r.number",
    "laterality": "r.laterality",
    "number_of_series_related_instances": "r.instances",
    "requested_procedure_id": "coalesce((SELECT p.procedure_id FROM step x JOIN requested_procedure p "
    "ON p.id = x.procedure_id WHERE x.id = s.step_id), '')",
    "scheduled_procedure_step_id": "coalesce((SELECT x.scheduled_step_id FROM step x WHERE x.id = s.step_id), '')",
    "image_type": "i.image_type",
    "instance_creation_date": "i.created_date",
    "instance_creation_time": "i.created_time",
    "sop_class_uid": "i.sop_class_uid",
    "sop_instance_uid": "i.sop_instance_uid",
    "content_date": "i.content_date",
    "content_time": "i.content_time",
    "instance_number": "i.number",
    "number_of_frames": "i.frames",
    "rows": "i.rows",
    "columns": "i.columns",
    "available_transfer_syntax_uid": "i.transfer_syntax",
    "instance_availability": "CASE WHEN i.damaged_at IS NULL THEN 'ONLINE' ELSE 'UNAVAILABLE' END",
}
FROM: Final = {
    Level.PATIENT: "study s",
    Level.STUDY: "study s",
    Level.SERIES: "study s JOIN series r ON r.study_id = s.id AND r.instances > 0",
    Level.IMAGE: "study s JOIN series r ON r.study_id = s.id JOIN instance i ON i.series_id = r.id",
}
STORED: Final = frozenset(name for name, sql in EXPRESSIONS.items() if sql[1] == "." and " " not in sql)
"""Attributes that are plain columns."""
