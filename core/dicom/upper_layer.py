"""The DICOM Upper Layer on the accepting side, without a socket: bytes in, events out.

Rule 1. A length is checked before anything is allocated or waited for.
Rule 2. Bytes may be cut anywhere; the events are the same.
Rule 3. A data set is never collected here: its fragments go straight to the `Sink` chosen by the caller.
Rule 4. Whatever a peer sends, we understand it or raise `BadMessage`, once; `abort_reason` says how to abort.

    stream.space()  ->  recv_into  ->  stream.received(n)  ->  while (event := stream.next_event()) is not NEED_DATA

Source: PS3.8 section 9.3 (PDU structures), annex E (message fragments), table 9-26 (A-ABORT reasons).
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from core.errors import BadMessage
from core.i18n import _

ASSOCIATE_RQ: Final = 0x01
ASSOCIATE_AC: Final = 0x02
ASSOCIATE_RJ: Final = 0x03
P_DATA_TF: Final = 0x04
RELEASE_RQ: Final = 0x05
RELEASE_RP: Final = 0x06
ABORT: Final = 0x07

HEADER = struct.Struct(">BxI")  # PDU type, reserved, length
PDV = struct.Struct(">IBB")  # length of what follows, presentation context id, message control header
P_DATA_HEADER = struct.Struct(">BxIIBB")  # one PDU that holds one PDV

COMMAND: Final = 0x01  # message control header, bit 0
LAST: Final = 0x02  # bit 1

# A-ABORT reasons of the service provider, PS3.8 table 9-26.
UNEXPECTED_PDU: Final = 2
UNRECOGNISED_PDU: Final = 1
INVALID_PARAMETER: Final = 6

RECEIVE_BUFFER: Final = 256 * 1024


class Sink(Protocol):
    """Where the fragments of one data set go. The view is only valid during the call."""

    def write(self, piece: memoryview, /) -> object: ...


class Signal(Enum):
    """Events that carry nothing."""

    NEED_DATA = "feed me"
    DATA_SET_COMPLETE = "the last fragment went to the sink"
    RELEASE_REQUESTED = "A-RELEASE-RQ"
    ABORTED = "A-ABORT"


NEED_DATA: Final = Signal.NEED_DATA
DATA_SET_COMPLETE: Final = Signal.DATA_SET_COMPLETE
RELEASE_REQUESTED: Final = Signal.RELEASE_REQUESTED
ABORTED: Final = Signal.ABORTED


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A whole command set. The caller must now call `expect_data_set` when the command announces one."""

    context_id: int
    command: bytes


Event = Signal | CommandReceived


class BadPdu(BadMessage):
    """Bytes that break the Upper Layer. `abort_reason` goes into our A-ABORT."""

    def __init__(self, reason: str, abort_reason: int) -> None:
        super().__init__(_("Message DICOM illisible sur l'association"), reason)
        self.abort_reason = abort_reason


class _Refuse:
    """Until a command announced a data set, no data fragment is legal."""

    def write(self, piece: memoryview, /) -> None:
        raise BadPdu("data fragment before a complete command", INVALID_PARAMETER)


_NO_SINK: Final[Sink] = _Refuse()


