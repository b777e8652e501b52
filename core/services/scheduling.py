"""The day list, arrivals, cancellations, and the Modality Worklist that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from peewee import Expression, fn

from core.errors import BadInput, NotAllowed, NotFound
from core.i18n import _
from core.index.exam_lines import count, exam_line, exam_lines
from core.index.patient_rows import bearers
from core.index.tables import (
    Event,
    ImagingServiceRequest,
    Patient,
    RequestedProcedure,
    Step,
    StepHistory,
)
from core.index.writer import Unit
from core.model.names import fold
from core.model.order import WorklistEntry, check_weight
from core.model.people import Actor, Role
from core.model.query import DayFilter, DayPage, WorklistQuery
from core.model.step import StepEvent, StepStatus
from core.model.worklist import ExamLine, WorklistStatus
from core.services import modality_worklist
from core.services.access import DEPARTMENT, check_exam, require
from core.services.kit import Kit
from core.services.steps import advance, change, step_row

UNDO_ARRIVAL = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One event of an exam: who, when, where, what became of which machine."""

    at: datetime
    machine: str
    event: str
    came_from: str
    became: str
    actor: str
    post: str
    origin: str
    reason: str

    @property
    def by(self) -> str:
        """Who, for a screen: what acts by itself is called what it is, people keep their login."""
        by_itself = {
            "dicom": _("machine"),
            "timer": _("automatique"),
            "delivery": _("envoi"),
            "start": _("redémarrage"),
        }
        return by_itself.get(self.actor, self.actor)


class Scheduling:
    """Verbs on the day's exams before and around the acquisition."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    # Lists

    def day_page(self, actor: Actor, wanted: DayFilter, top: int = 0, size: int = 50) -> DayPage:
        """Rows `top…` of the day, by hour. The page costs the same at 200 rows and at 100,000."""
        wanted = _own_ward(actor, wanted)
        where = _condition(wanted)
        newest = Event.select(Event.id).order_by(Event.id.desc()).limit(1).scalar() or 0
        order: tuple[Any, ...] = (Step.scheduled_at.is_null(), Step.scheduled_at, Step.id)
        if not _filtered(wanted):
            order = (Step.scheduled_at, Step.id)  # the order of the index: nothing to sort
        lines = exam_lines(where, order, size, max(top, 0))
        return DayPage(count(where), top, tuple(lines), self._kit.now(), newest)

    def line(self, actor: Actor, step_id: int) -> ExamLine:
        """One exam this actor may see. Raises `NotFound`."""
        check_exam(actor, step_id)
        line = exam_line(step_id)
        if line is None:
            raise NotFound(_("Cet examen n'existe pas."))
        return line

    def history(self, actor: Actor, step_id: int) -> list[HistoryLine]:
        """Everything that happened to an exam, in order."""
        check_exam(actor, step_id)
        rows = StepHistory.select().where(StepHistory.step == step_id).order_by(StepHistory.id)
        return [HistoryLine(**{f: getattr(r, f) for f in HistoryLine.__dataclass_fields__}) for r in rows]

    # Acts

    def arrive(
        self, actor: Actor, step_id: int, identity_confirmed: bool = True, idempotency_key: str = ""
    ) -> ExamLine:
        """The patient is here (T4) and said who they are."""
        if not identity_confirmed:
            raise BadInput(_("L'identité doit être vérifiée : nom, date de naissance, numéro."), "identity")

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            also: dict[str, Any] = (
                {} if row.scheduled_at else {"scheduled_at": unit.now, "day": self._kit.day_of(unit.now)}
            )
            advance(
                unit,
                actor,
                row,
                StepEvent.PATIENT_ARRIVED,
                source_key=idempotency_key,
                arrived_at=unit.now,
                **also,
            )

        self._kit.act(actor, "arrive", act)
        return self.line(actor, step_id)

    def undo_arrival(self, actor: Actor, step_id: int, reason: str) -> ExamLine:
        """It was another child (T5). After two hours only the lead technologist may say so."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            late = row.arrived_at is not None and unit.now - row.arrived_at > UNDO_ARRIVAL
            if late and not actor.is_any(Role.LEAD_TECHNOLOGIST):
                raise NotAllowed(_("Après 2 heures, seul le cadre annule une arrivée."))
            advance(unit, actor, row, StepEvent.ARRIVAL_UNDONE, reason=reason, arrived_at=None)

        self._kit.act(actor, "undo_arrival", act)
        return self.line(actor, step_id)

    def cancel(self, actor: Actor, step_id: int, reason: str) -> ExamLine:
        """The exam will not take place (T19); it leaves the machine's worklist."""
        check_exam(actor, step_id)

        def act(unit: Unit) -> None:
            advance(unit, actor, step_row(step_id), StepEvent.CANCELED, reason=reason)

        self._kit.act(actor, "cancel", act)
        return self.line(actor, step_id)

    def reactivate(self, actor: Actor, step_id: int, reason: str = "") -> ExamLine:
        """A cancelled exam is wanted after all (T20)."""

        def act(unit: Unit) -> None:
            advance(unit, actor, step_row(step_id), StepEvent.REACTIVATED, reason=reason)

        self._kit.act(actor, "reactivate", act)
        return self.line(actor, step_id)

    def no_show(self, actor: Actor, step_id: int) -> ExamLine:
        """Nobody came (T21)."""
        self._kit.act(actor, "no_show", lambda unit: advance(unit, actor, step_row(step_id), StepEvent.NO_SHOW))
        return self.line(actor, step_id)

    def weigh(self, actor: Actor, step_id: int, weight_kg: float) -> ExamLine:
        """The child's weight today, kg: contrast and protocols depend on it."""
        require(actor, Role.RECEPTION, Role.TECHNOLOGIST, Role.RADIOLOGIST)
        check_weight(weight_kg)

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            change(unit, row, weight_kg=weight_kg)
            unit.audit(actor, "weigh", f"step:{step_id}", row.patient_id, kg=weight_kg)

        self._kit.act(actor, "weigh", act)
        return self.line(actor, step_id)

    # The Modality Worklist

    def worklist(self, query: WorklistQuery) -> list[WorklistEntry]:
        """The steps a machine may see, by the keys it asked (PS3.4 K.6.1)."""
        return modality_worklist.find(self._kit, query)


