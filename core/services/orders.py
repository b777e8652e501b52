"""Ordering an exam and giving it a slot: accession, procedure, step and Study UID are issued here, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from core.clock import stamp
from core.errors import BadInput, Conflict, NotFound
from core.i18n import _
from core.index.exam_lines import exam_line
from core.index.patient_rows import current
from core.index.rows import insert
from core.index.tables import Exam as ExamRow
from core.index.tables import ImagingServiceRequest, Patient, RequestedProcedure, Step
from core.index.tables import Room as RoomRow
from core.index.writer import Unit
from core.model.identifiers import accession, derived_uid
from core.model.names import clean, display_name, fold
from core.model.order import Exam, OrderDraft, Room, Slot, Urgency, check_weight
from core.model.people import Actor, Role
from core.model.step import ExamState, Flag, StepEvent, StepStatus, check_right
from core.model.worklist import ExamLine
from core.services.access import may_see, require
from core.services.kit import Kit, done_before, issue, remember
from core.services.steps import advance, begin, change, step_row

OPEN = (StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.STARTED)
Taken = tuple[datetime, datetime, str, int, str]  # from, to, patient, exam, ward


def exam_of(row: Any) -> Exam:
    return Exam(**{f: getattr(row, f) for f in Exam.__dataclass_fields__})


def room_of(row: Any) -> Room:
    return Room(**{f: getattr(row, f) for f in Room.__dataclass_fields__})


class Orders:
    """Verbs on orders, the catalogue and the agenda."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    # The catalogue and the rooms

    def catalogue(self) -> list[Exam]:
        return [exam_of(r) for r in ExamRow.select().order_by(ExamRow.label)]

    def find_exams(self, text: str) -> list[Exam]:
        """By code or by the beginning of any word of the name."""
        words = fold(text).split()
        query = ExamRow.select().order_by(ExamRow.label)
        for word in words:
            query = query.where(
                ExamRow.label_key.startswith(word)
                | ExamRow.label_key.contains(f" {word}")
                | ExamRow.code.startswith(word)
            )
        return [exam_of(r) for r in query]

    def rooms(self) -> list[Room]:
        return [room_of(r) for r in RoomRow.select().order_by(RoomRow.code)]

    def save_exam(self, actor: Actor, exam: Exam) -> None:
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)
        if not exam.code.strip() or not exam.label.strip():
            raise BadInput(_("Un examen a un code et un libellé."), "code")

        def act(unit: Unit) -> None:
            ExamRow.insert(label_key=fold(exam.label), **_columns(exam)).on_conflict_replace().execute()
            unit.audit(actor, "save_exam", f"exam:{exam.code}")

        self._kit.act(actor, "save_exam", act)

    def remove_exam(self, actor: Actor, code: str) -> None:
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)

        def act(unit: Unit) -> None:
            if not ExamRow.delete().where(ExamRow.code == code).execute():
                raise NotFound(_("Aucun examen de code %s.") % code)
            unit.audit(actor, "remove_exam", f"exam:{code}")

        self._kit.act(actor, "remove_exam", act)

    def save_room(self, actor: Actor, room: Room) -> None:
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)
        if not room.code.strip():
            raise BadInput(_("Une salle a un code."), "code")

        def act(unit: Unit) -> None:
            RoomRow.insert(**_columns(room)).on_conflict_replace().execute()
            unit.audit(actor, "save_room", f"room:{room.code}")

        self._kit.act(actor, "save_room", act)

    def remove_room(self, actor: Actor, code: str) -> None:
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)

        def act(unit: Unit) -> None:
            if not RoomRow.delete().where(RoomRow.code == code).execute():
                raise NotFound(_("Aucune salle de code %s.") % code)
            unit.audit(actor, "remove_room", f"room:{code}")

        self._kit.act(actor, "remove_room", act)

    # The agenda

    def slots(self, actor: Actor, room_code: str, day: date, exam_code: str = "", urgency: str = "N") -> list[Slot]:
        """The day of a room, free and taken, the first free slot from now on marked as proposed."""
        room = RoomRow.get_or_none(RoomRow.code == room_code)
        if room is None:
            raise NotFound(_("Aucune salle de code %s.") % room_code)
        exam = ExamRow.get_or_none(ExamRow.code == exam_code)
        minutes = exam.duration_min if exam else self._kit.config.scheduling.slot_minutes
        taken = self._taken(room_code, day)
        slots, proposed = [], False
        for at in self._starts(room, day, minutes):
            holder = next((t for t in taken if t[0] < at + timedelta(minutes=minutes) and at < t[1]), None)
            propose = not proposed and holder is None and at >= self._kit.now() - timedelta(minutes=minutes)
            proposed = proposed or propose
            slots.append(Slot(at, minutes, room_code, *_said_to(actor, holder), propose))
        return slots

    def _starts(self, room: Any, day: date, minutes: int) -> list[datetime]:
        zone = self._kit.config.site.timezone
        at = datetime.combine(day, time.fromisoformat(room.opens), zone)
        end = datetime.combine(day, time.fromisoformat(room.closes), zone)
        starts = []
        while at + timedelta(minutes=minutes) <= end:
            starts.append(at)
            at += timedelta(minutes=minutes)
        return starts

    def _taken(self, room_code: str, day: date) -> list[Taken]:
        rows = (
            Step.select(Step, Patient)
            .join(Patient, on=(Step.patient == Patient.id))
            .where(Step.room == room_code, Step.day == day, Step.status.in_([str(s) for s in OPEN]))
            .order_by(Step.scheduled_at)
        )
        return [
            (
                r.scheduled_at,
                r.scheduled_at + timedelta(minutes=r.duration_min),
                display_name(r.patient.family_name, r.patient.given_names),
                r.id,
                r.ward,
            )
            for r in rows
            if r.scheduled_at
        ]

    # Orders

    def warnings(self, actor: Actor, draft: OrderDraft) -> list[str]:
        """What the requester should know before asking: the same exam in the last 7 days."""
        since = self._kit.today() - timedelta(days=7)
        same = Step.select().where(
            Step.patient == draft.patient_id,
            Step.exam_code == draft.exam_code,
            Step.day >= since,
            Step.status != str(StepStatus.CANCELED),
        )
        return [_("Même examen le %s.") % f"{s.day:%d/%m/%Y}" for s in same]

    def place(self, actor: Actor, draft: OrderDraft) -> ExamLine:
        """A new order of one exam. With a room and a time it is scheduled at once, unless it must be vetted first.

        Raises `BadInput` without prescriber or indication or with an impossible weight, `NotFound`,
        `Conflict` when the slot is taken.
        """
        check_right(ExamState(), StepEvent.ORDER_RECEIVED, actor.roles)
        if not clean(draft.prescriber):
            raise BadInput(_("Le demandeur (prescripteur) manque."), "prescriber")
        if not clean(draft.indication):
            raise BadInput(_("Le motif de l'examen manque."), "indication")
        if draft.weight_kg is not None:
            check_weight(draft.weight_kg)

        def act(unit: Unit) -> int:
            if (known := done_before("order", draft.idempotency_key)) is not None:
                return known
            exam = ExamRow.get_or_none(ExamRow.code == draft.exam_code)
            if exam is None:
                raise NotFound(_("Examen inconnu au catalogue : %s.") % draft.exam_code)
            patient = current(draft.patient_id)
            if patient is None:
                raise NotFound(_("Ce patient n'existe pas."))
            source = "kiosk" if actor.is_any(Role.CLINICIAN) and not actor.is_any(Role.RECEPTION) else "reception"
            request = create_request(
                unit,
                self._kit,
                patient,
                source=source,
                prescriber=clean(draft.prescriber),
                indication=clean(draft.indication),
                ward=draft.ward or actor.ward,
                urgency=str(draft.urgency),
                comment=clean(draft.comment),
            )
            step = create_step(
                unit, self._kit, actor, request, patient, exam_of(exam), weight_kg=draft.weight_kg, side=draft.side
            )
            if draft.scheduled_at is not None and step.vetting != "WAITING":
                room = draft.room or (exam.rooms[0] if exam.rooms else "")
                self._give(unit, actor, step, room, draft.scheduled_at, StepEvent.SLOT_GIVEN)
            remember(unit, "order", draft.idempotency_key, step.id)
            return int(step.id)

        step_id = self._kit.act(actor, "order", act)
        line = exam_line(step_id)
        assert line is not None
        return line

    def give_slot(self, actor: Actor, step_id: int, room: str, at: datetime) -> ExamLine:
        """A time for an exam that has none (T2, T2b)."""
        return self._slot(actor, step_id, room, at, StepEvent.SLOT_GIVEN)

    def move(self, actor: Actor, step_id: int, room: str, at: datetime) -> ExamLine:
        """Another time or room (T3); the old slot is free again."""
        return self._slot(actor, step_id, room, at, StepEvent.SLOT_MOVED)

    def _slot(self, actor: Actor, step_id: int, room: str, at: datetime, event: StepEvent) -> ExamLine:
        self._kit.act(actor, str(event), lambda unit: self._give(unit, actor, step_row(step_id), room, at, event))
        line = exam_line(step_id)
        assert line is not None
        return line

    def _give(self, unit: Unit, actor: Actor, step: Any, room: str, at: datetime, event: StepEvent) -> None:
        place = RoomRow.get_or_none(RoomRow.code == room)
        if place is None:
            raise NotFound(_("Aucune salle de code %s.") % room)
        day = self._kit.day_of(at)
        end = at + timedelta(minutes=step.duration_min)
        beside = [t for t in self._taken(room, day) if t[0] < end and at < t[1] and t[3] != step.id]
        if len(beside) >= place.capacity and step.urgency == str(Urgency.NORMAL):
            name, step_id = _said_to(actor, beside[0])
            raise Conflict(_("Ce créneau est déjà pris par %s.") % name if step_id else _("Ce créneau est déjà pris."))
        station = place.ae_titles[0] if place.ae_titles else ""
        advance(unit, actor, step, event, room=room, station_ae=station, scheduled_at=at, day=day)


