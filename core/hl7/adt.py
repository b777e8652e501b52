"""Patient administration: what an ADT event says, as `AdtFeed`. Which event means what is the table `EVENTS`.

Source: HL7 v2.5.1 chapter 3; IHE ITI PAM (ITI-30, ITI-31).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from core.errors import BadInput
from core.hl7 import dates, fields, refusals
from core.hl7.sender import Sender
from core.hl7.tokenizer import DELETED, Message, Segment, first, groups
from core.i18n import _
from core.model import birth
from core.model.birth import Birth
from core.model.his import AdtFeed, AdtKind, PatientFeed
from core.model.identifiers import Identifier

K = AdtKind

EVENTS: dict[str, AdtKind] = {
    "A01": K.ADMIT,
    "A02": K.UPSERT,  # the new place is in PV1
    "A03": K.DISCHARGE,
    "A04": K.ADMIT,
    "A05": K.UPSERT,
    "A06": K.ADMIT,
    "A07": K.ADMIT,
    "A08": K.UPSERT,
    "A10": K.ADMIT,
    "A11": K.IGNORED,  # a cancelled visit cancels no exam by itself
    "A12": K.UPSERT,
    "A13": K.ADMIT,
    "A28": K.UPSERT,
    "A31": K.UPSERT,
    "A37": K.IGNORED,  # undoing a merge is for the identity officer
    "A38": K.IGNORED,
    "A40": K.MERGE,
    "A47": K.CHANGE_ID,
}

LEGACY_MERGES = frozenset({"A18", "A30", "A34", "A36", "A39"})

TO_CHECK: dict[str, str] = {
    "A11": "visite annulée par le SIH : examens prévus à vérifier",
    "A37": "fusion annulée par le SIH : à traiter par l'identitovigilance",
    "A38": "préadmission annulée par le SIH : examens prévus à vérifier",
}

SEXES = {"F": "F", "M": "M", "O": "O", "A": "O", "N": "O"}  # table 0001 in DICOM's letters; U says nothing
OLDEST = 130  # years


def kind_of(event: str, sender: Sender) -> AdtKind | None:
    """What an event does here; None when it is not supported."""
    if event in LEGACY_MERGES:
        return K.MERGE if sender.legacy_merge else None
    return EVENTS.get(event)


def feed(message: Message, sender: Sender, now: datetime) -> AdtFeed:
    """The event of one ADT message. now: with the site's time zone.

    Raises `BadMessage`: `unsupported-event`, or the first field that cannot be taken; then nothing may be applied.
    """
    event = message.event
    kind = kind_of(event, sender)
    if kind is None:
        sentence = _("Événement non pris en charge : %s") % f"ADT {event}"[:20]
        raise refusals.refused(refusals.UNSUPPORTED_EVENT, sentence, "MSH", 9)
    if kind in (K.MERGE, K.CHANGE_ID):
        merges = tuple(_merges(message, sender, now))
        return AdtFeed(event, kind, tuple(survivor for _prior, survivor in merges), merges)
    return AdtFeed(event, kind, (patient(message, sender, now),))


def warnings(feed: AdtFeed) -> tuple[str, ...]:
    """What a person has to look at, in French."""
    return (_(TO_CHECK[feed.event]),) if feed.event in TO_CHECK else ()


def _merges(message: Message, sender: Sender, now: datetime) -> Iterator[tuple[Identifier, PatientFeed]]:
    """Each PID with its MRG. Source: HL7 v2.5.1 3.3.40 (A40), 3.3.47 (A47)."""
    found = groups(message.segments, "PID")
    if not found:
        raise _no_pid()
    for group in found:
        merge = group.first("MRG")
        if not merge:
            sentence = _("MRG absent : numéro à fusionner inconnu")
            raise refusals.refused(refusals.REQUIRED, sentence, "MRG", 1, group.opener.number)
        prior = fields.principal(merge, 1, sender)
        survivor = patient_of(group.opener, group.first("PV1"), sender, now)
        if (prior.value, prior.authority) == (survivor.principal.value, survivor.principal.authority):
            sentence = _("Fusion d'un numéro avec lui-même : MRG-1 et PID-3 sont égaux")
            raise refusals.refused(refusals.DUPLICATE_KEY, sentence, "MRG", 1, merge.number)
        yield prior, survivor


def patient(message: Message, sender: Sender, now: datetime) -> PatientFeed:
    """The patient of a message that speaks of one."""
    pid = first(message.segments, "PID")
    if pid is None:
        raise _no_pid()
    return patient_of(pid, message.first("PV1"), sender, now)


def _no_pid() -> Exception:
    return refusals.refused(refusals.REQUIRED, _("PID absent : patient inconnu"), "PID", 3)


def patient_of(pid: Segment, pv1: Segment, sender: Sender, now: datetime) -> PatientFeed:
    """PID and PV1 as a feed. Raises `BadMessage` naming the field."""
    family, given = fields.person(fields.legal_name(pid, 5))
    mother_family, mother_given = fields.person(fields.legal_name(pid, 6))
    return PatientFeed(
        principal=fields.principal(pid, 3, sender),
        identifiers=fields.identifiers(pid, 3, sender),
        family_name=family,
        given_names=given,
        birth=_birth(pid, now),
        sex=_sex(pid, sender),
        mother_family_name=mother_family,
        mother_given_names=mother_given,
        mother_number=fields.value(pid, 21),
        birth_order=_rank(pid),
        phone=fields.phone(pid, 13),
        address=fields.address(pid, 11),
        national_id=fields.value(pid, 19),
        deceased_on=_death(pid, now),
        visit_number=fields.value(pv1, 19) or fields.value(pid, 18),
        patient_class=fields.value(pv1, 2),
        ward=fields.value(pv1, 3, 1),
        room=fields.value(pv1, 3, 2),
        bed=fields.value(pv1, 3, 3),
    )


def _birth(pid: Segment, now: datetime) -> Birth | None:
    """PID-7 as an interval: a year, a month, a day, or « vers 2019 ». Raises `BadMessage` (`bad-date`)."""
    text = pid.at(7)
    if not text:
        return None
    if text == DELETED:
        return birth.UNKNOWN
    try:
        born = _interval(text, now)
    except (ValueError, BadInput):
        raise dates.bad_date(pid, 7) from None
    if born.earliest is not None and not now.year - OLDEST <= born.earliest.year <= now.year:
        raise dates.bad_date(pid, 7)
    if born.earliest is not None and born.earliest > now.date():
        raise dates.bad_date(pid, 7)
    return born


def _interval(text: str, now: datetime) -> Birth:
    if not text[:4].isdigit():
        return birth.parse(text, now.date())
    written = dates.parse(text, now.tzinfo or UTC)
    if written is None:
        return birth.UNKNOWN
    if written.digits == 4:
        return birth.in_year(written.day.year)
    if written.digits == 6:
        return birth.in_month(written.day.year, written.day.month)
    return birth.on_day(written.day)


def _sex(pid: Segment, sender: Sender) -> str | None:
    """(0010,0040) letters. The sender's own spelling first, then table 0001; U is no information."""
    text = pid.at(8).upper()
    if text == DELETED:
        return ""
    text = sender.sexes.get(text, text)
    if text in ("", "U"):
        return None
    if text not in SEXES:
        sentence = _("Sexe inconnu dans PID-8 : %s") % text[:10]
        raise refusals.refused(refusals.BAD_VALUE, sentence, "PID", 8, pid.number)
    return SEXES[text]


def _rank(pid: Segment) -> int | None:
    """PID-25: the rank of a twin; nonsense says nothing."""
    text = pid.at(25)
    return int(text) if text.isdecimal() and len(text) == 1 and text != "0" else None


def _death(pid: Segment, now: datetime) -> date | None:
    try:
        written = dates.parse(pid.at(29), now.tzinfo or UTC)
    except ValueError:
        raise dates.bad_date(pid, 29) from None
    return written.day if written else None
