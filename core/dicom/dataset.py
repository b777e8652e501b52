"""Small data sets of queries, worklist items and procedure steps: our own codec, no library on the hot path.

Decoding keeps values as bytes and sequences as lists; a value of undefined VR that begins with an item is a sequence.
Source: PS3.5 section 7. Values longer than the message were refused before they came here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from core.dicom.charset import Charset, charset_of
from core.dicom.sequences import UNDEFINED, Beyond, Encoding
from core.errors import BadMessage
from core.i18n import _

SPECIFIC_CHARACTER_SET: Final = 0x00080005
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_DEEPEST: Final = 32
_MOST_ELEMENTS: Final = 20_000
_LONG: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_NUL_PADDED: Final = frozenset({"UI", "OB", "UN"})


class BadDataSet(BadMessage):
    """A data set that cannot be read."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(_("Données DICOM illisibles"), reason, offset)


@dataclass(slots=True)
class Item:
    """A data set or an item of a sequence. Texts are decoded with the charset in force there."""

    values: dict[int, bytes] = field(default_factory=dict)
    sequences: dict[int, list[Item]] = field(default_factory=dict)
    charset: Charset = field(default_factory=Charset)

    def __contains__(self, tag: int) -> bool:
        return tag in self.values or tag in self.sequences

    @property
    def tags(self) -> list[int]:
        return sorted({*self.values, *self.sequences})

    def text(self, tag: int) -> str:
        """The value as text, "" when absent or a sequence."""
        value = self.values.get(tag)
        return self.charset.decode(value.strip(b" \0"))[0] if value else ""

    def items(self, tag: int) -> list[Item]:
        """The items of a sequence; [] when it is absent or empty."""
        return self.sequences.get(tag, [])

    def first(self, tag: int) -> Item:
        """The first item of a sequence, an empty one when there is none."""
        items = self.items(tag)
        return items[0] if items else Item(charset=self.charset)


def decode(data: bytes, transfer_syntax: str) -> Item:
    """Raises `BadDataSet`."""
    reader = _Reader(data, Encoding.of(transfer_syntax))
    try:
        return reader.data_set(0, len(data), Charset(), 0)[0]
    except Beyond:
        raise BadDataSet("cut short", len(data)) from None


class _Reader:
    def __init__(self, data: bytes, encoding: Encoding) -> None:
        self._data = data
        self._encoding = encoding
        self._elements = 0

    def data_set(self, at: int, end: int, charset: Charset, depth: int) -> tuple[Item, int]:
        """The elements from `at` to `end`, or to the item delimiter; and where they stopped."""
        item = Item(charset=charset)
        while at < end:
            tag, vr, start, length = self._encoding.element(self._data, at, end)
            if tag == _ITEM_END:
                return item, start
            self._count(at)
            if length != UNDEFINED and start + length > end:
                raise BadDataSet(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) of {length} bytes", at)
            if self._is_sequence(vr, start, length):
                stop = end if length == UNDEFINED else start + length
                item.sequences[tag], at = self.sequence(start, stop, item.charset, depth + 1)
                if length != UNDEFINED:
                    at = stop
                continue
            at = start + length
            item.values[tag] = self._data[start:at]
            if tag == SPECIFIC_CHARACTER_SET:
                item.charset = charset_of(item.values[tag].strip(b" \0"))
        return item, at

    def _is_sequence(self, vr: bytes, start: int, length: int) -> bool:
        return length == UNDEFINED or vr == b"SQ" or (length >= 8 and self._encoding.is_item(self._data, start))

    def sequence(self, at: int, end: int, charset: Charset, depth: int) -> tuple[list[Item], int]:
        if depth > _DEEPEST:
            raise BadDataSet(f"more than {_DEEPEST} nested sequences", at)
        items: list[Item] = []
        while at < end:
            tag, _vr, start, length = self._encoding.element(self._data, at, end)
            self._count(at)
            if tag == _SEQUENCE_END:
                return items, start
            if tag != _ITEM:
                raise BadDataSet(f"{tag:08x} where an item should be", at)
            if length != UNDEFINED and start + length > end:
                raise BadDataSet(f"item of {length} bytes", at)
            stop = end if length == UNDEFINED else start + length
            item, at = self.data_set(start, stop, charset, depth)
            items.append(item)
        return items, at

    def _count(self, at: int) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise BadDataSet(f"more than {_MOST_ELEMENTS} elements", at)


# Writing


@lru_cache(maxsize=1024)
def head(tag: int, vr: str, transfer_syntax: str) -> tuple[bytes, struct.Struct, bytes]:
    """What comes before the length, how the length is written, and the padding byte."""
    encoding = Encoding.of(transfer_syntax)
    name = struct.pack(encoding.order + "HH", tag >> 16, tag & 0xFFFF)
    pad = b"\0" if vr in _NUL_PADDED else b" "
    if not encoding.explicit:
        return name, struct.Struct(encoding.order + "I"), pad
    if vr in _LONG:
        return name + vr.encode() + b"\0\0", struct.Struct(encoding.order + "I"), pad
    return name + vr.encode(), struct.Struct(encoding.order + "H"), pad


def element(tag: int, vr: str, value: bytes, transfer_syntax: str) -> bytes:
    """One element, padded to an even length."""
    before, length, pad = head(tag, vr, transfer_syntax)
    if len(value) & 1:
        value += pad
    return before + length.pack(len(value)) + value


def sequence(tag: int, items: Iterable[bytes], transfer_syntax: str) -> bytes:
    """A sequence of already encoded items, of defined length."""
    order = Encoding.of(transfer_syntax).order
    encoded = [struct.pack(order + "HHI", 0xFFFE, 0xE000, len(item)) + item for item in items]
    return element(tag, "SQ", b"".join(encoded), transfer_syntax)
