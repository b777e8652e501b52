"""Orders as the HIS sends them, on the steps of the department (HL7 ORC table). Everything runs inside one act."""

from __future__ import annotations

from typing import Any

from core.i18n import _
from core.index.patient_rows import current
from core.index.tables import Exam as ExamRow
from core.index.tables import ImagingServiceRequest as Request
from core.index.tables import OrderTombstone, RequestedProcedure, Room, Step
from core.index.writer import Unit
from core.model.device import ae_key
from core.model.his import HisMessage, InboxState, OrderAct, OrderedStep, OrderFeed
from core.model.identifiers import derived_uid, is_uid
from core.model.order import Exam, Urgency
from core.model.people import Actor, Role
from core.model.step import Flag, StepEvent, StepStatus
from core.services.his_pairs import pair
from core.services.kit import Kit
from core.services.orders import create_request, create_step, exam_of
from core.services.steps import advance, change, flag
from core.services.tasks import ask

BEFORE_START = (StepStatus.REQUESTED, StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.NO_SHOW)
URGENCY = {"S": Urgency.VITAL, "A": Urgency.URGENT, "P": Urgency.URGENT, "C": Urgency.URGENT}


def apply_orders(unit: Unit, kit: Kit, actor: Actor, patient: Any, message: HisMessage) -> tuple[InboxState, str]:
    """Every order group of a message; the most serious outcome counts."""
    spoken: set[int] = set()  # exams that an earlier group of this message asked for
    outcomes = [_apply(unit, kit, actor, patient, order, message, spoken) for order in message.orders]
    for state in (InboxState.HELD, InboxState.STALE):
        said = [text for outcome, text in outcomes if outcome is state]
        if said:
            return state, "; ".join(said)
    return InboxState.APPLIED, "; ".join(text for _state, text in outcomes if text)


def _apply(
    unit: Unit, kit: Kit, actor: Actor, patient: Any, order: OrderFeed, message: HisMessage, spoken: set[int]
) -> tuple[InboxState, str]:
    if order.act in (OrderAct.IGNORED, OrderAct.NOTE):
        return InboxState.APPLIED, ""
    request = _known_request(order, message)
    told = message.event_time
    if request is None:
        if order.act in (OrderAct.CANCEL, OrderAct.DISCONTINUE):
            return _unknown_cancelled(unit, order)
        return _new(unit, kit, actor, patient, order, message, spoken)
    if told is not None and request.told_at is not None and told < request.told_at:
        return InboxState.STALE, _("plus ancien que ce qui est connu de la demande")
    if request.patient_id != patient.id:
        return _other_patient(unit, request, order)
    Request.update(told_at=told or request.told_at).where(Request.id == request.id).execute()
    steps = _steps_of(request)
    if order.act in (OrderAct.CANCEL, OrderAct.DISCONTINUE):
        return _stop_named(unit, actor, order, steps, message)
    if order.act in (OrderAct.SUSPEND, OrderAct.RELEASE):
        for step in _named(order, steps):
            flag(unit, step, Flag.SUSPENDED, on=order.act is OrderAct.SUSPEND)
        return InboxState.APPLIED, ""
    return _change(unit, kit, actor, request, order, steps, spoken)


def _known_request(order: OrderFeed, message: HisMessage) -> Any | None:
    """By the placer's number, else by the one order of this sender that bears the filler's."""
    if order.placer_number:
        return Request.get_or_none(
            Request.placer_number == order.placer_number, Request.placer_authority == order.placer_authority
        )
    bearers = list(
        Request.select().where(Request.filler_number == order.filler_number, Request.sender == message.sender).limit(2)
    )
    return bearers[0] if len(bearers) == 1 else None


def _steps_of(request: Any) -> list[Any]:
    return list(
        Step.select(Step)
        .join(RequestedProcedure, on=(Step.procedure == RequestedProcedure.id))
        .where(RequestedProcedure.request == request.id)
        .order_by(Step.id)
    )


def _unknown_cancelled(unit: Unit, order: OrderFeed) -> tuple[InboxState, str]:
    """The order may come yet; only the placer's number says for certain that it is the same one."""
    if not order.placer_number:
        text = _("Annulation de la demande inconnue %s, sans numéro du demandeur : à vérifier.")
        return _for_reception(unit, "order_unknown", text % order.filler_number)
    OrderTombstone.insert(
        placer_number=order.placer_number, placer_authority=order.placer_authority, at=unit.now
    ).on_conflict_ignore().execute()
    return InboxState.APPLIED, _("demande inconnue : l'annulation est retenue")


