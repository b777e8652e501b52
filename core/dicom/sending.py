"""C-STORE requests on the wire: command and fragments laid out in one buffer, read from the file, sent at once.

The next request is laid out while the peer swallows the one before. Measured against `sendfile` between the headers of
the fragments: as fast with fragments of 1 MiB, 1.3 to 3 times faster with those of 128 and 16 KiB; and it is the same
over TLS. Source: PS3.7 section 9.3.1.1 (C-STORE-RQ), PS3.8 annex E (fragments).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from core.archive.outgoing import Body
from core.dicom import dimse, upper_layer
from core.dicom.wire import FileShort, Wire

ROOM: Final = 1 << 20  # bytes of one send; a bigger object goes in several
MOST_PDU: Final = 1 << 20  # of one P-DATA to a peer that takes any
_UNLIMITED: Final = 131_072
_HEADER: Final = upper_layer.P_DATA_HEADER.size
_MOST_PIECES: Final = 1000  # of one preadv


def store_command(
    message_id: int, sop_class: str, sop_instance: str, priority: int = 0, originator: tuple[str, int] | None = None
) -> bytes:
    """originator: the AE title and message id of the C-MOVE that caused this request."""
    elements: list[tuple[int, int | str]] = [
        (dimse.AFFECTED_SOP_CLASS, sop_class),
        (dimse.COMMAND_FIELD, dimse.C_STORE_RQ),
        (dimse.MESSAGE_ID, message_id),
        (dimse.PRIORITY, priority),
        (dimse.DATA_SET_TYPE, dimse.WITH_DATA_SET),
        (dimse.AFFECTED_INSTANCE, sop_instance),
    ]
    if originator:
        elements += [(dimse.MOVE_ORIGINATOR, originator[0]), (dimse.MOVE_ORIGINATOR_ID, originator[1])]
    return dimse.encode(elements)


def fragment_size(max_pdu: int) -> int:
    """Bytes of a data set in one PDU of a peer that announced `max_pdu` (0 = unlimited): an even number."""
    return max(min(max_pdu or _UNLIMITED, MOST_PDU) - 6, 2) & ~1


class Shipment:
    """One request at a time, for one association."""

    def __init__(self) -> None:
        self._view = memoryview(bytearray(ROOM))
        self._body: Body | None = None
        self._used = self._at = self._context_id = 0
        self._step = _UNLIMITED

    def load(self, context_id: int, command: bytes, body: Body, max_pdu: int) -> None:
        """Lay out the request. The body is the shipment's from now on. Raises `FileShort`: then nothing is loaded."""
        self._context_id, self._step = context_id, fragment_size(max_pdu)
        self._body, self._at = body, 0
        prefix = upper_layer.message(context_id, command, None, self._step + 6)
        self._view[: len(prefix)] = prefix
        try:
            self._fill(len(prefix))
        except BaseException:
            self.unload()
            raise

    def send(self, wire: Wire, blocked: Callable[[], None]) -> None:
        """All of it. Raises `PeerGone`, `FileShort` and what `blocked` raises; the association is then unusable."""
        try:
            while self._body is not None and self._at < self._body.size:
                wire.send(self._view[: self._used], blocked, more=True)
                self._fill(0)
            wire.send(self._view[: self._used], blocked)
        finally:
            self.unload()

    def unload(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _fill(self, used: int) -> None:
        """As many fragments as there is room for, after `used` bytes."""
        assert self._body is not None
        body, view = self._body, self._view
        pieces: list[memoryview] = []
        file_at = body.offset + max(0, self._at - len(body.head))
        while self._at < body.size and len(pieces) < _MOST_PIECES:
            size = min(self._step, body.size - self._at, (ROOM - used - _HEADER) & ~1)
            if size <= 0:
                break
            control = upper_layer.LAST if self._at + size == body.size else 0
            upper_layer.P_DATA_HEADER.pack_into(
                view, used, upper_layer.P_DATA_TF, size + 6, size + 2, self._context_id, control
            )
            used += _HEADER
            head = body.head[self._at : self._at + size]
            view[used : used + len(head)] = head
            if len(head) < size:
                pieces.append(view[used + len(head) : used + size])
            used += size
            self._at += size
        _read(body.descriptor, pieces, file_at)
        self._used = used


def _read(descriptor: int, pieces: list[memoryview], offset: int) -> None:
    while pieces:
        count = os.preadv(descriptor, pieces, offset)
        if not count:
            raise FileShort
        offset += count
        while pieces and count >= len(pieces[0]):
            count -= len(pieces.pop(0))
        if count:
            pieces[0] = pieces[0][count:]
