"""Orders: what each order group of an ORM, OMG or OMI asks, as `OrderFeed`.

What ORC-1 and ORC-5 mean together is the table `ACTS`; nothing else decides it.
One IPC, or one OBR without IPC, is one exam.
Source: HL7 v2.5.1 4.5.1 (ORC), 4.5.3 (OBR), 4.5.6 (IPC); IHE RAD TF-2 4.2 (RAD-2), 4.4 (RAD-4).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum

from core.hl7 import dates, fields, refusals
from core.hl7.sender import Sender
from core.hl7.tokenizer import Group, Message, Segment, groups, order_groups
from core.i18n import _
from core.model.his import OrderAct, OrderedStep, OrderFeed
from core.model.identifiers import is_uid

A = OrderAct


class Any(Enum):
    """Any ORC-5 that the table does not name."""

    STATUS = "*"


ANY = Any.STATUS
_NEW, _CHANGE, _CANCEL, _END, _NOTE, _NOTHING = (A.NEW,), (A.CHANGE,), (A.CANCEL,), (A.DISCONTINUE,), (A.NOTE,), ()

ACTS: dict[tuple[str, str | Any], tuple[OrderAct, ...]] = {
    ("NW", ANY): _NEW,
    ("NW", "HD"): (A.NEW, A.SUSPEND),
    ("SN", ANY): _NEW,
    ("SN", "HD"): (A.NEW, A.SUSPEND),
    ("XO", ANY): _CHANGE,
    ("RP", ANY): _CHANGE,
    ("XX", ANY): _CHANGE,
    ("CA", ANY): _CANCEL,
    ("OC", ANY): _CANCEL,
    ("DC", ANY): _END,
    ("OD", ANY): _END,
    ("HD", ANY): (A.SUSPEND,),
    ("RL", ANY): (A.RELEASE,),
    ("SC", ""): _NOTE,
    ("SC", "IP"): _NOTE,
    # Completed elsewhere: we fill our own orders, so nobody else may say that they are done.
    ("NW", "CM"): _NOTHING,
    ("NW", "A"): _NOTHING,
    ("XO", "CM"): _NOTHING,
    ("XO", "A"): _NOTHING,
    ("SC", "CM"): _NOTHING,
    ("SC", "A"): _NOTHING,
}


def acts(control: str, status: str) -> tuple[OrderAct, ...]:
    """What ORC-1 with ORC-5 asks, in order; empty when it asks nothing of us (PA, CH, NA, SS, OK, OR, …)."""
    return ACTS.get((control, status), ACTS.get((control, ANY), _NOTHING))


def feeds(message: Message, sender: Sender, now: datetime) -> tuple[OrderFeed, ...]:
    """The orders of one message, in order. now: with the site's time zone.

    Raises `BadMessage` naming the field that cannot be taken; then nothing of the message may be applied.
    """
    found = order_groups(message)
    if not found:
        sentence = _("Ni ORC ni OBR : aucune demande dans le message")
        raise refusals.refused(refusals.REQUIRED, sentence, "ORC", 1)
    return tuple(feed for group in found for feed in _feeds_of(group, message, sender, now))


def _feeds_of(group: Group, message: Message, sender: Sender, now: datetime) -> Iterator[OrderFeed]:
    control, status = _control(group)
    for act in acts(control, status) or (A.IGNORED,):
        yield _feed(act, control, group, message, sender, now)


def _control(group: Group) -> tuple[str, str]:
    """ORC-1 and ORC-5; an OBR without ORC is a new order. Raises `BadMessage` when ORC-1 is empty."""
    orc = group.first("ORC")
    if not orc:
        return "NW", ""
    if not orc.at(1):
        sentence = _("ORC-1 absent : que faire de la demande ?")
        raise refusals.refused(refusals.REQUIRED, sentence, "ORC", 1, orc.number)
    return orc.at(1).upper(), orc.at(5).upper()


def _feed(act: OrderAct, control: str, group: Group, message: Message, sender: Sender, now: datetime) -> OrderFeed:
    orc, obr = group.first("ORC"), group.first("OBR")
    placer, authority = _placer(orc, obr, message)
    filler = orc.at(3) or obr.at(3)
    if not placer and not filler and act is not A.IGNORED:
        sentence = _("Numéro de demande absent (ORC-2)")
        raise refusals.refused(refusals.REQUIRED, sentence, "ORC", 2, orc.number or 1)
    return OrderFeed(
        act=act,
        control=control,
        placer_number=placer,
        placer_authority=authority,
        filler_number=filler,
        prescriber=fields.practitioner(orc, 12) or fields.practitioner(obr, 16),
        ward=_ward(orc, message),
        indication=_indication(obr),
        urgency=_urgency(group),
        comment="\n".join(text for note in group.all("NTE") if (text := note.text(3))) or None,
        weight_kg=_weight(group),
        steps=tuple(_steps(group, sender, now, act in (A.NEW, A.CHANGE))),
    )


def _placer(orc: Segment, obr: Segment, message: Message) -> tuple[str, str]:
    """ORC-2, else OBR-2, as number and authority; without authority it is the sending application's.

    Source: HL7 v2.5.1 2.A.28 (EI).
    """
    for segment in (orc, obr):
        if segment.at(2):
            number = segment[2]
            return number[1], number[2] or number[3] or message.header.at(3)
    return "", message.header.at(3)


def _ward(orc: Segment, message: Message) -> str | None:
    """The requesting department, else the organisation, else where the patient lies."""
    for found in (fields.value(orc, 13), fields.value(orc, 17, 2) or fields.value(orc, 17)):
        if found is not None:
            return found
    return fields.value(message.first("PV1"), 3)


def _indication(obr: Segment) -> str | None:
    """Reason for the study (OBR-31) and clinical information (OBR-13), each once."""
    reasons = [reason[2] or reason[1] for reason in obr.repetitions(31)]
    texts = dict.fromkeys(text for text in (*reasons, obr.text(13)) if text and text != '""')
    return "\n".join(texts) or None


def _urgency(group: Group) -> str | None:
    """TQ1-9, ORC-7.6, OBR-27.6 or OBR-5 as a letter of table 0485; words that are no urgency say nothing."""
    orc, obr = group.first("ORC"), group.first("OBR")
    for text in (group.first("TQ1").at(9), orc.at(7, 6), obr.at(27, 6), obr.at(5)):
        if text:
            return _URGENCY.get(text.upper(), text.upper()[:1] if len(text) <= 2 else None)
    return None


_URGENCY = {"STAT": "S", "ASAP": "A", "URGENT": "A", "ROUTINE": "R"}


def _steps(group: Group, sender: Sender, now: datetime, dated: bool) -> Iterator[OrderedStep]:
    """Every IPC under its OBR, else the OBR itself. dated: whether the planned time matters to what is asked."""
    orc, timing = group.first("ORC"), group.first("TQ1")
    study_uid = _study_uid(group)
    for procedure in groups((group.opener, *group.members), "OBR"):
        planned = _planned(procedure.first("TQ1") or timing, orc, procedure.opener, now) if dated else None
        base = _of_procedure(procedure, planned, study_uid, sender)
        ipcs = procedure.all("IPC")
        yield from (_of_ipc(ipc, base) for ipc in ipcs) if ipcs else (base,)


def _of_procedure(procedure: Group, planned: datetime | None, study_uid: str, sender: Sender) -> OrderedStep:
    obr = procedure.opener
    exam, other = (_coded(obr, 4, 1), _coded(obr, 4, 4))
    if sender.local_code or not exam[0]:
        exam, other = other, exam
    if not exam[0]:
        exam = _coded(obr, 44, 1)
    return OrderedStep(
        exam_code=exam[0],
        exam_label=exam[1],
        modality=obr.at(24) or _observed_modality(procedure),
        scheduled_at=planned,
        step_id=obr.at(20),
        requested_procedure_id=obr.at(19),
        accession_number=obr.at(18),
        study_instance_uid=study_uid,
        protocol=other[1] or other[0],
    )


def _of_ipc(ipc: Segment, base: OrderedStep) -> OrderedStep:
    """Source: HL7 v2.5.1 4.5.6 (IPC-1 accession … IPC-9 station AE title)."""
    uid = ipc.at(3)
    return OrderedStep(
        exam_code=base.exam_code,
        exam_label=base.exam_label,
        modality=ipc.at(5) or base.modality,
        scheduled_at=base.scheduled_at,
        station_ae=ipc.at(9),
        room=ipc.at(8, 2) or ipc.at(8) or ipc.at(7),
        step_id=ipc.at(4),
        requested_procedure_id=ipc.at(2) or base.requested_procedure_id,
        accession_number=ipc.at(1) or base.accession_number,
        study_instance_uid=uid if is_uid(uid) else base.study_instance_uid,
        protocol=ipc.at(6, 2) or ipc.at(6) or base.protocol,
    )


def _coded(segment: Segment, field: int, component: int) -> tuple[str, str]:
    """Code and text of a CE that begins at a component. Source: HL7 v2.5.1 2.A.9."""
    return segment.at(field, component), segment.at(field, component + 1)


def _study_uid(group: Group) -> str:
    """ZDS-1.1 (IHE RAD-4); "" when there is none or it is no UID: the box then issues its own."""
    uid = group.first("ZDS").at(1)
    return uid if is_uid(uid) else ""


def _planned(timing: Segment, orc: Segment, obr: Segment, now: datetime) -> datetime | None:
    """When the exam is planned: TQ1-7, else ORC-7.4, else OBR-27.4; UTC."""
    for segment, field, component in ((timing, 7, 1), (orc, 7, 4), (obr, 27, 4)):
        if segment.at(field, component):
            return dates.time_of(segment, field, now.tzinfo or UTC, component)
    return None


def _observed_modality(procedure: Group) -> str:
    """OBX `MODALITE_IMAGERIE` of the French tele-radiology order (ANS), a code of DICOM's own table."""
    for obx in procedure.all("OBX"):
        if obx.at(3) == "MODALITE_IMAGERIE":
            return obx.at(5)
    return ""


