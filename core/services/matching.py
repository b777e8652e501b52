"""Where an incoming study hangs: on the exam that it names, on one « hors demande » of its own, or under the overlay.

Runs inside an act. Source of the order and of the outcomes: the identity rules of ingest (nothing is refused for its
identity; a doubt is archived under the overlay).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.i18n import _
from core.index.patient_rows import current, demographics_of
from core.index.rows import find, insert
from core.index.tables import Device, PatientIdentifier, database
from core.index.writer import Unit
from core.model.device import ae_key
from core.model.identifiers import UNVERIFIED
from core.model.order import Exam
from core.model.people import Actor
from core.model.received import ReceivedHeader, Sender
from core.model.reconciliation import contradiction, demographics_sent, incoherence, unlikeness
from core.model.step import Flag, StepEvent
from core.model.study import Match
from core.services.kit import Kit
from core.services.naming import bearer_of, named_step
from core.services.orders import create_request, create_step
from core.services.patient_acts import create_patient


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new study hangs. patient and step are rows, or None under the overlay.

    suspect: the exam that the object named although its identity is another's.
    """

    match: Match
    patient: Any | None
    step: Any | None
    why: str = ""
    suspect: Any | None = None


def find_place(unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader, sender: Sender) -> Place:
    """The place of the first object of a study (of one patient as sent)."""
    if elsewhere := _other_number(kit, header):
        return Place(Match.UNRECONCILED, None, None, _("même étude déjà reçue sous le numéro %s") % elsewhere)
    if header.conflicting:
        return Place(Match.UNRECONCILED, None, None, incoherence(header))
    step, proposed = named_step(kit, header, sender.ae_title)
    if step is not None:
        return _on_step(kit, header, step)
    doubt = incoherence(header)
    if doubt or not sender.known:
        return Place(Match.UNRECONCILED, None, None, doubt or _stranger(sender))
    device = find(Device, key=ae_key(sender.ae_title))
    if device is not None and device.role == "archive":
        return _prior(unit, kit, actor, header)
    return _unscheduled(unit, kit, actor, header, sender, device, proposed)


def _other_number(kit: Kit, header: ReceivedHeader) -> str:
    """The number of another patient under whom images of this study came; two numbers of one child are one child."""
    rows = database.execute_sql(
        "SELECT sent_id, patient_id FROM study WHERE study_instance_uid = ? AND sent_id <> ?",
        (header.study_instance_uid, header.patient_id),
    ).fetchall()
    if not rows:
        return ""
    bearer = bearer_of(kit, header)
    return next((str(sent) for sent, patient in rows if bearer is None or patient != bearer.id), "")


def _stranger(sender: Sender) -> str:
    if sender.found_again:
        return _("image retrouvée sur le disque, machine à vérifier : %s") % (sender.ae_title or "-")
    return _("machine inconnue : %s") % sender.ae_title


def _on_step(kit: Kit, header: ReceivedHeader, step: Any) -> Place:
    """The named exam, if the identity sent is that of its patient. One « hors demande » stays to be attached."""
    patient = current(step.patient_id)
    assert patient is not None
    if why := disagreement(kit, header, patient):
        return Place(Match.UNRECONCILED, None, None, why, step)
    match = Match.UNSCHEDULED if str(Flag.UNSCHEDULED) in step.flags else Match.MATCHED
    return Place(match, patient, step)


def disagreement(kit: Kit, header: ReceivedHeader, patient: Any) -> str:
    """Why what was sent is not of this patient, in French; "" when the number is theirs and nothing contradicts."""
    bearer = bearer_of(kit, header)
    if bearer is None or bearer.id != patient.id:
        sentence = _("numéro de patient « %s » différent de celui de la demande (%s)")
        return sentence % (header.patient_id, patient.number)
    return contradiction(header, demographics_of(patient))


def _prior(unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader) -> Place:
    """What another archive sends was read there: it hangs on its patient and makes no exam here."""
    patient, why = _patient_of(unit, kit, actor, header)
    return Place(Match.UNRECONCILED, None, None, why) if patient is None else Place(Match.PRIOR, patient, None)


def _patient_of(unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader) -> tuple[Any | None, str]:
    """The patient of this number, or a provisional one; None and why when what was sent contradicts the known one."""
    known = bearer_of(kit, header)
    if known is not None:
        why = unlikeness(header, demographics_of(known))
        return (None, why) if why else (current(known.id), "")
    return _provisional(unit, kit, actor, header), ""


def _unscheduled(
    unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader, sender: Sender, device: Any | None, proposed: str
) -> Place:
    """An exam « hors demande » (T23), of a patient we know by number and name, or of a provisional one."""
    patient, why = _patient_of(unit, kit, actor, header)
    if patient is None:
        return Place(Match.UNRECONCILED, None, None, why)
    label = header.study_description or header.protocol_name or header.modality
    request = create_request(
        unit,
        kit,
        patient,
        source="images",
        sender=sender.ae_title,
        foreign_accession=header.accession_number,
        sent_number=header.patient_id,
        sent_authority=header.issuer_of_patient_id,
    )
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
    return Place(Match.UNSCHEDULED, patient, step, proposed)


def _provisional(unit: Unit, kit: Kit, actor: Actor, header: ReceivedHeader) -> Any:
    """A child that only a machine knows. A number of another issuer is never the house's own: that one is ours."""
    issuer = header.issuer_of_patient_id
    ours = issuer in ("", kit.config.site.authority)
    patient = create_patient(
        unit,
        kit,
        actor,
        demographics_sent(header),
        number=header.patient_id if ours else "",
        kind=UNVERIFIED if ours else "PI",
        provisional=True,
        reason="images",
    )
    if not ours:
        insert(PatientIdentifier, patient=patient.id, value=header.patient_id, authority=issuer, kind=UNVERIFIED)
    return patient
