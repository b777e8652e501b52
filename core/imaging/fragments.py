"""Encapsulated pixel data: which fragments make which frame.

Items are followed by their lengths, never searched for delimiter bytes, which may occur inside a code stream.
An offset table is a hint: one that does not fit the items, or the code streams that begin in them, is not believed.

Source: PS3.5 A.4 (encapsulation, Basic Offset Table), PS3.3 C.7.6.3.1.8 (Extended Offset Table).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from core.imaging.codestream import TAIL, has_end
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.part10 import RLE
from core.imaging.source import Source

ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0"
MAX_FRAGMENTS = 2_000_000
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
"""SOI of every JPEG and JPEG-LS, SOC and SIZ of JPEG 2000."""
_RLE_FIRST = b"\x40\x00\x00\x00"
"""Where the first segment of a Run Length Encoded frame begins, after their number (PS3.5 G.5)."""


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
        """Frames whose fragments are in the file to their end."""
        return max(0, len(self.first_items(frames)) - (1 if self.truncated else 0))

    def first_items(self, frames: int) -> list[int]:
        """Index of the first fragment of each frame that is there; empty when nobody can tell which is whose."""
        if frames == 1:
            return [0] if self.items else []
        if table := self._by_table(frames):
            return table
        if self._are_all_frames(self.starts, frames):
            return self.starts
        alone = list(range(len(self.items)))
        return alone if not self.starts and self._are_all_frames(alone, frames) else []

    def _are_all_frames(self, first: list[int], frames: int) -> bool:
        """As many as there should be, from the first item on; of a cut file, as many as are left."""
        return first[:1] == [0] and (len(first) == frames or (self.truncated and len(first) < frames))

    def _by_table(self, frames: int) -> list[int]:
        """The items that the table points at when it can be right: one a frame, ascending, each a beginning."""
        if not self.items or len(self.offsets) != frames:
            return []
        origin = self.items[0][0] - 8
        index_of = {offset - 8 - origin: index for index, (offset, _) in enumerate(self.items)}
        found = [index_of.get(offset, -1) for offset in self.offsets]
        while self.truncated and found[-1:] == [-1]:
            found.pop()
        if found[:1] != [0] or found != sorted(set(found)):
            return []
        if len(found) < frames:
            return found if found == self.starts else []
        return found if len(self.items) == frames or not self.starts or set(found) <= set(self.starts) else []


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
        head = source.at(at, 16)
        if head[:4] == SEQUENCE_END:
            truncated = False
            break
        if head[:4] != ITEM or len(head) < 8:
            break
        length = int.from_bytes(head[4:8], "little")
        if head[8:12].startswith(_STARTS) or (source.syntax == RLE and head[12:16] == _RLE_FIRST):
            starts.append(len(items))
        items.append((at + 8, min(length, source.size - at - 8)))
        at += 8 + length
    else:
        truncated = at > source.size
    extended = data.get("ExtendedOffsetTable")
    return Fragments(items, _offsets(extended, "<Q") if isinstance(extended, bytes) else offsets, starts, truncated)


def cut_frames(source: Source, fragments: Fragments, frames: int) -> frozenset[int]:
    """Frames (from 0) whose code stream stops before its end although its fragments are whole."""
    first = [*fragments.first_items(frames), len(fragments.items)]
    return frozenset(
        index
        for index in range(len(first) - 1)
        if not has_end(_tail(source, fragments.items, first[index : index + 2]))
    )


def _tail(source: Source, items: list[tuple[int, int]], bounds: list[int]) -> bytes:
    """The last bytes of a frame, which may lie in several fragments."""
    tail = b""
    for offset, length in reversed(items[bounds[0] : bounds[1]]):
        wanted = min(length, TAIL - len(tail))
        tail = source.at(offset + length - wanted, wanted) + tail
        if len(tail) >= TAIL:
            break
    return tail


def _item(source: Source, offset: int) -> tuple[int, int | None]:
    head = source.at(offset, 8)
    length = int.from_bytes(head[4:8], "little")
    if head[:4] != ITEM or offset + 8 + length > source.size:
        return 0, None
    return length, offset + 8 + length


def _offsets(table: bytes, form: str) -> list[int]:
    size = struct.calcsize(form)
    return [found[0] for found in struct.iter_unpack(form, table[: len(table) // size * size])]
