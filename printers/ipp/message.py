"""IPP messages as bytes and back. Pure: no socket here.

Whatever a printer sends, `decode` understands it or raises `BadMessage`, in linear time and within the caps.

Source: RFC 8010 section 3 (encoding), RFC 8011 section 5.1 (syntaxes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from core.errors import BadMessage
from core.i18n import _

MAX_MESSAGE = 1_000_000  # bytes; a talkative printer describes itself in 30 kB
MAX_VALUES = 20_000
MAX_DEPTH = 8  # collections inside collections; media-col needs 2


class GroupTag(IntEnum):
    """What follows belongs to the operation, a job, the printer, or to what was refused."""

    OPERATION = 0x01
    JOB = 0x02
    END = 0x03
    PRINTER = 0x04
    UNSUPPORTED = 0x05


class Tag(IntEnum):
    """Value tags, RFC 8010 table 3 to 6. 0x10 to 0x1F carry no value (unsupported, unknown, no-value)."""

    INTEGER = 0x21
    BOOLEAN = 0x22
    ENUM = 0x23
    OCTETS = 0x30
    DATETIME = 0x31
    RESOLUTION = 0x32
    RANGE = 0x33
    COLLECTION = 0x34
    TEXT_WITH_LANGUAGE = 0x35
    NAME_WITH_LANGUAGE = 0x36
    END_COLLECTION = 0x37
    TEXT = 0x41
    NAME = 0x42
    KEYWORD = 0x44
    URI = 0x45
    CHARSET = 0x47
    LANGUAGE = 0x48
    MIME_TYPE = 0x49
    MEMBER_NAME = 0x4A


@dataclass(frozen=True)
class Resolution:
    """Dots per inch (`unit` 3) or per centimetre (`unit` 4)."""

    across: int
    down: int
    unit: int


@dataclass(frozen=True)
class Range:
    """From `lower` to `upper`, both included."""

    lower: int
    upper: int


Collection = dict[str, tuple["Value", ...]]
Value = int | bool | str | bytes | Resolution | Range | Collection | None


@dataclass(frozen=True)
class Attribute:
    """A name, the tag of its first value, and its values."""

    name: str
    tag: int
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Group:
    """Attributes of one thing, by name. One group for each job in an answer to Get-Jobs."""

    tag: int
    attributes: dict[str, Attribute] = field(default_factory=dict)

    def all(self, name: str) -> tuple[Value, ...]:
        attribute = self.attributes.get(name)
        return attribute.values if attribute else ()

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(value for value in self.all(name) if isinstance(value, str))

    def number(self, name: str) -> int | None:
        return next((value for value in self.all(name) if type(value) is int), None)


@dataclass(frozen=True)
class Message:
    """A request (`code` is the operation) or an answer (`code` is the status)."""

    code: int
    request_id: int
    groups: tuple[Group, ...]
    version: tuple[int, int] = (2, 0)

    def group(self, tag: int) -> Group:
        """The first group of this kind, or an empty one."""
        return next((group for group in self.groups if group.tag == tag), Group(tag))

    def each(self, tag: int) -> Iterator[Group]:
        return (group for group in self.groups if group.tag == tag)


def group(tag: int, *attributes: Attribute) -> Group:
    """A group in the order given: RFC 8011 4.1.4 wants charset and language first."""
    return Group(tag, {attribute.name: attribute for attribute in attributes})


def encode(message: Message) -> bytes:
    """The message without its document. Collections are only read, never sent."""
    parts = [struct.pack(">BBHI", *message.version, message.code, message.request_id)]
    for one in message.groups:
        parts.append(bytes([one.tag]))
        parts.extend(_encoded(attribute) for attribute in one.attributes.values())
    parts.append(bytes([GroupTag.END]))
    return b"".join(parts)


def _encoded(attribute: Attribute) -> bytes:
    """Only the first value carries the name: RFC 8010 3.1.4."""
    out = b""
    name = attribute.name.encode()
    for value in attribute.values:
        octets = _octets(attribute.tag, value)
        out += struct.pack(">BH", attribute.tag, len(name)) + name + struct.pack(">H", len(octets)) + octets
        name = b""
    return out


def _octets(tag: int, value: Value) -> bytes:
    match value:
        case bool():
            return bytes([value])
        case int():
            return struct.pack(">i", value)
        case str():
            return value.encode()
        case bytes():
            return value
        case Resolution(across, down, unit):
            return struct.pack(">iib", across, down, unit)
        case Range(lower, upper):
            return struct.pack(">ii", lower, upper)
        case None:
            return b""
    raise ValueError(f"no encoding for a value of tag {tag:#x}")


def decode(data: bytes) -> Message:
    """The message at the head of `data`; a document behind it is left alone."""
    if len(data) > MAX_MESSAGE:
        raise _bad("too long", 0)
    reader = _Reader(data)
    major, minor, code, request_id = reader.unpack(">BBHI")
    groups = []
    tag = reader.byte()
    while tag != GroupTag.END:
        if tag > 0x0F:
            raise reader.bad("a value outside any group")
        attributes, next_tag = _attributes(reader)
        groups.append(Group(tag, attributes))
        tag = next_tag
    return Message(code, request_id, tuple(groups), (major, minor))


def _attributes(reader: _Reader) -> tuple[dict[str, Attribute], int]:
    """The attributes up to the next delimiter, and that delimiter. Of two with one name, the first counts."""
    found: dict[str, tuple[int, list[Value]]] = {}
    values: list[Value] | None = None
    while (tag := reader.byte()) > 0x0F:
        name, octets = reader.item()
        if name:
            values = []
            found.setdefault(name, (tag, values))
        elif values is None:
            raise reader.bad("a further value of no attribute")
        values.append(reader.collection(0) if tag == Tag.COLLECTION else reader.value(tag, octets))
    return {name: Attribute(name, tag, tuple(values)) for name, (tag, values) in found.items()}, tag


class _Reader:
    """A cursor over the bytes that refuses to run past their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._values = 0

    def bad(self, reason: str) -> BadMessage:
        return _bad(reason, self._at)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise self.bad("cut short")
        self._at += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def counted(self) -> bytes:
        return self.take(self.unpack(">H")[0])

    def item(self) -> tuple[str, bytes]:
        """Name and value of one item, after its tag."""
        self._values += 1
        if self._values > MAX_VALUES:
            raise self.bad("too many values")
        return _text(self.counted()), self.counted()

    def value(self, tag: int, octets: bytes) -> Value:
        if tag < 0x20:
            return None
        try:
            return _value(tag, octets)
        except (struct.error, IndexError) as error:
            raise self.bad(f"a value of tag {tag:#x} in {len(octets)} bytes") from error

    def collection(self, depth: int) -> Collection:
        """Members up to endCollection: RFC 8010 3.1.6."""
        if depth >= MAX_DEPTH:
            raise self.bad("collections too deep")
        members: dict[str, list[Value]] = {}
        values: list[Value] | None = None
        while (tag := self.byte()) != Tag.END_COLLECTION:
            _name, octets = self.item()
            if tag == Tag.MEMBER_NAME:
                values = members.setdefault(_text(octets), [])
            elif values is None or tag < 0x10:
                raise self.bad("a collection without a member's name")
            else:
                values.append(self.collection(depth + 1) if tag == Tag.COLLECTION else self.value(tag, octets))
        self.item()
        return {name: tuple(found) for name, found in members.items()}


