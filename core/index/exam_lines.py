"""Exams as lists show them: one join, one page, plain model values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peewee import JOIN, Expression, fn

from core.index.tables import ImagingServiceRequest, Patient, ReportLock, RequestedProcedure, Step, Study
from core.model.birth import Birth, Precision
from core.model.step import DeliveryStatus, ExamState, Flag, ReportStatus, StepStatus
from core.model.worklist import ExamLine


def _base() -> Any:
    images = fn.COALESCE(fn.SUM(Study.instances), 0)
    return (
        Step.select(
            Step,
            Patient.number.alias("patient_number"),
            Patient.family_name,
            Patient.given_names,
            Patient.sex,
            Patient.birth_earliest,
            Patient.birth_latest,
            Patient.birth_precision,
            ImagingServiceRequest.accession_number,
            ImagingServiceRequest.prescriber,
            ImagingServiceRequest.indication,
            ImagingServiceRequest.requested_at,
            ReportLock.owner.alias("lock_owner"),
            images.alias("images"),
            fn.GROUP_CONCAT(Study.id).alias("study_ids"),
            fn.MAX(Study.last_image_at).alias("last_image_at"),
            fn.MAX(Study.match == "unreconciled").alias("doubtful"),
        )
        .join(Patient, on=(Step.patient == Patient.id))
        .switch(Step)
        .join(RequestedProcedure, on=(Step.procedure == RequestedProcedure.id))
        .join(ImagingServiceRequest, on=(RequestedProcedure.request == ImagingServiceRequest.id))
        .switch(Step)
        .join(ReportLock, JOIN.LEFT_OUTER, on=(ReportLock.step == Step.id))
        .switch(Step)
        .join(Study, JOIN.LEFT_OUTER, on=(Study.step == Step.id))
        .group_by(Step.id)
    )


def exam_lines(where: Expression, order: Iterable[Any], limit: int = 500, offset: int = 0) -> list[ExamLine]:
    """The exams of a condition, in order; the page is chosen before anything is joined."""
    order = tuple(order)
    page = (
        Step.select(Step.id)
        .join(Patient, on=(Step.patient == Patient.id))
        .where(where)
        .order_by(*order)
        .limit(limit)
        .offset(offset)
    )
    chosen: Any = page.tuples()
    ids = [row[0] for row in chosen]
    rows: list[dict[str, Any]] = list(_base().where(Step.id.in_(ids)).dicts())
    found = {row["id"]: line_of(row) for row in rows}
    return [found[i] for i in ids if i in found]


def count(where: Expression) -> int:
    total: int = Step.select(Step.id).join(Patient, on=(Step.patient == Patient.id)).where(where).count()
    return total


def exam_line(step_id: int) -> ExamLine | None:
    row: Any = next(iter(_base().where(Step.id == step_id).dicts()), None)
    return line_of(row) if row else None


def line_of(row: dict[str, Any]) -> ExamLine:
    """One joined row as a model value."""
    flags = row["flags"]
    if row["doubtful"] and Flag.IDENTITY_DOUBTFUL not in flags:
        flags = (*flags, str(Flag.IDENTITY_DOUBTFUL))
    return ExamLine(
        step_id=row["id"],
        version=row["version"],
        patient_id=row["patient"],
        patient_number=row["patient_number"],
        family_name=row["family_name"],
        given_names=row["given_names"],
        sex=row["sex"],
        birth=Birth(row["birth_earliest"], row["birth_latest"], Precision(row["birth_precision"])),
        accession_number=row["accession_number"],
        exam_code=row["exam_code"],
        exam_label=row["exam_label"],
        modality=row["modality"],
        room=row["room"],
        state=ExamState(
            StepStatus(row["status"]), ReportStatus(row["report_status"]), DeliveryStatus(row["delivery_status"])
        ),
        flags=tuple(flags),
        scheduled_at=row["scheduled_at"],
        requested_at=row["requested_at"],
        arrived_at=row["arrived_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        urgency=row["urgency"],
        prescriber=row["prescriber"],
        ward=row["ward"],
        indication=row["indication"],
        weight_kg=row["weight_kg"],
        images=row["images"],
        expected_images=row["expected_images"],
        study_ids=tuple(int(i) for i in str(row["study_ids"]).split(",")) if row["study_ids"] else (),
        last_image_at=Study.last_image_at.python_value(row["last_image_at"])
        if isinstance(row["last_image_at"], str)
        else row["last_image_at"],
        awaiting_vetting=row["vetting"] == "WAITING",
        report_author=row["lock_owner"] or "",
        dose=row["dose"],
        exam_day=row["day"],
    )