class Inbound:
    """What an established association receives.

    contexts: the accepted presentation context ids. max_pdu: the longest PDU body we take.
    `pdus` counts complete PDUs, so that the caller can tell progress from one byte every ten seconds.
    """

    def __init__(self, contexts: Container[int], max_pdu: int, command_size: int, leftover: bytes = b"") -> None:
        self._contexts = contexts
        self._max_pdu = max_pdu
        self._command_size = command_size
        self._buffer = bytearray(max(RECEIVE_BUFFER, len(leftover) + 64))
        self._view = memoryview(self._buffer)
        self._view[: len(leftover)] = leftover
        self._start, self._end = 0, len(leftover)
        self._pdu_left = self._pdv_left = 0
        self._context_id = self._control = 0
        self._command: bytearray = bytearray()
        self._sink = _NO_SINK
        self._in_command = self._in_data_set = False
        self.pdus = 0

    @property
    def busy(self) -> bool:
        """A PDU or a message is in progress: silence is now a fault of the peer."""
        return bool(self._pdu_left or self._in_command or self._in_data_set or self._end > self._start)

    def space(self) -> memoryview:
        """Where to put the next bytes. What is left over is never more than a header."""
        start, end = self._start, self._end
        if start == end:
            self._start = self._end = 0
            return self._view
        if start:
            left = bytes(self._view[start:end])
            self._view[: len(left)] = left
            self._start, self._end = 0, len(left)
        return self._view[self._end :]

    def received(self, count: int) -> None:
        self._end += count

    def feed(self, data: bytes) -> None:
        """For tests and small pieces: `data` must fit the buffer."""
        self.space()[: len(data)] = data
        self.received(len(data))

    def expect_data_set(self, sink: Sink) -> None:
        """The command just received announces a data set: its fragments go to `sink`."""
        self._sink = sink
        self._in_data_set = True

    def next_event(self) -> Event:
        """The next thing that happened, or NEED_DATA. Raises `BadPdu`."""
        while True:
            if self._pdv_left:
                event = self._fragment()
            elif self._pdu_left:
                event = self._pdv_header()
            else:
                event = self._pdu_header()
            if event is not None:
                return event

    def _pdu_header(self) -> Event | None:
        if self._end - self._start < 6:
            return NEED_DATA
        kind, length = HEADER.unpack_from(self._buffer, self._start)
        if kind != P_DATA_TF:
            return self._control_pdu(kind, length)
        if length > self._max_pdu:
            raise BadPdu(f"P-DATA of {length} bytes, {self._max_pdu} allowed", INVALID_PARAMETER)
        if length < 6:
            raise BadPdu("P-DATA without a fragment", INVALID_PARAMETER)
        self._start += 6
        self._pdu_left = length
        return None

    def _control_pdu(self, kind: int, length: int) -> Event:
        if kind not in (RELEASE_RQ, ABORT):
            known = ASSOCIATE_RQ <= kind <= ABORT
            raise BadPdu(f"PDU type {kind:#04x}", UNEXPECTED_PDU if known else UNRECOGNISED_PDU)
        if length != 4:
            raise BadPdu(f"PDU type {kind:#04x} of {length} bytes", INVALID_PARAMETER)
        if self._end - self._start < 10:
            return NEED_DATA
        self._start += 10
        self.pdus += 1
        if kind == ABORT:
            return ABORTED
        if self._in_command or self._in_data_set:
            raise BadPdu("release in the middle of a message", UNEXPECTED_PDU)
        return RELEASE_REQUESTED

    def _pdv_header(self) -> Event | None:
        if self._pdu_left < 6:
            raise BadPdu("PDU too short for its fragment", INVALID_PARAMETER)
        if self._end - self._start < 6:
            return NEED_DATA
        length, context_id, control = PDV.unpack_from(self._buffer, self._start)
        if length < 2 or length + 4 > self._pdu_left:
            raise BadPdu(f"fragment of {length} bytes in the {self._pdu_left} left of its PDU", INVALID_PARAMETER)
        self._check_place(context_id, control)
        self._start += 6
        self._pdu_left -= 6
        self._pdv_left = length - 2
        self._context_id, self._control = context_id, control
        return None if length > 2 else self._end_of_fragment()

    def _check_place(self, context_id: int, control: int) -> None:
        if context_id not in self._contexts:
            raise BadPdu(f"presentation context {context_id} was never accepted", INVALID_PARAMETER)
        if (self._in_command or self._in_data_set) and context_id != self._context_id:
            raise BadPdu("presentation context changes inside a message", INVALID_PARAMETER)
        if control & COMMAND and self._in_data_set:
            raise BadPdu("command fragment inside a data set", INVALID_PARAMETER)
        if not control & COMMAND and not self._in_data_set:
            raise BadPdu("data fragment before a complete command", INVALID_PARAMETER)

    def _fragment(self) -> Event | None:
        start = self._start
        size = min(self._pdv_left, self._end - start)
        if not size:
            return NEED_DATA
        piece = self._view[start : start + size]
        self._start = start + size
        self._pdv_left -= size
        self._pdu_left -= size
        if self._control & COMMAND:
            self._in_command = True
            if len(self._command) + size > self._command_size:
                raise BadPdu(f"command set above {self._command_size} bytes", INVALID_PARAMETER)
            self._command += piece
        else:
            self._sink.write(piece)
        return None if self._pdv_left else self._end_of_fragment()

    def _end_of_fragment(self) -> Event | None:
        if not self._pdu_left:
            self.pdus += 1
        if not self._control & LAST:
            self._in_command = self._in_command or bool(self._control & COMMAND)
            return None
        if self._control & COMMAND:
            command, self._command = bytes(self._command), bytearray()
            self._in_command = False
            return CommandReceived(self._context_id, command)
        self._in_data_set = False
        self._sink = _NO_SINK
        return DATA_SET_COMPLETE


