"""DIMSE command sets: implicit VR little endian whatever the presentation context says.

Source: PS3.7 section 6.3 and annex E (command dictionary); sections 9.3 and 10.3 (which element goes where).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from core.errors import BadMessage
from core.i18n import _

C_STORE_RQ: Final = 0x0001
C_GET_RQ: Final = 0x0010
C_FIND_RQ: Final = 0x0020
C_MOVE_RQ: Final = 0x0021
C_ECHO_RQ: Final = 0x0030
C_CANCEL_RQ: Final = 0x0FFF
N_EVENT_REPORT_RQ: Final = 0x0100
N_GET_RQ: Final = 0x0110
N_SET_RQ: Final = 0x0120
N_ACTION_RQ: Final = 0x0130
N_CREATE_RQ: Final = 0x0140
N_DELETE_RQ: Final = 0x0150
RESPONSE: Final = 0x8000

NO_DATA_SET: Final = 0x0101
WITH_DATA_SET: Final = 0x0001

# Elements of group 0000, PS3.7 table E.1-1.
GROUP_LENGTH: Final = 0x0000
AFFECTED_SOP_CLASS: Final = 0x0002
REQUESTED_SOP_CLASS: Final = 0x0003
COMMAND_FIELD: Final = 0x0100
MESSAGE_ID: Final = 0x0110
RESPONDED_TO: Final = 0x0120
MOVE_DESTINATION: Final = 0x0600
PRIORITY: Final = 0x0700
DATA_SET_TYPE: Final = 0x0800
STATUS: Final = 0x0900
ERROR_COMMENT: Final = 0x0902
ERROR_ID: Final = 0x0903
AFFECTED_INSTANCE: Final = 0x1000
REQUESTED_INSTANCE: Final = 0x1001
EVENT_TYPE: Final = 0x1002
ACTION_TYPE: Final = 0x1008
MOVE_ORIGINATOR: Final = 0x1030
MOVE_ORIGINATOR_ID: Final = 0x1031

_ELEMENT = struct.Struct("<HHI")
_US = struct.Struct("<H")
_UL = struct.Struct("<I")
_MOST_ELEMENTS = 256


class BadCommand(BadMessage):
    """A command set that cannot be read."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(_("Commande DICOM illisible"), reason, offset)


@dataclass(frozen=True, slots=True)
class Command:
    """What a peer asks. UIDs and titles are stripped of trailing NUL and spaces, and otherwise as received.

    sop_class, sop_instance: the affected or the requested one, whichever the operation uses; "" when absent.
    """

    field: int
    message_id: int
    sop_class: str = ""
    sop_instance: str = ""
    has_data_set: bool = False
    priority: int = 0
    responded_to: int = 0
    status: int | None = None
    move_destination: str = ""
    move_originator: str = ""
    move_originator_id: int = 0
    action_type: int = 0
    event_type: int = 0


def decode(command: bytes) -> Command:
    """Raises `BadCommand`. Elements out of order and unknown elements of group 0000 are tolerated."""
    values = _elements(command)
    kind = _number(values, COMMAND_FIELD)
    if kind is None:
        raise BadCommand("no command field")
    return Command(
        field=kind,
        message_id=_number(values, MESSAGE_ID) or 0,
        sop_class=_text(values.get(AFFECTED_SOP_CLASS) or values.get(REQUESTED_SOP_CLASS)),
        sop_instance=_text(values.get(AFFECTED_INSTANCE) or values.get(REQUESTED_INSTANCE)),
        has_data_set=_number(values, DATA_SET_TYPE) not in (None, NO_DATA_SET),
        priority=_number(values, PRIORITY) or 0,
        responded_to=_number(values, RESPONDED_TO) or 0,
        status=_number(values, STATUS),
        move_destination=_text(values.get(MOVE_DESTINATION)),
        move_originator=_text(values.get(MOVE_ORIGINATOR)),
        move_originator_id=_number(values, MOVE_ORIGINATOR_ID) or 0,
        action_type=_number(values, ACTION_TYPE) or 0,
        event_type=_number(values, EVENT_TYPE) or 0,
    )


