"""What a retrieve may do on the association that asked for it, before its final response.

Send an object to a requestor that took the SCP role, say how far it is, notice a C-CANCEL or that nobody listens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.archive.outgoing import Body
from core.dicom import conformance, dimse, upper_layer
from core.dicom.dimse import Command, Reply
from core.dicom.negotiation import Agreement, Context
from core.dicom.sending import Shipment, store_command
from core.dicom.suboperations import Cancelled, RequestorGone
from core.dicom.upper_layer import BadPdu, CommandReceived, Event
from core.dicom.wire import PeerGone, Wire
from core.model.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class Talk:
    """The association's own ways of speaking.

    blocked: called while the peer takes nothing, may raise. next_event: waits for an answer. cancelled: whether a
    C-CANCEL of this request is there.
    """

    wire: Wire
    blocked: Callable[[], None]
    next_event: Callable[[], Event]
    cancelled: Callable[[], bool]
    say: Callable[[Reply], None]


class Requestor:
    """The association of one retrieve request; a `Channel`."""

    def __init__(self, command: Command, agreement: Agreement, talk: Talk) -> None:
        self._command = command
        self._agreement = agreement
        self._talk = talk
        self._cancelled = False
        self._message_id = 0
        self._shipment = Shipment()
        roles = agreement.acceptance.roles
        only_plain = agreement.caller.device is not None and agreement.caller.device.uncompressed
        self._contexts: dict[str, list[Context]] = {}
        for context in agreement.contexts.values():
            role = roles.get(context.abstract_syntax)
            plain = context.transfer_syntax in conformance.UNCOMPRESSED_SYNTAXES
            if role is not None and role.scp and (plain or not only_plain):
                self._contexts.setdefault(context.abstract_syntax, []).append(context)

    def contexts(self, sop_class: str) -> Sequence[Context]:
        return self._contexts.get(sop_class, ())

    def load(self, context: Context, outgoing: Outgoing, body: Body) -> None:
        number = self._message_id % 0xFFFF + 1
        command = store_command(number, outgoing.sop_class_uid, outgoing.sop_instance_uid, self._command.priority)
        self._shipment.load(context.context_id, command, body, self._agreement.peer_max_pdu)

    def send(self) -> None:
        self._message_id = self._message_id % 0xFFFF + 1
        self._shipment.send(self._talk.wire, self._talk.blocked)

    def close(self) -> None:
        """Nothing more is sent."""
        self._shipment.unload()

    def finish(self) -> int:
        while True:
            event = self._talk.next_event()
            if not isinstance(event, CommandReceived):
                raise PeerGone("left in the middle of a retrieve")
            answer = dimse.decode(event.command)
            if answer.field == dimse.C_CANCEL_RQ and not answer.has_data_set:
                self._cancelled |= answer.responded_to == self._command.message_id
                continue
            store = answer.field == dimse.C_STORE_RQ | dimse.RESPONSE and not answer.has_data_set
            if not store or answer.responded_to != self._message_id or answer.status is None:
                raise BadPdu("not the answer to our request", upper_layer.UNEXPECTED_PDU)
            return answer.status

    def report(self, reply: Reply) -> None:
        """A pending response, at once. Raises `RequestorGone`."""
        try:
            self._talk.say(reply)
        except PeerGone as error:
            raise RequestorGone from error

    def check(self) -> None:
        """Raises `Cancelled` or `RequestorGone`."""
        try:
            self._cancelled = self._cancelled or self._talk.cancelled()
        except PeerGone as error:
            raise RequestorGone from error
        if self._cancelled:
            raise Cancelled