def p_data(context_id: int, payload: bytes, control: int) -> bytes:
    """One P-DATA-TF that holds one fragment."""
    size = len(payload)
    return P_DATA_HEADER.pack(P_DATA_TF, size + 6, size + 2, context_id, control) + payload


def message(context_id: int, command: bytes, data_set: bytes | None, max_pdu: int) -> bytes:
    """A whole DIMSE message, its fragments no longer than the peer takes. max_pdu: theirs, 0 = unlimited."""
    step = fragment_size(max_pdu)
    if data_set is None:
        return b"".join(_fragments(context_id, command, COMMAND, step))
    parts = _fragments(context_id, command, COMMAND, step)
    parts += _fragments(context_id, data_set, 0, step)
    return b"".join(parts)


def fragment_size(max_pdu: int, ours: int = 131_072) -> int:
    """Payload of one fragment for a peer that announced `max_pdu` (0 = unlimited)."""
    return max(min(max_pdu or ours, ours) - 6, 1)


def _fragments(context_id: int, payload: bytes, control: int, step: int) -> list[bytes]:
    if len(payload) <= step:
        return [p_data(context_id, payload, control | LAST)]
    cuts = range(0, len(payload), step)
    return [
        p_data(context_id, payload[at : at + step], control | (LAST if at + step >= len(payload) else 0)) for at in cuts
    ]


def abort(reason: int = 0, source: int = 2) -> bytes:
    """A-ABORT. source: 0 the service user, 2 the service provider (then `reason` counts). PS3.8 section 9.3.8."""
    return struct.pack(">BxIxxBB", ABORT, 4, source, reason)


def reject(result: int, source: int, reason: int) -> bytes:
    """A-ASSOCIATE-RJ. PS3.8 section 9.3.4."""
    return struct.pack(">BxIxBBB", ASSOCIATE_RJ, 4, result, source, reason)


RELEASE_REPLY: Final = struct.pack(">BxI4x", RELEASE_RP, 4)
RELEASE_REQUEST: Final = struct.pack(">BxI4x", RELEASE_RQ, 4)


def request_length(header: bytes | bytearray, limit: int) -> int:
    """The body length of the A-ASSOCIATE-RQ whose first 6 bytes are given; raises `BadPdu` for anything else."""
    kind, length = HEADER.unpack_from(header)
    if kind != ASSOCIATE_RQ:
        raise BadPdu(f"first PDU has type {kind:#04x}", UNEXPECTED_PDU)
    if not 68 <= length <= limit:
        raise BadPdu(f"A-ASSOCIATE-RQ of {length} bytes", INVALID_PARAMETER)
    return int(length)