_WEIGHT_CODES = frozenset({"29463-7", "3141-9"})  # LOINC: body weight, body weight measured
_KILOGRAMS = {"": 1.0, "KG": 1.0, "G": 0.001}


def _weight(group: Group) -> float | None:
    """Body weight in kg of an OBX of the order; a value that is no number, or in another unit, is left out."""
    for obx in group.all("OBX"):
        named = "BODY WEIGHT" in (obx.at(3).upper(), obx.at(3, 2).upper())
        unit = _KILOGRAMS.get(obx.at(6).upper())
        if (named or obx.at(3) in _WEIGHT_CODES) and unit:
            return _number(obx.at(5), unit)
    return None


def _number(text: str, unit: float) -> float | None:
    try:
        number = float(text.replace(",", ".")) * unit
    except ValueError:
        return None
    return round(number, 3) if 0 < number < 400 else None


def warnings(message: Message, found: tuple[OrderFeed, ...]) -> tuple[str, ...]:
    """What was understood but not followed, in French."""
    said = [_("Demande sans effet ici : ORC-1 = %s") % feed.control[:10] for feed in found if feed.act is A.IGNORED]
    if any(segment.at(1) and not is_uid(segment.at(1)) for segment in message.all("ZDS")):
        said.append(_("Identifiant d'étude invalide dans ZDS-1 : remplacé"))
    return tuple(dict.fromkeys(said))
