"""An established association: one blocking loop that reads messages, asks the handlers and writes their replies."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Generator, Iterable, Iterator
from enum import Enum

from core.clock import Clock
from core.dicom import associate, dimse, upper_layer
from core.dicom.asking import Questions
from core.dicom.conformance import is_storage
from core.dicom.dimse import BadCommand, Command, Reply
from core.dicom.handlers import Handler, Request, Routes
from core.dicom.incoming import Incoming, Memory
from core.dicom.limits import Limits
from core.dicom.negotiation import Agreement, Context
from core.dicom.requestor import Requestor, Talk
from core.dicom.status import (
    CANCELLED,
    PENDING,
    PENDING_UNSUPPORTED_KEYS,
    SOP_CLASS_NOT_SUPPORTED,
    UNRECOGNISED_OPERATION,
    find_failure,
    normalized_failure,
    retrieve_failure,
)
from core.dicom.upper_layer import (
    ABORTED,
    DATA_SET_COMPLETE,
    NEED_DATA,
    RELEASE_REQUESTED,
    BadPdu,
    CommandReceived,
    Event,
    Inbound,
)
from core.dicom.wire import FileShort, PeerGone, TimeLimit, Wire, prepare

_log = logging.getLogger(__name__)
_STRANGE_IN_A_ROW = 3


class Ending(Enum):
    """How an association ended."""

    RELEASED = "released"
    ABORTED_BY_PEER = "aborted by the peer"
    GONE = "connection lost"
    ABORTED = "aborted by us"
    STOPPED = "the server stops"


class _Stopping(Exception):
    """The server stops and nothing is in progress."""


class Collected:
    """The small data set of a query or a DIMSE-N request, bounded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def write(self, piece: memoryview, /) -> None:
        if len(self._bytes) + len(piece) > self._limit:
            raise BadPdu(f"identifier above {self._limit} bytes", upper_layer.INVALID_PARAMETER)
        self._bytes += piece

    def whole(self) -> bytes:
        return bytes(self._bytes)