def _own_ward(actor: Actor, wanted: DayFilter) -> DayFilter:
    """A ward sees its own exams, whatever it asks for."""
    if actor.is_any(*DEPARTMENT):
        return wanted
    return replace(wanted, ward=actor.ward or "-")


def _filtered(wanted: DayFilter) -> bool:
    return bool(wanted.room or wanted.status or wanted.text.strip() or wanted.ward)


def _condition(wanted: DayFilter) -> Expression:
    condition = Step.day == wanted.day
    if wanted.room:
        condition &= Step.room == wanted.room
    if wanted.ward:
        condition &= Step.ward == wanted.ward
    if wanted.status:
        condition &= _status_condition(WorklistStatus(wanted.status))
    return condition & _says(wanted.text) if wanted.text.strip() else condition


def _says(text: str) -> Any:
    """Exams of whoever bears or bore this number, and exams of which every word says something."""
    every_word: Any = Step.id > 0
    for word in fold(text).split():
        accession = fn.EXISTS(  # of each exam of the day: a list of every order ever placed would be read through
            RequestedProcedure.select(RequestedProcedure.id)
            .join(ImagingServiceRequest, on=(RequestedProcedure.request == ImagingServiceRequest.id))
            .where(RequestedProcedure.id == Step.procedure)
            .where(ImagingServiceRequest.accession_number.contains(word.replace(" ", "-")))
        )
        every_word &= Patient.name_key.contains(word) | Patient.number.contains(word) | accession
    return every_word | Patient.id.in_([p.id for p in bearers(text.strip())])


_STEP_OF = {
    WorklistStatus.REQUESTED: StepStatus.REQUESTED,
    WorklistStatus.SCHEDULED: StepStatus.SCHEDULED,
    WorklistStatus.ARRIVED: StepStatus.ARRIVED,
    WorklistStatus.IN_ROOM: StepStatus.STARTED,
    WorklistStatus.CANCELED: StepStatus.CANCELED,
    WorklistStatus.ABSENT: StepStatus.NO_SHOW,
}
_REPORT_OF = {
    WorklistStatus.TO_READ: "DUE",
    WorklistStatus.DICTATED: "DICTATED",
    WorklistStatus.TO_SIGN: "TO_SIGN",
    WorklistStatus.CLOSED: "CLOSED_WITHOUT_REPORT",
}


def _status_condition(status: WorklistStatus) -> Expression:
    if status in _STEP_OF:
        return Step.status == str(_STEP_OF[status])
    if status in _REPORT_OF:
        return Step.report_status == _REPORT_OF[status]
    if status in (WorklistStatus.VALIDATED, WorklistStatus.SENT):
        delivered = Step.delivery_status == "DELIVERED"
        return (Step.report_status == "SIGNED") & (delivered if status is WorklistStatus.SENT else ~delivered)
    done = StepStatus.DISCONTINUED if status is WorklistStatus.INTERRUPTED else StepStatus.COMPLETED
    return (Step.status == str(done)) & (Step.report_status == "NOT_DUE")
