"""What the HIS says, applied: inbox row, effect and audit in one transaction, then the answer.

The same message twice is answered the same and applied once. Older news never overwrites newer. What a person must
decide is accepted and held: refusing it would only block the sender's queue.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from core.errors import BadMessage, YelenError
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Inbox
from core.index.writer import Unit
from core.model.device import HisSender
from core.model.his import AdtKind, Applied, HisMessage, InboxState, MessageLine
from core.model.people import Actor, Role
from core.services.access import require
from core.services.devices import Devices
from core.services.his_adt import apply_merge, upsert
from core.services.his_orders import apply_orders
from core.services.kit import Kit

log = logging.getLogger(__name__)


class His:
    """Verbs of the HL7 door."""

    def __init__(self, kit: Kit, devices: Devices) -> None:
        self._kit = kit
        self._devices = devices

    def senders(self) -> Iterable[HisSender]:
        return self._devices.senders()

    def receive(self, actor: Actor, message: HisMessage) -> Applied:
        """Keep a message, do what it says, and tell the outcome once both are durable."""
        try:
            return self._kit.index.writer.do(lambda unit: self._apply(unit, actor, message))
        except BadMessage as refusal:
            code, error, location = "AE", refusal.reason or "207", ""
            text = str(refusal)
        except YelenError as refusal:
            code, error, location, text = "AE", "207", "", str(refusal)
        except Exception:
            log.exception("message %s not applied", message.control_id)
            code, error, location, text = "AE", "207", "", _("Erreur interne : le message sera renvoyé.")
        state = InboxState.ERROR if error == "207" else InboxState.REFUSED
        applied = Applied(code, state, text, error, location)
        return self._kit.index.writer.do(lambda unit: self._keep(unit, actor, message, applied))

    def set_aside(self, actor: Actor, message: HisMessage, applied: Applied) -> None:
        """Keep a message without doing what it says: refused by the door, or from a stranger. applied: the answer.

        Junk without a number is kept once, however often it is sent.
        """

        def act(unit: Unit) -> None:
            if message.control_id or not _kept_before(message):
                self._keep(unit, actor, message, applied)

        self._kit.index.writer.do(act)

    def alert(self, actor: Actor, what: str) -> None:
        """A caller that was refused or spoke nonsense."""
        self._devices.attempt("hl7", "", actor.origin.rpartition("@")[2], what)

    def messages(self, actor: Actor, limit: int = 100) -> list[MessageLine]:
        require(actor, Role.ADMINISTRATOR)
        rows = Inbox.select().order_by(Inbox.id.desc()).limit(limit)
        return [
            MessageLine(
                r.id,
                r.received_at,
                r.message_type,
                r.control_id,
                r.sender or r.application,
                r.peer,
                InboxState(r.state),
                r.ack_code,
                r.effect or r.ack_text,
            )
            for r in rows
        ]

    # Inside the act

    def _apply(self, unit: Unit, actor: Actor, message: HisMessage) -> Applied:
        earlier = _earlier(message)
        same = next((e for e in earlier if e.sha256 == message.sha256 and e.state != str(InboxState.ERROR)), None)
        if same is not None:
            state = InboxState(same.state)
            return Applied(
                same.ack_code, state, same.ack_text, same.ack_error, same.ack_location, replay=True, inbox_id=same.id
            )
        if any(e.sha256 != message.sha256 and e.message_time == message.message_time for e in earlier):
            text = _("Identifiant de message (MSH-10) réutilisé pour un autre contenu.")
            unit.event("alarm", "hl7")
            return self._keep(unit, actor, message, Applied("AR", InboxState.QUARANTINED, text, "205", "MSH^1^10"))
        warnings = list(message.warnings)
        if any(e.sha256 != message.sha256 for e in earlier):
            warnings.append(_("Identifiant de message déjà vu, autre date : traité."))
        state, effect = self._effect(unit, actor, message)
        return self._keep(unit, actor, message, Applied("AA", state, effect, warnings=tuple(warnings)))

    def _effect(self, unit: Unit, actor: Actor, message: HisMessage) -> tuple[InboxState, str]:
        sender = next((s for s in self.senders() if s.active and s.name == message.sender), None)
        if message.adt is not None:
            return self._adt(unit, actor, message, sender)
        state, effect = InboxState.APPLIED, ""
        told = None
        if message.patient is not None:
            told = upsert(unit, self._kit, actor, message.patient, message.event_time)
        if message.orders:
            if told is None:
                raise BadMessage(_("Demande sans patient (PID-3)."), "101")
            state, effect = apply_orders(unit, self._kit, actor, told.row, message)
        if told is not None and told.held:
            return InboxState.HELD, "; ".join(text for text in (told.held, effect) if text)
        return state, effect

    def _adt(self, unit: Unit, actor: Actor, message: HisMessage, sender: HisSender | None) -> tuple[InboxState, str]:
        adt = message.adt
        assert adt is not None
        if adt.kind is AdtKind.IGNORED:
            return InboxState.APPLIED, _("sans effet en imagerie")
        if adt.kind in (AdtKind.MERGE, AdtKind.CHANGE_ID):
            if sender is None or not sender.may_merge:
                raise BadMessage(_("Cet expéditeur n'a pas le droit de fusionner."), "204")
            return apply_merge(unit, self._kit, actor, adt, message.event_time)
        closes = adt.kind is AdtKind.DISCHARGE
        told = [upsert(unit, self._kit, actor, feed, message.event_time, closes) for feed in adt.patients]
        if held := "; ".join(one.held for one in told if one.held):
            return InboxState.HELD, held
        if any(one.stale for one in told):
            return InboxState.STALE, _("plus ancien que ce qui est connu")
        return InboxState.APPLIED, ""

    def _keep(self, unit: Unit, actor: Actor, message: HisMessage, applied: Applied) -> Applied:
        row = insert(
            Inbox,
            message=message.raw,
            sha256=message.sha256,
            application=message.sending_application,
            facility=message.sending_facility,
            control_id=message.control_id,
            message_type=message.message_type,
            message_time=message.message_time,
            peer=message.peer,
            sender=message.sender,
            state=str(applied.state),
            ack_code=applied.code,
            ack_error=applied.error,
            ack_location=applied.location,
            ack_text=applied.text,
            effect=applied.text,
            received_at=unit.now,
        )
        unit.audit(
            actor,
            "hl7_in",
            f"message:{row.id}",
            outcome=applied.code,
            type=message.message_type,
            control_id=message.control_id,
            state=str(applied.state),
        )
        unit.event("messages", row.id)
        return Applied(
            applied.code,
            applied.state,
            applied.text,
            applied.error,
            applied.location,
            applied.warnings,
            inbox_id=row.id,
        )


def _kept_before(message: HisMessage) -> bool:
    return bool(
        Inbox.select()
        .where(
            Inbox.application == message.sending_application,
            Inbox.facility == message.sending_facility,
            Inbox.control_id == "",
            Inbox.sha256 == message.sha256,
        )
        .exists()
    )


def _earlier(message: HisMessage) -> list[Any]:
    """Messages with the same sender and MSH-10 that counted."""
    return list(
        Inbox.select().where(
            Inbox.application == message.sending_application,
            Inbox.facility == message.sending_facility,
            Inbox.control_id == message.control_id,
            Inbox.state.not_in([str(InboxState.QUARANTINED), str(InboxState.REFUSED)]),
        )
    )