def _new(
    unit: Unit, kit: Kit, actor: Actor, patient: Any, order: OrderFeed, message: HisMessage, spoken: set[int]
) -> tuple[InboxState, str]:
    first = order.steps[0] if order.steps else OrderedStep()
    given = first.accession_number.strip()
    usable = bool(given) and len(given) <= 16 and not Request.select().where(Request.accession_number == given).exists()
    request = create_request(
        unit,
        kit,
        patient,
        source="hl7",
        sender=message.sender,
        accession_number=given if usable else "",
        foreign_accession="" if usable else given,
        placer_number=order.placer_number,
        placer_authority=order.placer_authority,
        filler_number=order.filler_number,
        prescriber=order.prescriber or "",
        ward=order.ward or patient.ward,
        indication=order.indication or "",
        comment=order.comment or "",
        urgency=str(URGENCY.get(order.urgency or "", Urgency.NORMAL)),
        visit_number=(message.patient.visit_number or "") if message.patient else "",
        told_at=message.event_time,
        sent_number=message.patient.principal.value if message.patient else "",
        sent_authority=message.patient.principal.authority if message.patient else "",
    )
    for index, ordered in enumerate(order.steps):
        step = _new_step(unit, kit, actor, request, patient, order, ordered, index)
        spoken.add(step.id)
        if order.act is OrderAct.SUSPEND:
            flag(unit, step, Flag.SUSPENDED)
    if _cancelled_before(order):
        _stop(unit, actor, order, _steps_of(request))
        return InboxState.APPLIED, _("demande née annulée : son annulation était arrivée avant elle")
    return InboxState.APPLIED, request.accession_number


def _cancelled_before(order: OrderFeed) -> bool:
    return (
        bool(order.placer_number)
        and OrderTombstone.select()
        .where(
            OrderTombstone.placer_number == order.placer_number,
            OrderTombstone.placer_authority == order.placer_authority,
        )
        .exists()
    )


def _new_step(
    unit: Unit,
    kit: Kit,
    actor: Actor,
    request: Any,
    patient: Any,
    order: OrderFeed,
    ordered: OrderedStep,
    index: int,
) -> Any:
    known = ExamRow.get_or_none(ExamRow.code == ordered.exam_code)
    exam = exam_of(known) if known else _uncoded(ordered)
    uid = ordered.study_instance_uid
    if not is_uid(uid) or RequestedProcedure.get_or_none(RequestedProcedure.study_instance_uid == uid):
        uid = derived_uid(*_names_of(order), str(index))
    taken = bool(ordered.step_id) and Step.get_or_none(Step.scheduled_step_id == ordered.step_id) is not None
    procedure_taken = bool(ordered.requested_procedure_id) and (
        RequestedProcedure.get_or_none(RequestedProcedure.procedure_id == ordered.requested_procedure_id) is not None
    )
    step = create_step(
        unit,
        kit,
        actor,
        request,
        patient,
        exam,
        study_instance_uid=uid,
        scheduled_step_id="" if taken or len(ordered.step_id) > 16 else ordered.step_id,
        procedure_id=""
        if procedure_taken or len(ordered.requested_procedure_id) > 16
        else ordered.requested_procedure_id,
        flags=() if known else (Flag.UNCODED,),
        weight_kg=order.weight_kg,
        protocol=ordered.protocol,
        room=_room_of(ordered, exam),
    )
    if ordered.scheduled_at is not None and step.vetting != "WAITING" and order.act is not OrderAct.SUSPEND:
        _give_slot(unit, kit, actor, step, ordered, StepEvent.SLOT_GIVEN)
    return step


def _names_of(order: OrderFeed) -> tuple[str, ...]:
    """What makes the Study UID of an order its own. No placer and filler number are ever taken for each other."""
    if order.placer_number:
        return order.placer_authority, order.placer_number
    return order.placer_authority, "", order.filler_number


def _uncoded(ordered: OrderedStep) -> Exam:
    label = ordered.exam_label or ordered.exam_code or _("Examen à coder")
    return Exam(ordered.exam_code or "?", label, ordered.modality)


def _room_of(ordered: OrderedStep, exam: Exam) -> str:
    """The room of the named station, else the named room, else the exam's first room, else a room of the modality."""
    rooms = list(Room.select())
    if ordered.station_ae:
        for room in rooms:
            if ae_key(ordered.station_ae) in {ae_key(t) for t in room.ae_titles}:
                return str(room.code)
    if any(room.code == ordered.room for room in rooms):
        return ordered.room
    if exam.rooms:
        return exam.rooms[0]
    modality = ordered.modality or exam.modality
    return next((str(room.code) for room in rooms if room.modality == modality), "")


