"""Encapsulated pixel data: which fragments make which frame.

Items are followed by their lengths, never searched for delimiter bytes, which may occur inside a code stream.

Source: PS3.5 A.4 (encapsulation, Basic Offset Table), PS3.3 C.7.6.3.1.8 (Extended Offset Table).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.source import Source

ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0"
MAX_FRAGMENTS = 2_000_000
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
"""SOI of every JPEG and JPEG-LS, SOC and SIZ of JPEG 2000."""


@dataclass(frozen=True)
class Fragments:
    """Where the fragments lie in the file, in order."""

    items: list[tuple[int, int]] = field(repr=False)
    """(offset of the bytes, length) of each fragment that is in the file, the last one possibly cut short."""
    offsets: list[int] = field(repr=False)
    """Offset of each frame's first item, counted from the first fragment's item; empty when the file gives none."""
    starts: list[int] = field(repr=False)
    """Indexes of the fragments that begin a code stream."""
    truncated: bool

    def of_frame(self, index: int, frames: int) -> list[tuple[int, int]]:
        """The fragments of frame `index` (from 0)."""
        first = self.first_items(frames)
        if index >= len(first):
            return []
        end = first[index + 1] if index + 1 < len(first) else len(self.items)
        return self.items[first[index] : end]

    def whole_frames(self, frames: int) -> int:
        """Frames that can be read to their end."""
        return max(0, len(self.first_items(frames)) - (1 if self.truncated else 0))

    def first_items(self, frames: int) -> list[int]:
        """Index of the first fragment of each frame that is there."""
        if frames == 1:
            return [0] if self.items else []
        if len(self.items) == frames:
            return list(range(frames))
        if len(self.offsets) == frames and (by_table := self._by_table()):
            return by_table
        return self.starts if len(self.starts) > 1 else list(range(min(frames, len(self.items))))

    def _by_table(self) -> list[int]:
        if not self.items:
            return []
        origin = self.items[0][0] - 8
        index_of = {offset - 8 - origin: index for index, (offset, _) in enumerate(self.items)}
        found = [index_of.get(offset) for offset in self.offsets]
        known = [each for each in found if each is not None]
        return known if known == sorted(set(known)) and known[:1] == [0] else []


def walk_fragments(source: Source, offset: int, data: Dataset) -> Fragments:
    """Every fragment after the pixel data element that begins at `offset`, in one pass over the item headers."""
    table, at = _item(source, offset)
    if at is None:
        raise NotDisplayable(Reason.UNREADABLE)
    offsets = _offsets(source.at(offset + 8, table), "<I")
    items: list[tuple[int, int]] = []
    starts: list[int] = []
    truncated = True
    while at < source.size and len(items) < MAX_FRAGMENTS:
        head = source.at(at, 12)
        if head[:4] == SEQUENCE_END:
            truncated = False
            break
        if head[:4] != ITEM or len(head) < 8:
            break
        length = int.from_bytes(head[4:8], "little")
        if head[8:12].startswith(_STARTS):
            starts.append(len(items))
        items.append((at + 8, min(length, source.size - at - 8)))
        at += 8 + length
    else:
        truncated = at > source.size
    extended = data.get("ExtendedOffsetTable")
    return Fragments(items, _offsets(extended, "<Q") if isinstance(extended, bytes) else offsets, starts, truncated)


def _item(source: Source, offset: int) -> tuple[int, int | None]:
    head = source.at(offset, 8)
    length = int.from_bytes(head[4:8], "little")
    if head[:4] != ITEM or offset + 8 + length > source.size:
        return 0, None
    return length, offset + 8 + length


def _offsets(table: bytes, form: str) -> list[int]:
    size = struct.calcsize(form)
    return [found[0] for found in struct.iter_unpack(form, table[: len(table) // size * size])]
