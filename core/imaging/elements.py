"""A little endian data set as its elements, byte for byte: read in either VR encoding, written as explicit VR.

No value is converted: what goes in as bytes comes out as the same bytes. Whatever the bytes, they are walked or refused
with one `Unwalkable`, in linear time.

Source: PS3.5 7.1 (elements), 7.5 (sequences), 6.2.2 (UN), A.1 and A.2 (the two encodings).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 32
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(
    bytes(each, "ascii")
    for each in "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
)


class Unwalkable(Exception):
    """These bytes are no data set that could be written anew."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element and where it lies. items: bounds of the items' contents, None when it is no sequence.

    start, value, end: of the whole, of its value, and behind it. inside_implicit: how its items are encoded.
    """

    tag: int
    vr: bytes
    start: int
    value: int
    end: int
    items: tuple[tuple[int, int], ...] | None
    inside_implicit: bool


def elements(data: memoryview, implicit: bool, start: int = 0, end: int = -1, depth: int = 0) -> Iterator[Element]:
    """The elements of one level, in order. Raises `Unwalkable`."""
    at, end = start, len(data) if end < 0 else end
    while at < end:
        found = _element(data, at, end, implicit, depth)
        yield found
        at = found.end


def flat(data: memoryview, implicit: bool) -> Iterator[tuple[int, int, bytes]]:
    """Every element of every level as (depth, tag, value): equal for two encodings of the same data set."""
    yield from _flat(data, implicit, 0, len(data), 0)


def _flat(data: memoryview, implicit: bool, start: int, end: int, depth: int) -> Iterator[tuple[int, int, bytes]]:
    for element in elements(data, implicit, start, end, depth):
        if element.items is None:
            yield depth, element.tag, bytes(data[element.value : element.end])
            continue
        yield depth, element.tag, b"items %d" % len(element.items)
        for inside, behind in element.items:
            yield depth, ITEM, b""
            yield from _flat(data, element.inside_implicit, inside, behind, depth + 1)


def explicit(data: memoryview, implicit: bool, element: Element, signed: bool) -> bytes:
    """One element in explicit VR: as it stands when it is already, else with its VR, its sequences undefined in length.

    signed: what `US or SS` means in this data set.
    """
    if not implicit:
        return bytes(data[element.start : element.end])
    if element.items is None:
        return encode(element.tag, vr_of(element.tag, signed), bytes(data[element.value : element.end]))
    parts = [_head(element.tag, b"SQ", UNDEFINED)]
    for inside, behind in element.items:
        parts.append(struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED))
        parts += [explicit(data, True, one, signed) for one in elements(data, True, inside, behind, 1)]
        parts.append(struct.pack("<HHI", 0xFFFE, 0xE00D, 0))
    parts.append(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    return b"".join(parts)


def encode(tag: int, vr: bytes, value: bytes) -> bytes:
    """An element of a defined length; a value too long for its VR is written as UN (PS3.5 6.2.2)."""
    if vr not in _LONG and len(value) > 0xFFFF:
        vr = b"UN"
    return _head(tag, vr, len(value)) + value


def vr_of(tag: int, signed: bool) -> bytes:
    """The VR that the dictionary gives an element, UN when it knows none."""
    group, element = tag >> 16, tag & 0xFFFF
    if element == 0:
        return b"UL"
    if group % 2:
        return b"LO" if 0x10 <= element <= 0xFF else b"UN"
    try:
        said = dictionary_VR(tag)
    except KeyError:
        return b"UN"
    if " or " in said:
        return (b"SS" if signed else b"US") if said == "US or SS" else b"OW"
    return said.encode("ascii")


def _head(tag: int, vr: bytes, length: int) -> bytes:
    if vr in _LONG:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)


def _element(data: memoryview, at: int, end: int, implicit: bool, depth: int) -> Element:
    if depth > MAX_DEPTH or at + 8 > end:
        raise Unwalkable(f"at {at}")
    tag, vr, length, value = _read_head(data, at, end, implicit)
    if length == UNDEFINED:
        inside = implicit or vr == b"UN"
        items, behind = _items(data, value, end, inside, depth)
        return Element(tag, vr, at, value, behind, items, inside)
    if value + length > end:
        raise Unwalkable(f"at {at}")
    if vr == b"SQ":
        items, _behind = _items(data, value, value + length, implicit, depth, bounded=True)
        return Element(tag, vr, at, value, value + length, items, implicit)
    return Element(tag, vr, at, value, value + length, None, implicit)


def _read_head(data: memoryview, at: int, end: int, implicit: bool) -> tuple[int, bytes, int, int]:
    """Tag, VR, length of the value, where it begins."""
    group, number = struct.unpack_from("<HH", data, at)
    tag = group << 16 | number
    if group == 0xFFFE:
        raise Unwalkable(f"at {at}")
    if implicit:
        length = struct.unpack_from("<I", data, at + 4)[0]
        vr = vr_of(tag, False)
        return tag, b"SQ" if length == UNDEFINED else vr, length, at + 8
    vr = bytes(data[at + 4 : at + 6])
    if vr in _LONG:
        if at + 12 > end:
            raise Unwalkable(f"at {at}")
        return tag, vr, struct.unpack_from("<I", data, at + 8)[0], at + 12
    if vr not in _SHORT:
        raise Unwalkable(f"at {at}")
    return tag, vr, struct.unpack_from("<H", data, at + 6)[0], at + 8


def _items(
    data: memoryview, at: int, end: int, implicit: bool, depth: int, bounded: bool = False
) -> tuple[tuple[tuple[int, int], ...], int]:
    """The bounds of each item's content, and where the sequence ends. bounded: by its length, not by a delimiter."""
    found: list[tuple[int, int]] = []
    while not (bounded and at == end):
        if at + 8 > end:
            raise Unwalkable(f"at {at}")
        group, number, length = struct.unpack_from("<HHI", data, at)
        tag, at = group << 16 | number, at + 8
        if tag == SEQUENCE_END:
            return tuple(found), at
        if tag != ITEM:
            raise Unwalkable(f"at {at}")
        behind = _item_end(data, at, end, implicit, depth + 1) if length == UNDEFINED else at + length
        if behind > end:
            raise Unwalkable(f"at {at}")
        found.append((at, behind))
        at = behind + (8 if length == UNDEFINED else 0)
    return tuple(found), at


def _item_end(data: memoryview, at: int, end: int, implicit: bool, depth: int) -> int:
    """Where the delimiter of an item of undefined length stands."""
    while at + 8 <= end:
        if struct.unpack_from("<HH", data, at) == (0xFFFE, 0xE00D):
            return at
        at = _element(data, at, end, implicit, depth).end
    raise Unwalkable(f"at {at}")