def _give_slot(unit: Unit, kit: Kit, actor: Actor, step: Any, ordered: OrderedStep, event: StepEvent) -> None:
    at = ordered.scheduled_at
    assert at is not None
    room = Room.get_or_none(Room.code == step.room)
    station = ordered.station_ae or (room.ae_titles[0] if room and room.ae_titles else "")
    advance(unit, actor, step, event, scheduled_at=at, day=kit.day_of(at), station_ae=station)


def _change(
    unit: Unit, kit: Kit, actor: Actor, request: Any, order: OrderFeed, steps: list[Any], spoken: set[int]
) -> tuple[InboxState, str]:
    told = {
        "prescriber": order.prescriber,
        "ward": order.ward,
        "indication": order.indication,
        "comment": order.comment,
        "urgency": str(URGENCY[order.urgency]) if order.urgency in URGENCY else None,
    }
    said = {name: value for name, value in told.items() if value}
    if said:
        Request.update(**said).where(Request.id == request.id).execute()
    free = [step for step in steps if step.id not in spoken]
    pairs, others = pair(free, order.steps)
    if len(steps) == len(free) == len(others) == 1 and not pairs and _may_be_it(order, others[0]):
        pairs, others = [(steps[0], others[0])], []
    spoken.update(step.id for step, _line in pairs)
    for step, ordered in pairs:
        if step.status in BEFORE_START:
            _change_step(unit, kit, actor, step, order, ordered, said)
        elif said.get("indication") or said.get("comment"):
            _tell_technologist(unit, step)
            change(unit, step)
    if order.act is OrderAct.NEW:
        same_message = any(step.id in spoken for step in steps)
        spoken.update(_add(unit, kit, actor, request, order, others, len(steps)))
        if others and not same_message:
            text = _("La demande %s a un examen de plus : %s. En plus, ou à la place ?")
            ask(
                unit,
                "order_grew",
                Role.RECEPTION,
                text % (order.number, _labels(others)),
                patient_id=request.patient_id,
            )
        return InboxState.APPLIED, request.accession_number if others else ""
    return _unlike(unit, actor, request, order, others) if others else (InboxState.APPLIED, "")


def _may_be_it(order: OrderFeed, ordered: OrderedStep) -> bool:
    """Whether the one exam of an order may be the one line of a message: a change names another exam, or none."""
    return order.act is OrderAct.CHANGE or not ordered.exam_code


def _add(
    unit: Unit, kit: Kit, actor: Actor, request: Any, order: OrderFeed, others: list[OrderedStep], count: int
) -> list[int]:
    """Further exams under a placer's number that is known already: another order group of the same message."""
    patient = current(request.patient_id)
    added = []
    for index, ordered in enumerate(others, count):
        added.append(_new_step(unit, kit, actor, request, patient, order, ordered, index).id)
        given = ordered.accession_number.strip()
        if given and given != request.accession_number and not request.foreign_accession:
            request.foreign_accession = given
            Request.update(foreign_accession=given).where(Request.id == request.id).execute()
    return added


def _unlike(
    unit: Unit, actor: Actor, request: Any, order: OrderFeed, others: list[OrderedStep]
) -> tuple[InboxState, str]:
    """A change of an exam that the order does not hold: nobody guesses which one was meant."""
    text = _("Changement de la demande %s pour un examen qu'elle ne contient pas (%s) : à vérifier.")
    return _for_reception(unit, "order_exam", text % (order.number, _labels(others)), patient_id=request.patient_id)


def _labels(lines: list[OrderedStep]) -> str:
    return ", ".join(line.exam_label or line.exam_code or "?" for line in lines)


def _for_reception(unit: Unit, kind: str, text: str, **about: Any) -> tuple[InboxState, str]:
    ask(unit, kind, Role.RECEPTION, text, **about)
    unit.event("alarm", "hl7")
    return InboxState.HELD, text


