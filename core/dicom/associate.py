"""The items of A-ASSOCIATE-RQ and A-ASSOCIATE-AC, without a socket.

Source: PS3.8 section 9.3.2 and annex D; PS3.7 annex D.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from core.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from core.dicom import upper_layer as ul
from core.errors import BadMessage
from core.i18n import _
from core.model.device import identity_of

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
MOST_CONTEXTS: Final = 128

_ITEM = struct.Struct(">BxH")
_LONGEST_UID = 64


class BadAssociate(BadMessage):
    """An A-ASSOCIATE-RQ that cannot be read: answered with A-ABORT."""

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(_("Demande d'association DICOM illisible"), reason, offset)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context as proposed."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection for one SOP class, PS3.7 D.3.3.4."""

    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ. The titles are raw 16 bytes; `fixed` is the 68 bytes to echo in the acceptance."""

    fixed: bytes
    protocol_version: int
    called: bytes
    calling: bytes
    application_context: str
    contexts: tuple[Proposed, ...]
    max_pdu: int
    implementation_class: str
    implementation_version: str
    roles: dict[str, Role]
    extended: dict[str, bytes]  # SOP class extended negotiation, service-class application information
    asynchronous: bool
    wants_identity_answer: bool
    identity: str  # digest of user and passcode, so that no log can hold them; "" when none was given


def decode(body: bytes) -> AssociateRequest:
    """The body of an A-ASSOCIATE-RQ, after the 6 header bytes. Raises `BadAssociate`."""
    if len(body) < 68:
        raise BadAssociate("fixed part cut short")
    version, called, calling = struct.unpack_from(">Hxx16s16s", body)
    application, contexts, user = "", [], b""
    for kind, value in _items(body, 68):
        if kind == 0x10:
            application = _uid(value)
        elif kind == 0x20:
            contexts.append(_context(value))
        elif kind == 0x50:
            user = value
    _check_contexts(contexts)
    return _with_user(user, body[:68], version, called, calling, application, tuple(contexts))


def _items(data: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    end = len(data)
    while at < end:
        if end - at < 4:
            raise BadAssociate("item header cut short", at)
        kind, length = _ITEM.unpack_from(data, at)
        at += 4
        if length > end - at:
            raise BadAssociate(f"item {kind:#04x} of {length} bytes in {end - at}", at)
        yield kind, data[at : at + length]
        at += length


def _uid(value: bytes) -> str:
    """A UID as received; an impossible one is kept as text that matches nothing."""
    return value[: _LONGEST_UID + 1].decode("ascii", "replace").strip("\0 ")


def _context(value: bytes) -> Proposed:
    if len(value) < 4:
        raise BadAssociate("presentation context cut short")
    abstract, transfers = "", []
    for kind, inner in _items(value, 4):
        if kind == 0x30:
            abstract = _uid(inner)
        elif kind == 0x40:
            transfers.append(_uid(inner))
    if not transfers:
        raise BadAssociate(f"presentation context {value[0]} without transfer syntax")
    return Proposed(value[0], abstract, tuple(transfers))


def _check_contexts(contexts: list[Proposed]) -> None:
    ids = [context.context_id for context in contexts]
    if len(ids) > MOST_CONTEXTS:
        raise BadAssociate(f"{len(ids)} presentation contexts")
    if len(set(ids)) != len(ids):
        raise BadAssociate("presentation context id used twice")
    if any(number % 2 == 0 for number in ids):
        raise BadAssociate("even presentation context id")


def _with_user(
    user: bytes,
    fixed: bytes,
    version: int,
    called: bytes,
    calling: bytes,
    application: str,
    contexts: tuple[Proposed, ...],
) -> AssociateRequest:
    max_pdu, implementation, version_name = 0, "", ""
    roles: dict[str, Role] = {}
    extended: dict[str, bytes] = {}
    asynchronous = answer = False
    identity = ""
    for kind, value in _items(user):
        if kind == 0x51 and len(value) == 4:
            max_pdu = int.from_bytes(value, "big")
        elif kind == 0x52:
            implementation = _uid(value)
        elif kind == 0x53:
            asynchronous = True
        elif kind == 0x54:
            name, rest = _named(value)
            if len(rest) < 2:
                raise BadAssociate("role selection cut short")
            roles[name] = Role(bool(rest[0]), bool(rest[1]))
        elif kind == 0x55:
            version_name = value[:16].decode("ascii", "replace").strip("\0 ")
        elif kind == 0x56:
            name, rest = _named(value)
            extended[name] = rest
        elif kind == 0x58:
            answer, identity = len(value) >= 2 and value[1] == 1, _identity(value)
    return AssociateRequest(
        fixed, version, called, calling, application, contexts, max_pdu, implementation, version_name,
        roles, extended, asynchronous, answer, identity,
    )  # fmt: skip


def _identity(value: bytes) -> str:
    """User identity of type 1 or 2 (PS3.7 D.3.3.7); any other, or one that cannot be read, proves nothing."""
    if len(value) < 4 or value[0] not in (1, 2):
        return ""
    length = int.from_bytes(value[2:4], "big")
    user, rest = value[4 : 4 + length], value[4 + length :]
    passcode = rest[2 : 2 + int.from_bytes(rest[:2], "big")]
    return identity_of(user, passcode) if user else ""


def _named(value: bytes) -> tuple[str, bytes]:
    """A sub-item that starts with the length and the text of a UID."""
    if len(value) < 2:
        raise BadAssociate("sub-item cut short")
    length = int.from_bytes(value[:2], "big")
    if length > len(value) - 2:
        raise BadAssociate("UID longer than its sub-item")
    return _uid(value[2 : 2 + length]), value[2 + length :]


@dataclass(frozen=True, slots=True)
class Answered:
    """Our answer to one proposed context. result: PS3.8 table 9-18 (0 accepted)."""

    context_id: int
    result: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What goes into an A-ASSOCIATE-AC."""

    request: AssociateRequest
    contexts: tuple[Answered, ...]
    max_pdu: int
    implementation_class: str
    implementation_version: str
    roles: dict[str, Role]
    extended: dict[str, bytes]


