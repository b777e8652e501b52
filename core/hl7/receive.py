"""From the bytes of a frame to the bytes of its answer: read, translate, ask the inbox, acknowledge.

No answer leaves before the inbox has committed: an ACK is a promise.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Protocol

from core.clock import Clock
from core.errors import BadMessage, YelenError
from core.hl7 import adt, dates, orders, prescan, refusals
from core.hl7.acknowledge import Header, Verdict, ack, header_of, verdict_of
from core.hl7.framing import Frame
from core.hl7.sender import Sender, find
from core.hl7.tokenizer import Message, read
from core.i18n import _
from core.model.his import Applied, HisMessage, InboxState
from core.model.people import Actor

log = logging.getLogger(__name__)

VERSION = re.compile(r"2\.[1-8](?:\.\d{1,2})?")
ORDERS = frozenset({"ORM^O01", "OMG^O19", "OMI^O23"})
TYPES = frozenset({"ADT", *(kind.partition("^")[0] for kind in ORDERS)})


class Inbox(Protocol):
    """What the services do with a message: `core.services.his`."""

    def receive(self, actor: Actor, message: HisMessage) -> Applied:
        """Inbox row and effect in one committed transaction; the outcome that the sender is told."""

    def set_aside(self, actor: Actor, message: HisMessage, applied: Applied) -> None:
        """Inbox row without effect: refused, or quarantined."""

    def alert(self, actor: Actor, what: str) -> None:
        """A security event of this door: unknown caller, junk, frame too long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to write back, if anything, and whether the connection may go on."""

    data: bytes = b""
    close: bool = False


class Receiver:
    """One for the whole door; called by the thread of each connection."""

    def __init__(
        self,
        inbox: Inbox,
        senders: Callable[[], Iterable[Sender]],
        clock: Clock,
        zone: tzinfo,
        unknown_senders: str = "reject",
        authority: str = "",
    ) -> None:
        self._inbox = inbox
        self._senders = senders
        self._clock = clock
        self._zone = zone
        self._unknown = unknown_senders
        self._authority = authority
        self._serial = itertools.count(1)

    def admit(self, address: str) -> Sender | None:
        """Who calls; None, and a security event, when nobody we listen to."""
        sender = find(self._senders(), address, self._unknown, self._authority)
        if sender is None:
            self.alert(address, "unknown sender")
        return sender

    def alert(self, address: str, what: str) -> None:
        log.warning("hl7 %s: %s", address, what)
        self._inbox.alert(_actor("hl7", address), what)

    def answer(self, frame: Frame, sender: Sender, address: str) -> Answer:
        """The answers to every message of a frame, in order."""
        try:
            messages = prescan.messages(frame.payload, sender.limits)
        except BadMessage as error:
            self._keep(frame.payload, error, sender, address)
            return self.refuse(frame.payload, error, sender, address)
        answers = [self._answer_one(raw, frame, sender, address) for raw in messages]
        if not prescan.is_batch(frame.payload):
            return Answer(b"".join(answers))
        return Answer(b"BHS|^~\\&\r" + b"".join(answers) + b"BTS|%d\r" % len(answers))

    def refuse(self, head: bytes, error: BadMessage, sender: Sender, address: str) -> Answer:
        """The last words to a sender whose stream cannot be followed any more; silence when it gave no MSH."""
        self.alert(address, error.reason)
        header = header_of(head, sender.charsets, sender.default_version)
        if header is None:
            return Answer(close=True)
        return Answer(self._acknowledge(header, verdict_of(error), sender), close=True)

    def _answer_one(self, raw: bytes, frame: Frame, sender: Sender, address: str) -> bytes:
        header = header_of(raw, sender.charsets, sender.default_version) or Header()
        if header.component(9, 1) == "ACK":
            return b""  # an answer needs no answer
        verdict = self._decide(raw, frame, sender, address, header)
        kind = f"{header.component(9, 1)} {header.component(9, 2)}"
        log.info("hl7 %s: %s %r, %s %s", sender.name, kind, header.raw(10)[:40], verdict.code, verdict.error)
        return self._acknowledge(header, verdict, sender)

    def _decide(self, raw: bytes, frame: Frame, sender: Sender, address: str, header: Header) -> Verdict:
        actor = _actor(sender.name, address)
        envelope = _envelope(raw, header, sender, address)
        try:
            if sender.quarantined:
                self._inbox.set_aside(actor, envelope, Applied("AA", InboxState.QUARANTINED, _("expéditeur inconnu")))
                return Verdict("AA", warnings=(_("Expéditeur inconnu : message gardé, non appliqué"),))
            message = self._translate(raw, frame, sender, envelope)
            return _verdict(self._inbox.receive(actor, message))
        except BadMessage as error:
            return self._set_aside(actor, envelope, error)
        except YelenError as error:
            return verdict_of(error)
        except Exception as error:  # the door: logged whole, answered with "try again", nothing half-written
            log.exception("hl7 %s: message not applied", sender.name)
            return verdict_of(error)

    def _keep(self, payload: bytes, error: BadMessage, sender: Sender, address: str) -> None:
        """The bytes of a whole frame that holds no message we can name; the sender learns nothing more by it."""
        header = header_of(payload, sender.charsets, sender.default_version)
        state = InboxState.REFUSED if header else InboxState.QUARANTINED
        code = verdict_of(error).code if header else ""
        envelope = _envelope(payload, header or Header(), sender, address)
        try:
            self._inbox.set_aside(_actor(sender.name, address), envelope, Applied(code, state, str(error)))
        except Exception:
            log.exception("hl7 %s: unreadable frame not kept", sender.name)

    def _set_aside(self, actor: Actor, envelope: HisMessage, error: BadMessage) -> Verdict:
        refused = verdict_of(error)
        try:
            self._inbox.set_aside(actor, envelope, Applied(refused.code, InboxState.REFUSED, str(error)))
        except Exception as fault:
            log.exception("hl7: refused message not kept")
            return verdict_of(fault)
        return refused

    def _translate(self, raw: bytes, frame: Frame, sender: Sender, envelope: HisMessage) -> HisMessage:
        message = read(raw, sender.limits, sender.charsets)
        check_header(message, sender)
        now = self._clock.now().astimezone(self._zone)
        return translate(message, sender, now, envelope, frame.warnings)

    def _acknowledge(self, header: Header, verdict: Verdict, sender: Sender) -> bytes:
        now = self._clock.now().astimezone(self._zone)
        enhanced = sender.enhanced and header.raw(15) == "AL"
        return ack(header, verdict, f"Y{now:%y%m%d%H%M%S}{next(self._serial)}", now, enhanced)


def check_header(message: Message, sender: Sender) -> None:
    """Raises `BadMessage` for a type, version or processing id that is not for us, or a missing MSH-10."""
    kind, event = message.kind, message.event
    named, spoken = f"{kind}^{event}", f"{kind} {event}"[:20]
    if kind not in TYPES:
        raise _refused(refusals.UNSUPPORTED_TYPE, _("Type de message non pris en charge : %s") % spoken, 9)
    if kind != "ADT" and _order_type(message) not in ORDERS:
        raise _refused(refusals.UNSUPPORTED_EVENT, _("Événement non pris en charge : %s") % spoken, 9)
    version = message.header.at(12) or sender.default_version
    if VERSION.fullmatch(version) is None:
        raise _refused(refusals.VERSION, _("Version HL7 non prise en charge : %s") % version[:20], 12)
    if sender.processing_id and message.header.at(11) not in ("", sender.processing_id):
        sentence = _("MSH-11 : %s attendu") % sender.processing_id
        raise _refused(refusals.PROCESSING_ID, sentence, 11)
    if not message.control_id:
        raise _refused(refusals.REQUIRED, _("MSH-10 absent : message sans numéro"), 10)
    for field, expected in ((3, sender.application), (4, sender.facility)):
        if expected and message.header.at(field) != expected:
            raise _refused(refusals.UNTRUSTED, _("MSH-%d : %s attendu") % (field, expected), field)
    if not sender.may_send(named):
        raise _refused(refusals.UNTRUSTED, _("Cet expéditeur n'a pas le droit d'envoyer %s") % spoken, 9)


def _refused(code: str, sentence: str, field: int) -> BadMessage:
    return refusals.refused(code, sentence, "MSH", field)


def _order_type(message: Message) -> str:
    """`ORM` alone means `ORM^O01`, as senders of version 2.1 write it."""
    return f"{message.kind}^{message.event or 'O01'}"


def translate(
    message: Message, sender: Sender, now: datetime, envelope: HisMessage, warnings: tuple[str, ...] = ()
) -> HisMessage:
    """The message free of HL7 spelling. Raises `BadMessage` naming the field that cannot be taken."""
    warnings = (*warnings, *message.warnings)
    envelope = replace(
        envelope,
        sending_application=message.header.at(3),
        sending_facility=message.header.at(4),
        control_id=message.control_id,
        message_type=f"{message.kind}^{message.event}",
        message_time=message.header.at(7),
        event_time=_event_time(message, now),
    )
    if message.kind == "ADT":
        feed = adt.feed(message, sender, now)
        return replace(envelope, adt=feed, warnings=(*warnings, *adt.warnings(feed)))
    patient, found = adt.patient(message, sender, now), orders.feeds(message, sender, now)
    return replace(envelope, patient=patient, orders=found, warnings=(*warnings, *orders.warnings(message, found)))


def _event_time(message: Message, now: datetime) -> datetime | None:
    """EVN-2, else MSH-7."""
    zone = now.tzinfo
    assert zone is not None
    return dates.time_of(message.first("EVN"), 2, zone) or dates.time_of(message.header, 7, zone)


def _envelope(raw: bytes, header: Header, sender: Sender, address: str) -> HisMessage:
    """What is known of a message before it is read."""
    return HisMessage(
        raw=raw,
        sha256=hashlib.sha256(raw).hexdigest(),
        sending_application=header.raw(3),
        sending_facility=header.raw(4),
        control_id=header.raw(10),
        message_type=f"{header.component(9, 1)}^{header.component(9, 2)}".rstrip("^"),
        message_time=header.raw(7),
        event_time=None,
        peer=address,
        sender=sender.name,
    )


def _verdict(applied: Applied) -> Verdict:
    location = tuple(applied.location.split("^")) if applied.location else ()
    return Verdict(applied.code, applied.error, applied.text, location, applied.warnings)


def _actor(name: str, address: str) -> Actor:
    return Actor.system(name, f"hl7 {name}@{address}")