def _said_to(actor: Actor, holder: Taken | None) -> tuple[str, int | None]:
    """Whose slot it is, and which exam; that it is taken, to those whom the child's name does not concern."""
    if holder is None:
        return "", None
    return (holder[2], holder[3]) if may_see(actor, holder[4]) else (_("occupé"), None)


def _columns(value: Any) -> dict[str, Any]:
    return {f: getattr(value, f) for f in value.__dataclass_fields__}


def create_request(unit: Unit, kit: Kit, patient: Any, **columns: Any) -> Any:
    """The row of a new imaging service request, with an accession number of ours."""
    year = kit.today().year
    number = columns.pop("accession_number", "") or accession(year, issue(f"accession:{year}"))
    return insert(
        ImagingServiceRequest,
        patient=patient.id,
        accession_number=number,
        requested_at=columns.pop("requested_at", unit.now),
        **columns,
    )


def create_step(
    unit: Unit,
    kit: Kit,
    actor: Actor,
    request: Any,
    patient: Any,
    exam: Exam,
    *,
    study_instance_uid: str = "",
    procedure_id: str = "",
    scheduled_step_id: str = "",
    event: StepEvent = StepEvent.ORDER_RECEIVED,
    flags: Sequence[Flag] = (),
    source_key: str = "",
    **columns: Any,
) -> Any:
    """A requested procedure and its step, in the first state of `event`. Ids given to machines are ≤ 16 characters."""
    number = issue("procedure")
    procedure_id = procedure_id or f"P{number:07d}"
    procedure = insert(
        RequestedProcedure,
        request=request.id,
        procedure_id=procedure_id,
        study_instance_uid=study_instance_uid
        or derived_uid(kit.config.site.authority, request.accession_number, str(number), stamp(unit.now)),
        exam_code=exam.code,
        exam_label=exam.label,
    )
    status = StepStatus.STARTED if event is StepEvent.UNSCHEDULED_IMAGES else StepStatus.REQUESTED
    held = set(flags) | ({Flag.URGENT} if request.urgency != str(Urgency.NORMAL) else set())
    step = insert(
        Step,
        procedure=procedure.id,
        patient=patient.id,
        scheduled_step_id=scheduled_step_id or f"S{number:07d}",
        exam_code=exam.code,
        exam_label=exam.label,
        modality=exam.modality,
        room=columns.pop("room", "") or (exam.rooms[0] if exam.rooms else ""),
        day=columns.pop("day", None) or kit.day_of(unit.now),
        duration_min=exam.duration_min,
        status=str(status),
        urgency=request.urgency,
        ward=request.ward,
        vetting="WAITING" if exam.needs_vetting and not held & {Flag.URGENT} else "NOT_NEEDED",
        flags=sorted(str(f) for f in held),
        **columns,
    )
    begin(unit, actor, step, event, source_key=source_key)
    return step


def set_expected(unit: Unit, step: Any, count: int) -> None:
    """How many images a machine or a person announced."""
    if step.expected_images != count:
        change(unit, step, expected_images=count)