def _value(tag: int, octets: bytes) -> Value:
    if tag in (Tag.INTEGER, Tag.ENUM):
        return int(struct.unpack(">i", octets)[0])
    if tag == Tag.BOOLEAN:
        return bool(struct.unpack(">?", octets)[0])
    if tag == Tag.RESOLUTION:
        return Resolution(*struct.unpack(">iib", octets))
    if tag == Tag.RANGE:
        return Range(*struct.unpack(">ii", octets))
    if tag in (Tag.TEXT_WITH_LANGUAGE, Tag.NAME_WITH_LANGUAGE):
        return _text(_without_language(octets))
    return _text(octets) if 0x40 <= tag <= 0x5F else octets


def _without_language(octets: bytes) -> bytes:
    """Two counted strings, the language first: RFC 8010 3.9."""
    (language,) = struct.unpack_from(">H", octets)
    (length,) = struct.unpack_from(">H", octets, 2 + language)
    if len(octets) != 4 + language + length:
        raise IndexError(length)
    return octets[4 + language :]


def _text(octets: bytes) -> str:
    """A printer that says UTF-8 and writes Latin-1 is still understood, less its accents."""
    return octets.decode("utf-8", errors="replace")


def _bad(reason: str, offset: int) -> BadMessage:
    return BadMessage(_("Réponse illisible de l'imprimante."), reason=reason, offset=offset)
