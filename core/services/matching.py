"""Which exam an incoming study belongs to: Study UID, then accession, then patient and step and day; else nobody's.

Runs inside an act. Source of the order and of the outcomes: the identity rules of ingest (nothing is refused for its
identity; a doubt is archived under the overlay).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.i18n import _
from core.index.patient_rows import by_identifier, current, demographics_of
from core.index.tables import (
    Device,
    ImagingServiceRequest,
    Patient,
    PatientIdentifier,
    RequestedProcedure,
    Step,
    Study,
)
from core.index.writer import Unit
from core.model.device import ae_key
from core.model.order import Exam
from core.model.people import Actor
from core.model.received import ReceivedHeader, Sender
from core.model.reconciliation import contradiction, demographics_sent, incoherence
from core.model.step import Flag, StepEvent, StepStatus
from core.model.study import Match
from core.services.kit import Kit
from core.services.orders import create_request, create_step
from core.services.patients import create_patient


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new study hangs. patient and step are rows, or None under the overlay."""

    match: Match
    patient: Any | None
    step: Any | None
    why: str = ""


def find_place(unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader, sender: Sender) -> Place:
    """The place of the first object of a study (of one patient as sent)."""
    elsewhere = (
        Study.select()
        .where(Study.study_instance_uid == header.study_instance_uid, Study.sent_id != header.patient_id)
        .first()
    )
    if elsewhere is not None:
        return Place(Match.UNRECONCILED, None, None, _("même étude déjà reçue sous le numéro %s") % elsewhere.sent_id)
    if header.conflicting:
        return Place(Match.UNRECONCILED, None, None, incoherence(header))
    step = step_of(header)
    if step is not None:
        return _on_step(header, step)
    doubt = incoherence(header)
    if doubt or not sender.known:
        return Place(Match.UNRECONCILED, None, None, doubt or _("machine inconnue : %s") % sender.ae_title)
    return _unscheduled(unit, kit, actor, header, sender)


def step_of(header: ReceivedHeader) -> Any | None:
    """The exam that the identifiers of the object name, whatever its patient says."""
    by_uid = _steps().where(RequestedProcedure.study_instance_uid == header.study_instance_uid)
    if step := _best(by_uid, header):
        return step
    if header.accession_number:
        accession = header.accession_number.strip()
        by_accession = _steps().where(
            (ImagingServiceRequest.accession_number == accession)
            | (ImagingServiceRequest.foreign_accession == accession)
        )
        if step := _best(by_accession, header):
            return step
    if header.step_id and header.patient_id:
        by_step = (
            _steps()
            .join(PatientIdentifier, on=(PatientIdentifier.patient == Step.patient))
            .where(Step.scheduled_step_id == header.step_id, PatientIdentifier.value == header.patient_id)
        )
        day = header.study_date
        if step := _best(by_step, header):
            return step if not day or f"{step.day:%Y%m%d}" == day else None
    return None


def _steps() -> Any:
    return (
        Step.select(Step)
        .join(RequestedProcedure, on=(Step.procedure == RequestedProcedure.id))
        .join(ImagingServiceRequest, on=(RequestedProcedure.request == ImagingServiceRequest.id))
        .switch(Step)
    )


def _best(query: Any, header: ReceivedHeader) -> Any | None:
    """Of several steps, the one of this modality that still waits; cancelled ones last."""
    found = list(query.order_by(Step.id))
    found.sort(
        key=lambda s: (
            s.status in (str(StepStatus.CANCELED), str(StepStatus.NO_SHOW)),
            s.modality != header.modality,
            s.scheduled_step_id != header.step_id,
            s.id,
        )
    )
    return found[0] if found else None


def _on_step(header: ReceivedHeader, step: Any) -> Place:
    """The named exam, if the identity sent is that of its patient."""
    patient = Patient.get_by_id(step.patient_id)
    numbers = {i.value for i in PatientIdentifier.select().where(PatientIdentifier.patient == patient.id)}
    numbers |= {
        i.value
        for i in PatientIdentifier.select()
        .join(Patient, on=(PatientIdentifier.patient == Patient.id))
        .where(Patient.merged_into == patient.id)
    }
    if header.patient_id not in numbers:
        return Place(
            Match.UNRECONCILED,
            None,
            None,
            _("numéro de patient « %s » différent de celui de la demande (%s)") % (header.patient_id, patient.number),
        )
    if why := contradiction(header, demographics_of(patient)):
        return Place(Match.UNRECONCILED, None, None, why)
    return Place(Match.MATCHED, patient, step)


def _unscheduled(unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader, sender: Sender) -> Place:
    """An exam « hors demande » (T23), of a patient we know by number and name, or of a provisional one."""
    authority = header.issuer_of_patient_id or kit.config.site.authority
    known = by_identifier(header.patient_id, authority)
    if known is not None:
        if why := contradiction(header, demographics_of(known)):
            return Place(Match.UNRECONCILED, None, None, why)
        patient = current(known.id)
    else:
        patient = create_patient(
            unit,
            kit,
            actor,
            demographics_sent(header),
            number=header.patient_id,
            authority=authority,
            provisional=True,
            reason="images",
        )
    label = header.study_description or header.protocol_name or header.modality
    request = create_request(
        unit, kit, patient, source="images", sender=sender.ae_title, foreign_accession=header.accession_number
    )
    device = Device.get_or_none(Device.key == ae_key(sender.ae_title))
    exam = Exam(f"HD-{header.modality or 'OT'}", label[:64], header.modality, (device.room,) if device else ())
    step = create_step(
        unit,
        kit,
        actor,
        request,
        patient,
        exam,
        study_instance_uid=header.study_instance_uid,
        event=StepEvent.UNSCHEDULED_IMAGES,
        flags=(Flag.UNSCHEDULED,),
        source_key=header.sop_instance_uid,
        started_at=unit.now,
        scheduled_at=unit.now,
    )
    return Place(Match.UNSCHEDULED, patient, step)
