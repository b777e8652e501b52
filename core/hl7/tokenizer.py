"""A message as segments, fields, repetitions and components. Access is total: what is absent is the empty string.

Empty means "no change"; two double quotes (`DELETED`) mean "delete the value".
Source: HL7 v2.5.1 2.5 (message construction) and 2.6 (message processing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.hl7 import prescan
from core.hl7.escapes import Separators, separators_of, switches_charset, unescape
from core.hl7.limits import DEFAULT, Limits
from core.hl7.text import WESTERN, Charsets, Decoded, decode
from core.i18n import _

DELETED = '""'


class Field:
    """One repetition of one field."""

    __slots__ = ("_codec", "_separators", "raw")

    def __init__(self, raw: str, separators: Separators, codec: str) -> None:
        self.raw = raw
        self._separators = separators
        self._codec = codec

    def __getitem__(self, component: int) -> str:
        """The first subcomponent of a component, numbered from 1, unescaped and trimmed."""
        return self.part(component)

    def part(self, component: int, subcomponent: int = 1) -> str:
        pieces = self.raw.split(self._separators.component, component)
        piece = pieces[component - 1] if len(pieces) >= component else ""
        parts = piece.split(self._separators.subcomponent, subcomponent)
        return self._read(parts[subcomponent - 1] if len(parts) >= subcomponent else "")

    def components(self) -> list[list[str]]:
        """Every component as its subcomponents."""
        return [
            [self._read(part) for part in piece.split(self._separators.subcomponent)]
            for piece in self.raw.split(self._separators.component)
        ]

    @property
    def text(self) -> str:
        """The whole repetition as text: separators that a sender forgot to escape are part of it."""
        return self._read(self.raw)

    def _read(self, text: str) -> str:
        return unescape(text, self._separators, self._codec).strip()

    def __bool__(self) -> bool:
        return bool(self.raw)


class Segment:
    """One line. Fields are numbered as in the standard: MSH-1 is the field separator itself."""

    __slots__ = ("_codec", "_fields", "name", "number", "separators")

    def __init__(self, line: str, separators: Separators, codec: str, number: int = 1) -> None:
        fields = line.split(separators.field)
        if fields[0] == "MSH":
            fields.insert(1, separators.field)
        self.name = fields[0]
        self.number = number  # the nth of its name, from 1
        self.separators = separators
        self._fields = fields
        self._codec = codec

    def __len__(self) -> int:
        """The number of the last field."""
        return len(self._fields) - 1

    def raw(self, field: int) -> str:
        return self._fields[field] if 0 < field < len(self._fields) else ""

    def repetitions(self, field: int) -> list[Field]:
        """The repetitions of a field; none when it is empty."""
        raw = self.raw(field)
        if not raw:
            return []
        whole = self.name == "MSH" and field <= 2
        return [self._field(part) for part in ([raw] if whole else raw.split(self.separators.repetition))]

    def __getitem__(self, field: int) -> Field:
        """The first repetition of a field."""
        raw = self.raw(field)
        if self.name == "MSH" and field <= 2:
            return self._field(raw)
        return self._field(raw.partition(self.separators.repetition)[0])

    def at(self, field: int, component: int = 1, subcomponent: int = 1) -> str:
        """One value of the first repetition, the commonest question."""
        return self[field].part(component, subcomponent)

    def text(self, field: int) -> str:
        """A field of type TX, FT or ST as text: repetitions are its lines, unescaped separators belong to it."""
        return "\n".join(repetition.text for repetition in self.repetitions(field))

    def _field(self, raw: str) -> Field:
        return Field(raw, self.separators, self._codec)

    def __bool__(self) -> bool:
        """Whether the message has this segment."""
        return bool(self.name)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, read. `raw` are the bytes as received, between the frame's marks or cut out of a batch."""

    raw: bytes
    segments: tuple[Segment, ...]
    separators: Separators
    charset: Decoded
    suspect: bool  # a letter may be wrong: the character set was guessed
    warnings: tuple[str, ...] = ()

    @property
    def header(self) -> Segment:
        return self.segments[0]

    def first(self, name: str) -> Segment:
        """The first segment of this name, or one that is empty everywhere."""
        return first(self.segments, name) or Segment("", self.separators, self.charset.codec)

    def all(self, name: str) -> list[Segment]:
        return [segment for segment in self.segments if segment.name == name]

    @property
    def kind(self) -> str:
        """MSH-9.1, such as ADT."""
        return self.header.at(9)

    @property
    def event(self) -> str:
        """MSH-9.2, such as A04; old senders say it in EVN-1 alone."""
        return self.header.at(9, 2) or self.first("EVN").at(1)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.at(10)


def first(segments: Iterable[Segment], name: str) -> Segment | None:
    return next((segment for segment in segments if segment.name == name), None)


def read(raw: bytes, limits: Limits = DEFAULT, charsets: Charsets = WESTERN) -> Message:
    """Counts, decodes and tokenizes the bytes of one message.

    Raises `BadMessage`, and never anything else.
    """
    lines = prescan.segments(raw, limits)
    prescan.check(lines, limits)
    decoded = decode(lines, charsets)
    separators = separators_of(decoded.segments[0])
    switched = any(switches_charset(line, separators) for line in decoded.segments)
    said = [_("changement de jeu de caractères ignoré : vérifier les accents")] if switched else []
    segments = tuple(_numbered(decoded.segments, separators, decoded.codec))
    return Message(raw, segments, separators, decoded, decoded.suspect or switched, (*decoded.warnings, *said))


def _numbered(lines: Sequence[str], separators: Separators, codec: str) -> Iterator[Segment]:
    seen: dict[str, int] = {}
    for line in lines:
        segment = Segment(line, separators, codec)
        seen[segment.name] = segment.number = seen.get(segment.name, 0) + 1
        yield segment


@dataclass(frozen=True, slots=True)
class Group:
    """What one ORC, or one OBR without ORC, opens: itself and every segment until the next."""

    opener: Segment
    members: tuple[Segment, ...]

    def all(self, name: str) -> list[Segment]:
        return [segment for segment in (self.opener, *self.members) if segment.name == name]

    def first(self, name: str) -> Segment:
        return first((self.opener, *self.members), name) or Segment("", self.opener.separators, "ascii")


def groups(segments: Sequence[Segment], name: str) -> list[Group]:
    """Segments cut at every `name`, by order of appearance; those before the first are left out."""
    found: list[tuple[Segment, list[Segment]]] = []
    for segment in segments:
        if segment.name == name:
            found.append((segment, []))
        elif found:
            found[-1][1].append(segment)
    return [Group(opener, tuple(members)) for opener, members in found]


def order_groups(message: Message) -> list[Group]:
    """Every ORC opens an order; in a message without ORC every OBR does."""
    return groups(message.segments, "ORC") or groups(message.segments, "OBR")