def _elements(command: bytes) -> dict[int, bytes]:
    values: dict[int, bytes] = {}
    at, end = 0, len(command)
    while at < end:
        if end - at < 8:
            raise BadCommand("element cut short", at)
        group, element, length = _ELEMENT.unpack_from(command, at)
        at += 8
        if group or length > end - at:
            raise BadCommand(f"element ({group:04x},{element:04x}) of {length} bytes", at)
        if len(values) >= _MOST_ELEMENTS:
            raise BadCommand("too many elements", at)
        values[element] = command[at : at + length]
        at += length
    return values


def _number(values: dict[int, bytes], element: int) -> int | None:
    value = values.get(element)
    if not value:
        return None
    if len(value) != 2:
        raise BadCommand(f"(0000,{element:04x}) is not a number of 2 bytes")
    return int(_US.unpack(value)[0])


def _text(value: bytes | None) -> str:
    # Bytes outside ASCII become replacement characters: no rule accepts them, every log can print them.
    return value.decode("ascii", "replace").strip("\0 ") if value else ""


def encode(elements: Iterable[tuple[int, int | str]]) -> bytes:
    """A command set from elements in ascending order; numbers are US, texts UI, AE or LO."""
    body = b"".join(_encoded(element, value) for element, value in elements)
    return _ELEMENT.pack(0, GROUP_LENGTH, 4) + _UL.pack(len(body)) + body


def _encoded(element: int, value: int | str) -> bytes:
    if isinstance(value, int):
        return _ELEMENT.pack(0, element, 2) + _US.pack(value)
    text = value.encode("ascii", "replace")
    text += (b" " if element in _SPACE_PADDED else b"\0") * (len(text) % 2)
    return _ELEMENT.pack(0, element, len(text)) + text


def request(elements: Iterable[tuple[int, int | str]], message_id: int) -> bytes:
    """The command set of a request of ours."""
    return encode(sorted([*elements, (MESSAGE_ID, message_id)]))


_SPACE_PADDED = frozenset({ERROR_COMMENT, MOVE_DESTINATION, MOVE_ORIGINATOR})


@dataclass(frozen=True, slots=True)
class Reply:
    """One response to a request. data_set is already encoded in the context's transfer syntax.

    comment: (0000,0902), at most 64 ASCII characters. error_id: (0000,0903).
    instance: the SOP instance we name when it is not the one of the request (N-CREATE without one).
    counters: remaining, completed, failed and warning sub-operations (0000,1020 to 1023); None is not said.
    """

    status: int
    data_set: bytes | None = None
    comment: str = ""
    error_id: int | None = None
    instance: str = ""
    counters: tuple[int | None, int, int, int] | None = field(default=None)


def response(request: Command, reply: Reply) -> bytes:
    """The command set of a response. Source: PS3.7 sections 9.3 and 10.3."""
    elements: list[tuple[int, int | str]] = []
    if request.sop_class:
        elements.append((AFFECTED_SOP_CLASS, request.sop_class))
    elements += [
        (COMMAND_FIELD, request.field | RESPONSE),
        (RESPONDED_TO, request.message_id),
        (DATA_SET_TYPE, NO_DATA_SET if reply.data_set is None else WITH_DATA_SET),
        (STATUS, reply.status),
    ]
    if reply.comment:
        elements.append((ERROR_COMMENT, reply.comment[:64]))
    if reply.error_id is not None:
        elements.append((ERROR_ID, reply.error_id))
    instance = reply.instance or request.sop_instance
    if instance:
        elements.append((AFFECTED_INSTANCE, instance))
    if request.event_type and request.field == N_EVENT_REPORT_RQ:
        elements.append((EVENT_TYPE, request.event_type))
    if request.action_type and request.field == N_ACTION_RQ:
        elements.append((ACTION_TYPE, request.action_type))
    if reply.counters is not None:
        elements += [(0x1020 + place, count) for place, count in enumerate(reply.counters) if count is not None]
    return encode(elements)
