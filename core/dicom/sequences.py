"""Sequences of a data set: skipped iteratively, never deeper than 32 levels. Source: PS3.5 section 7.5."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from core.dicom.conformance import EXPLICIT_BE, IMPLICIT_LE
from core.dicom.walk_fault import BadHeader
from core.model.received import Reason
from core.model.value_representation import ANY, SHORT

UNDEFINED: Final = 0xFFFFFFFF
DEEPEST: Final = 32
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_LITTLE, _BIG = struct.Struct("<HH2sH"), struct.Struct(">HH2sH")


class Beyond(Exception):
    """The window ended first; the data set goes on."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are spelled in a transfer syntax."""

    explicit: bool
    little: bool

    @staticmethod
    @lru_cache(maxsize=64)
    def of(transfer_syntax: str) -> Encoding:
        """Implicit LE, explicit BE, or explicit LE like everything compressed."""
        return Encoding(transfer_syntax != IMPLICIT_LE, transfer_syntax != EXPLICIT_BE)

    @property
    def order(self) -> str:
        return "<" if self.little else ">"

    def length(self, data: bytes, at: int) -> int:
        return int(struct.unpack_from(self.order + "I", data, at)[0])

    def is_item(self, data: bytes, at: int) -> bool:
        return data[at : at + 4] == (b"\xfe\xff\x00\xe0" if self.little else b"\xff\xfe\xe0\x00")

    def hides_items(self, vr: bytes, data: bytes, at: int) -> bool:
        """Whether a value that is not said to be a sequence begins with an item: implicit VR, or a VR that was lost."""
        return vr in (b"", b"UN") and (self if vr == b"" else IMPLICIT).is_item(data, at)

    def element(self, data: bytes, at: int, end: int) -> tuple[int, bytes, int, int]:
        """Tag, VR (b"" when implicit), start and length of the element at `at`; its header must be before `end`."""
        if at + 8 > end:
            raise Beyond
        group, element, vr, short = (_LITTLE if self.little else _BIG).unpack_from(data, at)
        tag = group << 16 | element
        if not self.explicit or group == 0xFFFE:
            return tag, b"", at + 8, self.length(data, at + 4)
        if vr in SHORT:
            return tag, vr, at + 8, short
        if at + 12 > end:
            raise Beyond
        return tag, vr, at + 12, self.length(data, at + 8)


IMPLICIT, EXPLICIT = Encoding(False, True), Encoding(True, True)


@dataclass(slots=True)
class _Level:
    """A sequence or an item being skipped. end: -1 when its length is undefined."""

    sequence: bool
    end: int
    encoding: Encoding


def skip_sequence(window: bytes, start: int, length: int, total: int, encoding: Encoding) -> int:
    """Where the sequence whose items begin at `start` ends.

    Raises `Beyond` when the window ends first, `BadHeader` when the data set does, when it nests deeper than 32 levels
    or, for an undefined length, when its items cannot be read. Faults inside a sequence of defined length are left to
    whoever reads it: only its depth counts here.
    """
    defined = length != UNDEFINED
    try:
        return _skip(window, start, start + length if defined else -1, total, encoding)
    except BadHeader as error:
        if defined and error.why is not Reason.TOO_DEEP:
            return start + length
        raise


def _skip(window: bytes, at: int, end: int, total: int, encoding: Encoding) -> int:
    levels = [_Level(True, end, encoding)]
    depth = 1
    while levels:
        level = levels[-1]
        if at == level.end:
            depth -= levels.pop().sequence
            continue
        if -1 < level.end < at:
            raise BadHeader(Reason.BAD_STRUCTURE, "value longer than its item", at)
        tag, vr, start, length = _element(window, at, total, level.encoding)
        if not level.sequence and (spelled := _really(window, at, start, length, total, vr, level.encoding)):
            level.encoding = spelled
            continue
        if tag in (_ITEM_END, _SEQUENCE_END):
            if level.end == -1:
                depth -= levels.pop().sequence
            at = start
        elif level.sequence:
            if tag != _ITEM:
                raise BadHeader(Reason.BAD_STRUCTURE, f"{tag:08x} where an item should be", at)
            levels.append(_Level(False, -1 if length == UNDEFINED else start + length, level.encoding))
            at = start
        elif length == UNDEFINED or vr == b"SQ" or (length >= 8 and level.encoding.hides_items(vr, window, start)):
            depth += 1
            if depth > DEEPEST:
                raise BadHeader(Reason.TOO_DEEP, f"more than {DEEPEST} nested sequences", at)
            inside = IMPLICIT if vr == b"UN" else level.encoding
            levels.append(_Level(True, -1 if length == UNDEFINED else start + length, inside))
            at = start
        else:
            at = _after(window, at, start + length, total)
    return at


def _really(
    window: bytes, at: int, start: int, length: int, total: int, vr: bytes, encoding: Encoding
) -> Encoding | None:
    """The other spelling, when an item is plainly not in the declared one: gateways mix implicit and explicit VR."""
    if vr and not (vr.isalpha() and vr.isupper()):
        return IMPLICIT
    written = window[at + 4 : at + 6]
    if not encoding.explicit and length != UNDEFINED and start + length > total and written in ANY:
        return EXPLICIT
    return None


def _element(window: bytes, at: int, total: int, encoding: Encoding) -> tuple[int, bytes, int, int]:
    try:
        return encoding.element(window, at, len(window))
    except Beyond:
        if len(window) >= total:
            raise BadHeader(Reason.TRUNCATED, "sequence without end", at) from None
        raise


def _after(window: bytes, at: int, stop: int, total: int) -> int:
    if stop > total:
        raise BadHeader(Reason.TRUNCATED, f"value ends at {stop} of {total}", at)
    if stop > len(window):
        raise Beyond
    return stop


def item_element(value: bytes, wanted: int, encoding: Encoding) -> bytes:
    """The value of an element at the top of the first item of a sequence; b"" when it is not there or unreadable."""
    try:
        tag, _, at, length = encoding.element(value, 0, len(value))
        end = len(value) if length == UNDEFINED else min(at + length, len(value))
        while at < end:
            tag, vr, start, length = encoding.element(value, at, end)
            if tag == _ITEM_END or tag > wanted:
                return b""
            if length == UNDEFINED:
                at = skip_sequence(value, start, UNDEFINED, len(value), IMPLICIT if vr == b"UN" else encoding)
                continue
            if tag == wanted:
                return value[start : start + length] if start + length <= end else b""
            at = start + length
    except (Beyond, BadHeader):
        pass
    return b""