def _change_step(
    unit: Unit, kit: Kit, actor: Actor, step: Any, order: OrderFeed, ordered: OrderedStep, said: dict[str, Any]
) -> None:
    known = ExamRow.get_or_none(ExamRow.code == ordered.exam_code)
    columns: dict[str, Any] = {name: said[name] for name in ("ward", "urgency") if name in said}
    flags = set(step.flags) | ({str(Flag.URGENT)} if "urgency" in said else set())
    if known is not None and known.code != step.exam_code:
        columns |= _another_exam(step, exam_of(known), ordered)
        flags.discard(str(Flag.UNCODED))
    if flags != set(step.flags):
        columns["flags"] = tuple(sorted(flags))
    if order.weight_kg is not None:
        columns["weight_kg"] = order.weight_kg
    change(unit, step, **columns)
    if ordered.scheduled_at is None or ordered.scheduled_at == step.scheduled_at:
        return
    if step.status == str(StepStatus.SCHEDULED):
        _give_slot(unit, kit, actor, step, ordered, StepEvent.SLOT_MOVED)
    elif step.status in (StepStatus.REQUESTED, StepStatus.NO_SHOW) and step.vetting != "WAITING":
        _give_slot(unit, kit, actor, step, ordered, StepEvent.SLOT_GIVEN)


def _another_exam(step: Any, exam: Exam, ordered: OrderedStep) -> dict[str, Any]:
    """The columns of an exam that becomes another one of the catalogue; its procedure follows."""
    RequestedProcedure.update(exam_code=exam.code, exam_label=exam.label).where(
        RequestedProcedure.id == step.procedure_id
    ).execute()
    columns = {
        "exam_code": exam.code,
        "exam_label": exam.label,
        "modality": exam.modality,
        "duration_min": exam.duration_min,
    }
    if exam.modality != step.modality:
        room = Room.get_or_none(Room.code == _room_of(ordered, exam))
        columns["room"] = room.code if room else ""
        columns["station_ae"] = ordered.station_ae or (room.ae_titles[0] if room and room.ae_titles else "")
    return columns


def _named(order: OrderFeed, steps: list[Any]) -> list[Any]:
    """The exams that an order group names; the whole order when it names none of them."""
    pairs, _others = pair(steps, order.steps)
    return [step for step, _line in pairs] or steps


def _stop_named(
    unit: Unit, actor: Actor, order: OrderFeed, steps: list[Any], message: HisMessage
) -> tuple[InboxState, str]:
    """Of an order of several exams only those named stop; that the others go on is told to people."""
    named = _named(order, steps)
    state, effect = _stop(unit, actor, order, named)
    together = [o for o in message.orders if (o.act, o.number) == (order.act, order.number)]
    stopped = {step.id for one in together for step in _named(one, steps)}
    going_on = [s.exam_label for s in steps if s.id not in stopped and s.status in BEFORE_START]
    if not going_on:
        return state, effect
    text = _("Annulation d'une partie de la demande %s : %s reste à faire. À vérifier.")
    held = _for_reception(unit, "partial_cancel", text % (order.number, ", ".join(going_on)), step_id=named[0].id)
    return held[0], "; ".join(part for part in (effect, held[1]) if part)


def _stop(unit: Unit, actor: Actor, order: OrderFeed, steps: list[Any]) -> tuple[InboxState, str]:
    """CA, OC, DC, OD: before the start the exam is cancelled; after it a person is told and nothing moves back."""
    late = []
    reason = order.comment or _("annulé par le SIH")
    for step in steps:
        if step.status in (StepStatus.REQUESTED, StepStatus.SCHEDULED, StepStatus.ARRIVED):
            advance(unit, actor, step, StepEvent.CANCELED, reason=reason)
        elif step.status == str(StepStatus.STARTED) and order.act is OrderAct.DISCONTINUE:
            advance(unit, actor, step, StepEvent.ACQUISITION_DISCONTINUED, reason=reason, ended_at=unit.now)
        elif step.status not in (StepStatus.CANCELED, StepStatus.NO_SHOW):
            late.append(_late_cancel(unit, step))
    return InboxState.APPLIED, "; ".join(late)


def _late_cancel(unit: Unit, step: Any) -> str:
    flag(unit, step, Flag.LATE_CANCEL)
    text: str = _("Annulation tardive, non appliquée : %s") % step.exam_label
    ask(unit, "late_cancel", Role.RECEPTION, text, step_id=step.id)
    return text


def _tell_technologist(unit: Unit, step: Any) -> None:
    text = _("Le SIH a changé l'indication de %s après le début.") % step.exam_label
    ask(unit, "indication", Role.TECHNOLOGIST, text, step_id=step.id)


def _other_patient(unit: Unit, request: Any, order: OrderFeed) -> tuple[InboxState, str]:
    text = _("La demande %s est déjà celle d'un autre patient : rien n'est changé.") % order.number
    ask(unit, "order_patient", Role.IDENTITY_OFFICER, text, patient_id=request.patient_id)
    unit.event("alarm", "hl7")
    return InboxState.HELD, text