def encode(acceptance: Acceptance) -> bytes:
    """The whole A-ASSOCIATE-AC PDU; the fixed part is echoed as received."""
    body = acceptance.request.fixed + _item(0x10, APPLICATION_CONTEXT.encode())
    body += b"".join(_answer_item(context) for context in acceptance.contexts)
    body += _item(0x50, _user_items(acceptance))
    return ul.HEADER.pack(ul.ASSOCIATE_AC, len(body)) + body


def _answer_item(context: Answered) -> bytes:
    syntax = _item(0x40, context.transfer_syntax.encode("ascii", "replace"))
    return _item(0x21, bytes((context.context_id, 0, context.result, 0)) + syntax)


def _user_items(acceptance: Acceptance) -> bytes:
    items = _item(0x51, acceptance.max_pdu.to_bytes(4, "big"))
    items += _item(0x52, acceptance.implementation_class.encode())
    if acceptance.request.asynchronous:
        items += _item(0x53, struct.pack(">HH", 1, 1))
    for uid, role in acceptance.roles.items():
        items += _item(0x54, _name(uid) + bytes((role.scu, role.scp)))
    items += _item(0x55, acceptance.implementation_version[:16].encode())
    for uid, information in acceptance.extended.items():
        items += _item(0x56, _name(uid) + information)
    if acceptance.request.wants_identity_answer:
        items += _item(0x59, struct.pack(">H", 0))
    return items


def _name(uid: str) -> bytes:
    text = uid.encode("ascii", "replace")
    return len(text).to_bytes(2, "big") + text


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a peer accepted of our request. max_pdu: theirs, 0 = unlimited."""

    transfer_syntaxes: dict[int, str]
    max_pdu: int


def encode_request(called: str, calling: str, contexts: Iterable[Proposed], max_pdu: int) -> bytes:
    """The whole A-ASSOCIATE-RQ PDU of an association that we ask for, in the default roles."""
    titles = called.encode("ascii", "replace").ljust(16)[:16] + calling.encode("ascii", "replace").ljust(16)[:16]
    body = struct.pack(">Hxx", 1) + titles + bytes(32) + _item(0x10, APPLICATION_CONTEXT.encode())
    for context in contexts:
        inner = _item(0x30, context.abstract_syntax.encode())
        inner += b"".join(_item(0x40, syntax.encode()) for syntax in context.transfer_syntaxes)
        body += _item(0x20, bytes((context.context_id, 0, 0, 0)) + inner)
    user = _item(0x51, max_pdu.to_bytes(4, "big")) + _item(0x52, IMPLEMENTATION_CLASS_UID.encode())
    body += _item(0x50, user + _item(0x55, IMPLEMENTATION_VERSION[:16].encode()))
    return ul.HEADER.pack(ul.ASSOCIATE_RQ, len(body)) + body


def decode_acceptance(body: bytes) -> Accepted:
    """An A-ASSOCIATE-AC from its header's end to its last byte. Raises `BadAssociate`."""
    if len(body) < 68:
        raise BadAssociate("fixed part cut short")
    accepted: dict[int, str] = {}
    max_pdu = 0
    for kind, value in _items(body, 68):
        if kind == 0x21 and len(value) >= 4 and value[2] == 0:
            syntaxes = [_uid(inner) for what, inner in _items(value, 4) if what == 0x40]
            if len(syntaxes) != 1:
                raise BadAssociate(f"presentation context {value[0]} accepted with {len(syntaxes)} transfer syntaxes")
            accepted[value[0]] = syntaxes[0]
        elif kind == 0x50:
            for what, inner in _items(value):
                if what == 0x51 and len(inner) == 4:
                    max_pdu = int.from_bytes(inner, "big")
    return Accepted(accepted, max_pdu)
