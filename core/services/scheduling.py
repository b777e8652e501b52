"""The day list, arrivals, cancellations, and the Modality Worklist that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from peewee import Expression

from core.errors import BadInput, NotAllowed, NotFound
from core.i18n import _
from core.index.exam_lines import count, exam_line, exam_lines
from core.index.patient_rows import bearers
from core.index.tables import (
    Event,
    ImagingServiceRequest,
    Patient,
    PatientIdentifier,
    RequestedProcedure,
    Room,
    Step,
    StepHistory,
)
from core.index.writer import Unit
from core.model.birth import Birth, Precision, age_at
from core.model.device import ae_key
from core.model.matching import Name, is_pattern, wildcard
from core.model.names import fold, person_name
from core.model.order import Urgency, WorklistEntry, check_weight
from core.model.people import Actor, Role
from core.model.query import DayFilter, DayPage, WorklistQuery
from core.model.step import StepEvent, StepStatus
from core.model.worklist import ExamLine, WorklistStatus
from core.services.access import DEPARTMENT, check_exam, require
from core.services.kit import Kit
from core.services.steps import advance, change, step_row

STARTED_SHOWN = timedelta(hours=4)
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
        """The steps a machine may see, by the keys it asked (PS3.4 K.6.1). Rows come from the index alone."""
        rows = _worklist_rows(self._window(query) & _exact_keys(query))
        rooms = {r.code: r for r in Room.select()}
        keep = _predicates(self._kit, query, rooms)
        entries = []
        for row in rows:
            if all(predicate(row) for predicate in keep):
                entries.append(self._entry(row, rooms))
                if len(entries) >= query.limit:
                    break
        return entries

    def _window(self, query: WorklistQuery) -> Expression:
        shown = [str(s) for s in (StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.STARTED, StepStatus.REQUESTED)]
        condition = Step.status.in_(shown) & Step.scheduled_at.is_null(False)
        if query.scheduled_from is None and query.scheduled_to is None:
            days = (
                query.device.worklist_window_days if query.device else self._kit.config.scheduling.worklist_window_days
            )
            today = self._kit.today()
            return condition & Step.day.between(today - timedelta(days=days), today + timedelta(days=days))
        if query.scheduled_from is not None:
            condition &= (Step.day >= self._kit.day_of(query.scheduled_from)) & (
                Step.scheduled_at >= query.scheduled_from
            )
        if query.scheduled_to is not None:
            condition &= (Step.day <= self._kit.day_of(query.scheduled_to)) & (Step.scheduled_at <= query.scheduled_to)
        return condition

    def _entry(self, row: dict[str, Any], rooms: dict[str, Any]) -> WorklistEntry:
        room = rooms.get(row["room"])
        birth = Birth(row["birth_earliest"], row["birth_latest"], Precision(row["birth_precision"]))
        age = age_at(birth, row["day"])
        return WorklistEntry(
            step_id=row["id"],
            scheduled_step_id=row["scheduled_step_id"],
            requested_procedure_id=row["requested_procedure_id"],
            study_instance_uid=row["study_instance_uid"],
            accession_number=row["accession_number"],
            modality=row["modality"],
            room=row["room"],
            ae_titles=tuple(room.ae_titles) if room else (row["station_ae"],),
            scheduled_at=row["scheduled_at"],
            status="SCHEDULED" if row["status"] == str(StepStatus.REQUESTED) else row["status"],
            exam_code=row["exam_code"],
            exam_label=row["exam_label"],
            patient_number=row["patient_number"],
            issuer=row["issuer"] or self._kit.config.site.authority,
            patient_name=person_name(row["family_name"], row["given_names"]),
            birth_date=birth.dicom(),
            age=age.dicom() if age else "",
            sex=row["sex"],
            weight_kg=row["weight_kg"],
            priority=Urgency(row["urgency"]).dicom,
            prescriber=row["prescriber"],
            ward=row["ward"],
            indication=row["indication"],
            protocol=row["protocol"],
            placer_number=row["placer_number"],
            filler_number=row["filler_number"] or row["accession_number"],
            visit_number=row["visit_number"],
        )


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
        accession = Step.procedure.in_(
            RequestedProcedure.select(RequestedProcedure.id)
            .join(ImagingServiceRequest, on=(RequestedProcedure.request == ImagingServiceRequest.id))
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


_STEP_COLUMNS = (
    *("id", "scheduled_step_id", "modality", "room", "station_ae", "scheduled_at", "started_at", "day"),
    *("status", "vetting", "exam_code", "exam_label", "weight_kg", "urgency", "ward", "protocol"),
)


def _exact_keys(query: WorklistQuery) -> Any:
    """Keys without wildcard, so that SQL reads few rows; `_predicates` decides all the same."""
    condition: Any = Step.id > 0
    if query.modality and not (query.device and query.device.cr_is_dx):
        condition &= Step.modality.in_([m.strip().upper() for m in query.modality.split("\\")])
    if query.patient_id and not is_pattern(query.patient_id):
        number = query.patient_id.strip()
        condition &= (Patient.number == number) | Patient.id.in_([p.id for p in bearers(number)])
    for key, column in (
        (query.accession_number, ImagingServiceRequest.accession_number),
        (query.study_instance_uid, RequestedProcedure.study_instance_uid),
        (query.scheduled_step_id, Step.scheduled_step_id),
    ):
        if key and not is_pattern(key):
            condition &= column == key.strip()
    return condition


def _worklist_rows(condition: Expression) -> list[dict[str, Any]]:
    issuer = (
        PatientIdentifier.select(PatientIdentifier.authority)
        .where(PatientIdentifier.patient == Patient.id, PatientIdentifier.value == Patient.number)
        .limit(1)
    )
    query = (
        Step.select(
            *(getattr(Step, name) for name in _STEP_COLUMNS),
            Patient.number.alias("patient_number"),
            Patient.family_name,
            Patient.given_names,
            Patient.sex,
            Patient.birth_earliest,
            Patient.birth_latest,
            Patient.birth_precision,
            issuer.alias("issuer"),
            RequestedProcedure.procedure_id.alias("requested_procedure_id"),
            RequestedProcedure.study_instance_uid,
            ImagingServiceRequest.accession_number,
            ImagingServiceRequest.prescriber,
            ImagingServiceRequest.indication,
            ImagingServiceRequest.placer_number,
            ImagingServiceRequest.filler_number,
            ImagingServiceRequest.visit_number,
        )
        .join(Patient, on=(Step.patient == Patient.id))
        .switch(Step)
        .join(RequestedProcedure, on=(Step.procedure == RequestedProcedure.id))
        .join(ImagingServiceRequest, on=(RequestedProcedure.request == ImagingServiceRequest.id))
        .where(condition)
        .order_by(Step.scheduled_at, Step.id)
    )
    rows: Any = query.dicts()
    return list(rows)


def _predicates(kit: Kit, query: WorklistQuery, rooms: dict[str, Any]) -> list[Callable[[dict[str, Any]], bool]]:
    """The conditions that SQL does not settle, each on one row; every one is a question « why is it not there? »."""
    made: list[Callable[[dict[str, Any]], bool]] = []
    now = kit.now()
    made.append(lambda row: _visible(now, row, rooms))
    made.append(lambda row: _for_machine(query, row, rooms))
    if query.modality:
        wanted = {m.strip().upper() for m in query.modality.split("\\")}
        if query.device and query.device.cr_is_dx and wanted & {"CR", "DX"}:
            wanted |= {"CR", "DX"}
        made.append(lambda row: row["modality"].upper() in wanted)
    if query.patient_name:
        name = Name.of(query.patient_name)
        made.append(lambda row: name.fits(person_name(row["family_name"], row["given_names"])))
    if is_pattern(query.patient_id):  # SQL has found who bears or bore a whole number
        made.append(_text_predicate(query.patient_id.strip(), "patient_number"))
    for key, column in (
        (query.accession_number, "accession_number"),
        (query.requested_procedure_id, "requested_procedure_id"),
        (query.scheduled_step_id, "scheduled_step_id"),
        (query.study_instance_uid, "study_instance_uid"),
    ):
        if key and key.strip() != "*":
            made.append(_text_predicate(key.strip(), column))
    if query.daily_from or query.daily_to:
        low, high = _hms(query.daily_from or "000000"), _hms(query.daily_to or "235959", end=True)
        made.append(lambda row: low <= kit.local(row["scheduled_at"]).time() <= high)
    return made


def _text_predicate(key: str, column: str) -> Callable[[dict[str, Any]], bool]:
    if is_pattern(key):
        return lambda row: wildcard(key, row[column])
    return lambda row: row[column] == key


def _visible(now: datetime, row: dict[str, Any], rooms: dict[str, Any]) -> bool:
    room = rooms.get(row["room"])
    if row["status"] == str(StepStatus.REQUESTED):
        return bool(room and room.without_appointment) and row["vetting"] != "WAITING"
    if row["status"] == str(StepStatus.SCHEDULED):
        return not room or room.visible_from != "arrived"
    if row["status"] == str(StepStatus.STARTED):
        return row["started_at"] is None or now - row["started_at"] <= STARTED_SHOWN
    return True


def _for_machine(query: WorklistQuery, row: dict[str, Any], rooms: dict[str, Any]) -> bool:
    """The AE rule: the room that owns the asked station, else the caller's own room, else « all rooms »."""
    room = rooms.get(row["room"])
    titles = {ae_key(t) for t in room.ae_titles} if room else {ae_key(row["station_ae"])}
    if query.station_ae and query.station_ae.strip() != "*":
        return any(ae_key(t) in titles for t in query.station_ae.split("\\"))
    if query.device is None or query.device.all_rooms:
        return True
    if query.device.room:
        return bool(row["room"] == query.device.room)
    return ae_key(query.calling_ae) in titles


def _hms(text: str, end: bool = False) -> time:
    digits = "".join(c for c in text.split(".")[0] if c.isdigit())
    digits = (digits + ("235959" if end else "000000")[len(digits) :])[:6]
    try:
        return time(int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
    except ValueError:
        return time.max if end else time.min
