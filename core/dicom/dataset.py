"""Small data sets of queries, worklist items and procedure steps: our own codec, no library on the hot path.

Decoding keeps values as bytes and sequences as lists. Where the VR is not said (implicit, UN) a value that begins with
an item and reads as items is a sequence; what is inside a UN is implicit little endian.
Source: PS3.5 sections 7 and 6.2.2 (UN). Every length is checked against what holds it before anything is sliced.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from core.dicom.charset import Charset, charset_of
from core.dicom.sequences import IMPLICIT, UNDEFINED, Beyond, Encoding
from core.errors import BadMessage
from core.i18n import _
from core.model.value_representation import LONG

SPECIFIC_CHARACTER_SET: Final = 0x00080005
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_DEEPEST: Final = 32
_MOST_ELEMENTS: Final = 100_000  # a commitment request or a performed step names an image with three
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
    try:
        return _Reader(data).data_set(0, len(data), Encoding.of(transfer_syntax), Charset(), 0)[0]
    except Beyond:
        raise BadDataSet("cut short", len(data)) from None


class _TooMuch(BadDataSet):
    """Too deep or too many: the whole data set is refused, however the value was spelled."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._elements = 0

    def data_set(self, at: int, end: int, encoding: Encoding, charset: Charset, depth: int) -> tuple[Item, int]:
        """The elements from `at` to `end`, or to the item delimiter; and where they stopped."""
        item = Item(charset=charset)
        while at < end:
            tag, vr, start, length = encoding.element(self._data, at, end)
            if tag == _ITEM_END:
                return item, start
            self._count(at)
            if length == UNDEFINED:
                if vr not in (b"", b"UN", b"SQ"):
                    raise BadDataSet(f"undefined length of VR {vr!r}", at)
                inside = IMPLICIT if vr == b"UN" else encoding
                item.sequences[tag], at = self.sequence(start, end, inside, item.charset, depth + 1)
                continue
            if start + length > end:
                raise BadDataSet(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) of {length} bytes", at)
            at = start + length
            items = self._items(vr, start, at, encoding, item.charset, depth + 1)
            if items is not None:
                item.sequences[tag] = items
                continue
            item.values[tag] = self._data[start:at]
            if tag == SPECIFIC_CHARACTER_SET:
                item.charset = charset_of(item.values[tag].strip(b" \0"))
        return item, at

    def _items(
        self, vr: bytes, start: int, stop: int, encoding: Encoding, charset: Charset, depth: int
    ) -> list[Item] | None:
        """The items of a value of defined length; None when it is no sequence.

        Where the VR is not said, bytes that begin as an item and cannot be read as items are a value like another.
        """
        if vr == b"SQ":
            return self.sequence(start, stop, encoding, charset, depth)[0]
        if stop - start < 8 or not encoding.hides_items(vr, self._data, start):
            return None
        try:
            inside = IMPLICIT if vr == b"UN" else encoding
            return self.sequence(start, stop, inside, charset, depth)[0]
        except _TooMuch:
            raise
        except (BadDataSet, Beyond):
            return None

    def sequence(self, at: int, end: int, encoding: Encoding, charset: Charset, depth: int) -> tuple[list[Item], int]:
        if depth > _DEEPEST:
            raise _TooMuch(f"more than {_DEEPEST} nested sequences", at)
        items: list[Item] = []
        while at < end:
            tag, _vr, start, length = encoding.element(self._data, at, end)
            self._count(at)
            if tag == _SEQUENCE_END:
                return items, start
            if tag != _ITEM:
                raise BadDataSet(f"{tag:08x} where an item should be", at)
            if length != UNDEFINED and start + length > end:
                raise BadDataSet(f"item of {length} bytes", at)
            stop = end if length == UNDEFINED else start + length
            item, at = self.data_set(start, stop, encoding, charset, depth)
            items.append(item)
        return items, at

    def _count(self, at: int) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise _TooMuch(f"more than {_MOST_ELEMENTS} elements", at)


# Writing


@lru_cache(maxsize=1024)
def head(tag: int, vr: str, transfer_syntax: str) -> tuple[bytes, struct.Struct, bytes]:
    """What comes before the length, how the length is written, and the padding byte."""
    encoding = Encoding.of(transfer_syntax)
    name = struct.pack(encoding.order + "HH", tag >> 16, tag & 0xFFFF)
    pad = b"\0" if vr in _NUL_PADDED else b" "
    if not encoding.explicit:
        return name, struct.Struct(encoding.order + "I"), pad
    if vr.encode() in LONG:
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
