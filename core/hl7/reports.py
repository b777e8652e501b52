"""The facts of one frozen report, as the result message that says them."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import BadMessage
from core.hl7.results import Result, ResultStatus
from core.i18n import _
from core.model.outbox import Letter, ReportFacts
from core.model.report import VersionState, VersionType


def status_of(facts: ReportFacts) -> ResultStatus:
    """OBR-25 of a version: P, F, C for every signed version after the first, X or W for what was withdrawn."""
    version = facts.version
    if version.state is VersionState.WITHDRAWN:
        return ResultStatus.CANCELLED if version.is_preliminary else ResultStatus.WRONG_PATIENT
    if version.is_preliminary:
        return ResultStatus.PRELIMINARY
    revised = version.type in (VersionType.ADDENDUM, VersionType.CORRECTION) or facts.revision > 1
    return ResultStatus.CORRECTED if revised else ResultStatus.FINAL


def result_of(facts: ReportFacts, control_id: str) -> Result:
    """What is said about a version. control_id: our MSH-10."""
    exam, patient, version = facts.exam, facts.patient, facts.version
    return Result(
        control_id=control_id,
        status=status_of(facts),
        identifiers=facts.identifiers,
        family_name=patient.demographics.family_name,
        given_names=patient.demographics.given_names,
        birth=patient.demographics.birth,
        sex=patient.demographics.sex,
        accession_number=exam.accession_number,
        study_instance_uid=facts.study_instance_uid,
        sections=version.text.sections(),
        reported_at=version.at,
        signer=version.signer or version.author,
        placer_number=facts.placer_number,
        placer_authority=facts.placer_authority,
        filler_number=facts.filler_number,
        requested_procedure_id=facts.requested_procedure_id,
        step_id=facts.scheduled_step_id,
        exam_code=exam.exam_code,
        exam_label=exam.exam_label,
        modality=exam.modality,
        examined_at=exam.started_at,
        prescriber=exam.prescriber,
        visit_number=facts.visit_number,
        patient_class=facts.patient_class,
        ward=exam.ward,
    )


def result_of_letter(letter: Letter, facts: Callable[[Letter], ReportFacts]) -> Result:
    """Raises `BadMessage` for a kind of letter that is no result."""
    if letter.kind != "oru":
        raise BadMessage(_("Message sortant de type inconnu : %s") % letter.kind, "unknown-kind")
    return result_of(facts(letter), letter.control_id)
