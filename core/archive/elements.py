"""Elements of a stored data set, followed by their lengths: enough to read and replace a few at its top level.

A sequence of undefined length is skipped, at most 64 levels deep. Source: PS3.5 section 7.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from core.errors import BadMessage
from core.i18n import _

IMPLICIT_LE: Final = "1.2.840.10008.1.2"
EXPLICIT_BE: Final = "1.2.840.10008.1.2.2"
UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
LONG: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_DEEPEST: Final = 64
_NUL_PADDED: Final = frozenset({b"UI", b"OB", b"UN"})

Bytes = bytes | mmap.mmap


class BadElements(BadMessage):
    """A data set that cannot be followed."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(_("Données DICOM illisibles"), reason, offset)


class Element(NamedTuple):
    """at: where its tag begins; start, stop: its value, with the delimiter when its length is undefined."""

    tag: int
    vr: bytes  # b"" when implicit
    at: int
    start: int
    stop: int
    defined: bool


@dataclass(frozen=True, slots=True)
class Spelling:
    """How the elements of a data set are written."""

    explicit: bool
    order: str  # of struct: < or >

    @staticmethod
    def of(transfer_syntax: str) -> Spelling:
        return Spelling(transfer_syntax != IMPLICIT_LE, ">" if transfer_syntax == EXPLICIT_BE else "<")

    def element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """One element, padded to an even length."""
        if len(value) & 1:
            value += b"\0" if vr in _NUL_PADDED else b" "
        name = struct.pack(self.order + "HH", tag >> 16, tag & 0xFFFF)
        if not self.explicit or tag >> 16 == 0xFFFE:
            return name + struct.pack(self.order + "I", len(value)) + value
        if vr in LONG:
            return name + vr + struct.pack(self.order + "HI", 0, len(value)) + value
        if len(value) > 0xFFFF:
            raise BadElements("value too long for its VR", tag)
        return name + vr + struct.pack(self.order + "H", len(value)) + value

    def read(self, data: Bytes, at: int, end: int) -> tuple[int, bytes, int, int]:
        """Tag, VR, start of the value and its length. Raises `BadElements` when `end` comes first."""
        if at + 8 > end:
            raise BadElements("cut short", at)
        group, element = struct.unpack_from(self.order + "HH", data, at)
        tag: int = group << 16 | element
        if not self.explicit or group == 0xFFFE:
            return tag, b"", at + 8, struct.unpack_from(self.order + "I", data, at + 4)[0]
        vr = data[at + 4 : at + 6]
        if vr not in LONG:
            if not vr.isalpha():
                raise BadElements(f"VR {vr!r}", at)
            return tag, vr, at + 8, struct.unpack_from(self.order + "H", data, at + 6)[0]
        if at + 12 > end:
            raise BadElements("cut short", at)
        return tag, vr, at + 12, struct.unpack_from(self.order + "I", data, at + 8)[0]


IMPLICIT: Final = Spelling(False, "<")


def elements(data: Bytes, at: int, end: int, spelling: Spelling) -> Iterator[Element]:
    """The elements from `at` to `end`, in the order of the file. Raises `BadElements`.

    The last one may say that its value ends after `end`: whoever needs it looks.
    """
    while at < end:
        tag, vr, start, length = spelling.read(data, at, end)
        defined = length != UNDEFINED
        inside = IMPLICIT if vr == b"UN" else spelling
        stop = start + length if defined else _after_items(data, start, end, inside, 1)
        yield Element(tag, vr, at, start, stop, defined)
        at = stop


def items(data: Bytes, start: int, stop: int, spelling: Spelling) -> Iterator[tuple[int, int]]:
    """Start and stop of the contents of each item of a sequence's value."""
    at = start
    while at < stop:
        tag, _vr, inside, length = spelling.read(data, at, stop)
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise BadElements(f"{tag:08x} where an item should be", at)
        if length != UNDEFINED:
            at = inside + length
            if at > stop:
                raise BadElements("item longer than its sequence", inside)
            yield inside, at
        else:
            at = _after_elements(data, inside, stop, spelling, 1)
            yield inside, at - 8


def _after_items(data: Bytes, at: int, end: int, spelling: Spelling, depth: int) -> int:
    """Where a sequence (or encapsulated pixel data) of undefined length ends, its delimiter included."""
    if depth > _DEEPEST:
        raise BadElements("sequences nested too deep", at)
    while True:
        tag, _vr, start, length = spelling.read(data, at, end)
        if tag == SEQUENCE_END:
            return start
        if tag != ITEM:
            raise BadElements(f"{tag:08x} where an item should be", at)
        at = start + length if length != UNDEFINED else _after_elements(data, start, end, spelling, depth)


def _after_elements(data: Bytes, at: int, end: int, spelling: Spelling, depth: int) -> int:
    """Where an item of undefined length ends, its delimiter included."""
    while True:
        tag, vr, start, length = spelling.read(data, at, end)
        if tag == ITEM_END:
            return start
        if length != UNDEFINED:
            at = start + length
        else:
            at = _after_items(data, start, end, IMPLICIT if vr == b"UN" else spelling, depth + 1)
