"""Messages that leave: durable rows, strict order for each patient, refusals and dead letters for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.errors import BadInput, NotFound
from core.i18n import _
from core.index.exam_lines import exam_line
from core.index.patient_rows import current, patient_of
from core.index.tables import ImagingServiceRequest, Outbox, ReportVersion, RequestedProcedure, Step, Visit
from core.index.writer import Unit
from core.model.device import Destination
from core.model.outbox import Letter, LetterLine, ReportFacts
from core.model.people import Actor, Role
from core.services.access import require
from core.services.delivery import of_outbox
from core.services.devices import Devices
from core.services.kit import Kit
from core.services.report_rows import version_of

WAITING = ("QUEUED", "SENT")


class OutboxService:
    """Verbs of whoever drains the outbox, and of the administrator over dead letters."""

    def __init__(self, kit: Kit, devices: Devices) -> None:
        self._kit = kit
        self._devices = devices

    def destinations(self) -> Sequence[Destination]:
        return [d for d in self._devices.destinations() if d.active]

    def resume(self) -> None:
        """At start: what was sent and not answered goes again; the receiver knows it by its MSH-10."""
        self._kit.index.writer.do(lambda unit: Outbox.update(state="QUEUED").where(Outbox.state == "SENT").execute())

    def due(self, destination: str, now: datetime) -> Letter | None:
        """The oldest letter that heads its lane and whose time has come. A dead letter blocks only its own lane.

        One thread drains a destination: a letter that it finds SENT got an answer that could not be written down.
        """
        waiting: Any = (
            Outbox.select(Outbox.id, Outbox.lane, Outbox.state, Outbox.next_at)
            .where(Outbox.destination == destination, Outbox.state.in_([*WAITING, "DEAD"]))
            .order_by(Outbox.id)
            .tuples()
        )
        heads: set[str] = set()
        for letter_id, lane, state, next_at in waiting:
            if lane in heads:
                continue
            heads.add(lane)
            if state in WAITING and next_at <= now:
                return _letter(Outbox.get_by_id(letter_id))
        return None

    def sending(self, letter: Letter, payload: bytes) -> None:
        self._set(letter, state="SENT", payload=payload, attempts=letter.attempts + 1)

    def accepted(self, letter: Letter, answer: str) -> None:
        """AA: the delivery of its report is done at this destination."""
        self._settle(letter, "ACCEPTED", answer, "ACCEPTED")

    def retry(self, letter: Letter, at: datetime, refused: bool, answer: str) -> None:
        """Waits again until `at`. refused: by the receiver (AE), not by the link."""
        refusals = letter.refusals + (1 if refused else 0)
        self._set(letter, state="QUEUED", next_at=at, refusals=refusals, answer=answer)

    def dead(self, letter: Letter, answer: str) -> None:
        """The receiver will not have it: a person must look. The exam shows « échec d'envoi »."""
        self._settle(letter, "DEAD", answer, "DEAD")

    def facts(self, letter: Letter) -> ReportFacts:
        """Everything a result message says. Raises `NotFound`."""
        version = ReportVersion.get_or_none(ReportVersion.id == letter.subject)
        if version is None:
            raise NotFound(_("Ce compte rendu n'existe pas."))
        return report_facts(version)

    # Dead letters

    def letters(self, actor: Actor, limit: int = 100) -> list[LetterLine]:
        require(actor, Role.ADMINISTRATOR)
        rows = Outbox.select().order_by(Outbox.id.desc()).limit(limit)
        return [
            LetterLine(
                r.id, r.kind, r.destination, r.control_id, r.state, r.attempts, r.answer, r.created_at, r.next_at
            )
            for r in rows
        ]

    def replay(self, actor: Actor, letter_id: int, reason: str) -> None:
        """Send a dead letter again, written anew."""
        self._person(actor, letter_id, reason, "QUEUED", "QUEUED")

    def abandon(self, actor: Actor, letter_id: int, reason: str) -> None:
        """Nobody will send this any more."""
        self._person(actor, letter_id, reason, "ABANDONED", "ABANDONED")

    def _person(self, actor: Actor, letter_id: int, reason: str, state: str, delivery: str) -> None:
        require(actor, Role.ADMINISTRATOR)
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            row = Outbox.get_or_none(Outbox.id == letter_id, Outbox.state == "DEAD")
            if row is None:
                raise NotFound(_("Aucun message mort de ce numéro."))
            Outbox.update(state=state, payload=None, refusals=0, next_at=unit.now).where(
                Outbox.id == letter_id
            ).execute()
            of_outbox(unit, actor, row, delivery)
            unit.audit(actor, f"letter_{state.lower()}", f"outbox:{letter_id}", reason=reason)
            unit.event("outbox", row.destination)

        self._kit.act(actor, "letter", act)

    def _set(self, letter: Letter, **columns: Any) -> None:
        self._kit.index.writer.do(lambda unit: Outbox.update(**columns).where(Outbox.id == letter.id).execute())

    def _settle(self, letter: Letter, state: str, answer: str, delivery: str) -> None:
        actor = Actor.system("hl7", origin=f"hl7 {letter.destination}")

        def act(unit: Unit) -> None:
            row = Outbox.get_by_id(letter.id)
            Outbox.update(state=state, answer=answer).where(Outbox.id == letter.id).execute()
            of_outbox(unit, actor, row, delivery)
            unit.audit(actor, "hl7_out", f"outbox:{letter.id}", outcome=state.lower(), answer=answer)
            unit.event("outbox", row.destination)
            if state == "DEAD":
                unit.event("alarm", "outbox")

        self._kit.index.writer.do(act)


def _letter(row: Any) -> Letter:
    return Letter(
        row.id,
        row.control_id,
        row.attempts,
        row.refusals,
        bytes(row.payload or b""),
        row.kind,
        row.destination,
        row.subject,
    )


def report_facts(version: Any) -> ReportFacts:
    """A version with its exam, patient and order, as they are known now."""
    exam = exam_line(version.step_id)
    step = Step.get_by_id(version.step_id)
    procedure = RequestedProcedure.get_by_id(step.procedure_id)
    request = ImagingServiceRequest.get_by_id(procedure.request_id)
    row = current(step.patient_id)
    if exam is None or row is None:
        raise NotFound(_("Cet examen n'existe pas."))
    patient = patient_of(row)
    own = [i for i in patient.identifiers if i.value == patient.number]
    others = [i for i in patient.identifiers if i.value != patient.number]
    visit = Visit.get_or_none(Visit.patient == row.id, Visit.number == request.visit_number)
    signed = ReportVersion.select().where(
        ReportVersion.step == step.id, ReportVersion.signer != "", ReportVersion.version <= version.version
    )
    return ReportFacts(
        version=version_of(version),
        exam=exam,
        patient=patient,
        identifiers=tuple(own + others),
        study_instance_uid=procedure.study_instance_uid,
        requested_procedure_id=procedure.procedure_id,
        scheduled_step_id=step.scheduled_step_id,
        placer_number=request.placer_number,
        placer_authority=request.placer_authority,
        filler_number=request.filler_number or request.accession_number,
        visit_number=request.visit_number,
        patient_class=visit.patient_class if visit else "",
        revision=signed.count(),
    )