class Association:
    """Drives one negotiated connection to its end. `reason` explains an abort by us, for the log."""

    def __init__(
        self,
        connection: socket.socket,
        agreement: Agreement,
        routes: Routes,
        limits: Limits,
        clock: Clock,
        name: str,
        leftover: bytes = b"",
    ) -> None:
        prepare(connection, limits.tick)
        self._wire = Wire(connection, self._woken)
        self._agreement = agreement
        self._routes = routes
        self._limits = limits
        self._clock = clock
        self._name = name
        self._stream = Inbound(agreement.contexts, agreement.max_pdu + limits.pdu_slack, limits.command_size, leftover)
        self._memory = Memory()
        self._since = clock.monotonic()  # the last complete PDU, or the start of the message in progress
        self._pdus = 0
        self._strange = 0
        self._idle_cancels = 0
        self._questions = Questions()
        self._stopping = False
        self._patience = limits.idle_time
        self.reason = ""

    def stop(self) -> None:
        """End as soon as no message is in progress. Called from another thread."""
        self._stopping = True

    def cut(self) -> None:
        """End now. Called from another thread."""
        with contextlib.suppress(OSError):
            self._wire.socket.shutdown(socket.SHUT_RDWR)

    def run(self) -> Ending:
        """Until the peer leaves or breaks a rule. Never raises."""
        try:
            return self._converse()
        except PeerGone:
            return Ending.GONE
        except _Stopping:
            self._wire.try_send(upper_layer.abort())
            return Ending.STOPPED
        except BadPdu as error:
            return self._abort(error.reason, error.abort_reason)
        except (BadCommand, TimeLimit) as error:
            return self._abort(getattr(error, "reason", "") or str(error), upper_layer.INVALID_PARAMETER)
        except Exception:
            _log.exception("association %s failed", self._name)
            return self._abort("internal error", 0)
        finally:
            self._questions.close()

    def _abort(self, reason: str, abort_reason: int) -> Ending:
        self.reason = reason
        self._wire.try_send(upper_layer.abort(abort_reason))
        return Ending.ABORTED

    def _converse(self) -> Ending:
        self._send(associate.encode(self._agreement.acceptance))
        while True:
            event = self._next_event()
            if isinstance(event, CommandReceived):
                self._answer(event)
            elif event is RELEASE_REQUESTED:
                self._send(upper_layer.RELEASE_REPLY)
                return Ending.RELEASED
            elif event is ABORTED:
                return Ending.ABORTED_BY_PEER

    # Reading

    def _next_event(self) -> Event:
        stream = self._stream
        while (event := stream.next_event()) is NEED_DATA:
            busy = stream.busy
            self._mark_progress()
            if busy:
                self._check_progress()
            elif self._stopping:
                raise _Stopping
            stream.received(self._wire.receive(stream.space()))
            if not busy:
                self._since = self._clock.monotonic()
        self._mark_progress()
        return event

    def _mark_progress(self) -> None:
        if self._stream.pdus != self._pdus:
            self._pdus, self._since = self._stream.pdus, self._clock.monotonic()

    def _woken(self) -> None:
        """A tick without a byte."""
        if self._stream.busy:
            self._check_progress()
            return
        self._memory.release()
        if self._stopping:
            raise _Stopping
        if self._patience == self._limits.idle_time:  # not while an object of ours waits for its answer
            self._ask()
        if self._clock.monotonic() - self._since > self._patience:
            raise TimeLimit(f"idle for more than {self._patience:g} s")

    def _ask(self) -> None:
        """The peer said nothing for a tick: our turn."""
        if (asked := self._questions.next()) is not None:
            number, question = asked
            command = dimse.request(question.elements, number)
            context_id, theirs = question.context.context_id, self._agreement.peer_max_pdu
            self._send(upper_layer.message(context_id, command, question.data_set, theirs))

    def _check_progress(self) -> None:
        if self._clock.monotonic() - self._since > self._limits.pdu_time:
            raise TimeLimit(f"no complete PDU for {self._limits.pdu_time:g} s")

    # Answering

    def _answer(self, event: CommandReceived) -> None:
        command = dimse.decode(event.command)
        context = self._agreement.contexts[event.context_id]
        if self._may_store(command, context):
            self._strange = self._idle_cancels = 0
            self._store(command, context)
            return
        data_set = self._collect() if command.has_data_set else b""
        if command.field == dimse.C_CANCEL_RQ:
            self._cancel_nothing()
            return
        self._idle_cancels = 0
        if command.field & dimse.RESPONSE and self._questions.answered(command):
            self._strange = 0
            return
        self._operate(self._request(command, context, data_set))

    def _may_store(self, command: Command, context: Context) -> bool:
        """Objects come over storage contexts alone: those were only offered to machines that may store."""
        wanted = command.field == dimse.C_STORE_RQ and command.has_data_set
        return wanted and self._routes.storage is not None and is_storage(context.abstract_syntax)

    def _request(self, command: Command, context: Context, data_set: bytes = b"") -> Request:
        agreement = self._agreement
        extended = agreement.acceptance.extended.get(context.abstract_syntax, b"")
        return Request(
            command,
            context,
            agreement.caller,
            agreement.called,
            self._name,
            data_set,
            extended,
            self._questions,
            self._requestor,
        )

    def _requestor(self, request: Request) -> Requestor:
        """For a retrieve: what it may do here before its final response."""
        talk = Talk(
            self._wire,
            self._taking(),
            self._next_answer,
            lambda: self._cancelled(request.command),
            lambda reply: self._send(self._encoded(request.command, request.context, reply)),
        )
        return Requestor(request.command, self._agreement, talk)

    def _next_answer(self) -> Event:
        """What the peer answers to a request of ours; it has less time than between two requests of its own."""
        self._since, self._patience = self._clock.monotonic(), self._limits.response_time
        try:
            return self._next_event()
        finally:
            self._patience = self._limits.idle_time

    def _collect(self) -> bytes:
        collected = Collected(self._limits.identifier_size)
        self._stream.expect_data_set(collected)
        self._await_data_set()
        return collected.whole()

    def _await_data_set(self) -> None:
        event = self._next_event()
        if event is ABORTED:
            raise PeerGone("aborted by the peer")
        if event is not DATA_SET_COMPLETE:
            raise BadPdu(f"{event} inside a data set", upper_layer.UNEXPECTED_PDU)

    def _store(self, command: Command, context: Context) -> None:
        assert self._routes.storage is not None
        incoming = Incoming(self._routes.storage, self._request(command, context), self._memory, self._limits)
        try:
            self._stream.expect_data_set(incoming)
            self._await_data_set()
            reply = incoming.finish()
        finally:
            incoming.abort()
        self._send(self._encoded(command, context, reply))

    def _operate(self, request: Request) -> None:
        handler = self._handler(request)
        if handler is None:
            self._refuse(request)
            return
        self._strange = 0
        self._send_replies(request, iter(_guarded(handler, request)))

    def _cancel_nothing(self) -> None:
        """Too late: the operation has had its final response. Nobody does that all the time."""
        self._idle_cancels += 1
        if self._idle_cancels > self._limits.idle_cancels:
            raise BadPdu(f"{self._idle_cancels} cancels of nothing in a row", upper_layer.UNEXPECTED_PDU)

    def _handler(self, request: Request) -> Handler | None:
        return self._routes.handlers.get((request.context.abstract_syntax, request.command.field))

    def _refuse(self, request: Request) -> None:
        """Unknown operations are answered; three in a row are not a conversation."""
        self._strange += 1
        if self._strange >= _STRANGE_IN_A_ROW:
            raise BadPdu("three unknown operations in a row", upper_layer.UNEXPECTED_PDU)
        if request.command.field & dimse.RESPONSE:
            return
        store = request.command.field == dimse.C_STORE_RQ
        status = SOP_CLASS_NOT_SUPPORTED if store else UNRECOGNISED_OPERATION
        self._send(self._encoded(request.command, request.context, Reply(status)))

    def _send_replies(self, request: Request, replies: Iterator[Reply]) -> None:
        """In batches, or what there is after a moment; in between a C-CANCEL or a vanished peer is noticed."""
        batch: list[bytes] = []
        size, due = 0, self._clock.monotonic() + self._limits.batch_time
        try:
            for reply in replies:
                encoded = self._encoded(request.command, request.context, reply)
                batch.append(encoded)
                size += len(encoded)
                if size >= self._limits.batch or self._clock.monotonic() >= due:
                    self._send(b"".join(batch))
                    batch, size, due = [], 0, self._clock.monotonic() + self._limits.batch_time
                    if reply.status in (PENDING, PENDING_UNSUPPORTED_KEYS) and self._cancelled(request.command):
                        batch = [self._encoded(request.command, request.context, Reply(CANCELLED))]
                        break
        finally:
            if isinstance(replies, Generator):
                replies.close()
        if batch:
            self._send(b"".join(batch))

    def _cancelled(self, pending: Command) -> bool:
        """Whether a C-CANCEL for this request has arrived. Anything else from the peer now ends the association.

        A flood of them for other requests is read a few at a time: the answers go on.
        """
        stream = self._stream
        for _ in range(self._limits.cancels_at_once):
            event = stream.next_event()
            if event is NEED_DATA:
                count = self._wire.glance(stream.space())
                if not count:
                    return False
                stream.received(count)
                continue
            if not isinstance(event, CommandReceived):
                raise PeerGone("left in the middle of the answers")
            command = dimse.decode(event.command)
            if command.field != dimse.C_CANCEL_RQ or command.has_data_set:
                raise BadPdu("request before the final response", upper_layer.UNEXPECTED_PDU)
            if command.responded_to == pending.message_id:
                return True
        return False

    # Writing

    def _encoded(self, command: Command, context: Context, reply: Reply) -> bytes:
        return upper_layer.message(
            context.context_id, dimse.response(command, reply), reply.data_set, self._agreement.peer_max_pdu
        )

    def _send(self, data: bytes) -> None:
        self._wire.send(data, self._taking())

    def _taking(self) -> Callable[[], None]:
        """Called at each tick in which the peer takes nothing: it has had its time, or not."""
        self._since = since = self._clock.monotonic()
        sent = self._wire.sent

        def blocked() -> None:
            nonlocal since, sent
            if self._wire.sent != sent:
                since, sent = self._clock.monotonic(), self._wire.sent
            elif self._clock.monotonic() - since > self._limits.send_time:
                raise TimeLimit(f"answer not taken for {self._limits.send_time:g} s")

        return blocked


def _guarded(handler: Handler, request: Request) -> Iterable[Reply]:
    """The handler's replies; an error becomes the final reply of its service."""
    failure = _FAILURES.get(request.command.field, normalized_failure)
    try:
        yield from handler(request)
    except (PeerGone, TimeLimit, FileShort, BadPdu, BadCommand, _Stopping):  # the association itself has ended
        raise
    except Exception as error:
        yield failure(error)


_FAILURES = {
    dimse.C_FIND_RQ: find_failure,
    dimse.C_GET_RQ: retrieve_failure,
    dimse.C_MOVE_RQ: retrieve_failure,
}
