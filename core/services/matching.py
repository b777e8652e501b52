"""Which exam an incoming study belongs to: Study UID, then accession, then patient and step and day; else nobody's.

Runs inside an act. Source of the order and of the outcomes: the identity rules of ingest (nothing is refused for its
identity; a doubt is archived under the overlay).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.i18n import _
from core.index.patient_rows import by_identifier, current, demographics_of
from core.index.rows import find
from core.index.tables import Device, database
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
from core.services.steps import step_row


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
    elsewhere = database.execute_sql(
        "SELECT sent_id FROM study WHERE study_instance_uid = ? AND sent_id <> ? LIMIT 1",
        (header.study_instance_uid, header.patient_id),
    ).fetchone()
    if elsewhere is not None:
        return Place(Match.UNRECONCILED, None, None, _("même étude déjà reçue sous le numéro %s") % elsewhere[0])
    if header.conflicting:
        return Place(Match.UNRECONCILED, None, None, incoherence(header))
    step = step_of(header)
    if step is not None:
        return _on_step(kit, header, step)
    doubt = incoherence(header)
    if doubt or not sender.known:
        return Place(Match.UNRECONCILED, None, None, doubt or _stranger(sender))
    return _unscheduled(unit, kit, actor, header, sender)


def _stranger(sender: Sender) -> str:
    if sender.found_again:
        return _("image retrouvée sur le disque, machine à vérifier : %s") % (sender.ae_title or "-")
    return _("machine inconnue : %s") % sender.ae_title


def step_of(header: ReceivedHeader) -> Any | None:
    """The exam that the identifiers of the object name, whatever its patient says."""
    if step := _best("r.study_instance_uid = ?", (header.study_instance_uid,), header):
        return step
    accession = header.accession_number.strip()
    if accession and (
        step := _best("q.accession_number = ? OR q.foreign_accession = ?", (accession, accession), header)
    ):
        return step
    if header.step_id and header.patient_id:
        bearer = "s.patient_id IN (SELECT patient_id FROM patient_identifier WHERE value = ?)"
        step = _best(f"s.scheduled_step_id = ? AND {bearer}", (header.step_id, header.patient_id), header)
        if step is not None and header.study_date in ("", f"{step.day:%Y%m%d}"):
            return step
    return None


_STEPS = (
    "SELECT s.id, s.status, s.modality, s.scheduled_step_id FROM step s "
    "JOIN requested_procedure r ON r.id = s.procedure_id JOIN imaging_service_request q ON q.id = r.request_id WHERE "
)


def _best(condition: str, values: tuple[str, ...], header: ReceivedHeader) -> Any | None:
    """Of several steps, the one of this modality that still waits; cancelled ones last. `condition` is our own SQL."""
    found = database.execute_sql(_STEPS + condition, values).fetchall()
    if not found:
        return None
    gone = (str(StepStatus.CANCELED), str(StepStatus.NO_SHOW))
    best = min(found, key=lambda s: (s[1] in gone, s[2] != header.modality, s[3] != header.step_id, s[0]))
    return step_row(best[0])


def _on_step(kit: Kit, header: ReceivedHeader, step: Any) -> Place:
    """The named exam, if the identity sent is that of its patient."""
    patient = current(step.patient_id)
    assert patient is not None
    if why := disagreement(kit, header, patient):
        return Place(Match.UNRECONCILED, None, None, why, step)
    return Place(Match.MATCHED, patient, step)


def disagreement(kit: Kit, header: ReceivedHeader, patient: Any) -> str:
    """Why what was sent is not of this patient, in French; "" when the number is theirs and nothing contradicts."""
    bearer = by_identifier(header.patient_id) or by_identifier(header.patient_id, kit.config.site.authority)
    if bearer is None or bearer.id != patient.id:
        sentence = _("numéro de patient « %s » différent de celui de la demande (%s)")
        return sentence % (header.patient_id, patient.number)
    return contradiction(header, demographics_of(patient))


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
    device = find(Device, key=ae_key(sender.ae_title))
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
