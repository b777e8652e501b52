"""A C-STORE request on the wire: its command, then the data set from the file to the socket without passing here.

Source: PS3.7 section 9.3.1.1 (C-STORE-RQ), PS3.8 annex E (fragments).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.archive.outgoing import Body
from core.dicom import dimse, upper_layer
from core.dicom.wire import FileShort, Wire

MOST_PDU: Final = 1 << 20  # of one P-DATA to a peer that takes any
_UNLIMITED: Final = 131_072
_SMALL: Final = 96 * 1024  # copied into one send: cheaper than four system calls


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


def send_object(
    wire: Wire, context_id: int, command: bytes, body: Body, max_pdu: int, blocked: Callable[[], None]
) -> None:
    """The whole request. Raises `PeerGone`, `FileShort` and what `blocked` raises; the association is then unusable."""
    step = fragment_size(max_pdu)
    if body.size <= _SMALL:
        wire.send(upper_layer.message(context_id, command, _complete(body), step + 6), blocked)
        return
    pending = upper_layer.message(context_id, command, None, step + 6)
    file_at = body.offset
    for at in range(0, body.size, step):
        size = min(step, body.size - at)
        last = at + size == body.size
        from_head = body.head[at : at + size]
        header = upper_layer.P_DATA_HEADER.pack(
            upper_layer.P_DATA_TF, size + 6, size + 2, context_id, upper_layer.LAST if last else 0
        )
        rest = size - len(from_head)
        wire.send(pending + header + from_head, blocked, more=rest > 0 or not last)
        pending = b""
        wire.send_file(body.descriptor, file_at, rest, blocked)
        file_at += rest


def _complete(body: Body) -> bytes:
    data = body.whole()
    if len(data) != body.size:
        raise FileShort
    return data
