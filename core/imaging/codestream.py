"""What the markers of a JPEG family code stream say: the matrix it announces, and whether its end is there.

Source: ITU-T T.81 B.2.2 (SOF), T.87 C.2.2 (SOF55), T.800 A.5.1 (SIZ); T.81 B.1.1.3 (EOI), T.800 A.4.4 (EOC).
"""

from __future__ import annotations

import struct

_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_MAX_SEGMENTS = 1_000
_END = b"\xff\xd9"
_SCAN = b"\xff\xda"
TAIL = 1_024
"""Bytes at the end of a code stream in which its end is looked for: encoders pad with whatever they had."""


def has_end(tail: bytes) -> bool:
    """Whether the last bytes of a code stream hold EOI or EOC, which no coded data can: it is whole to its end.

    The EOI of a small picture inside the header does not count: the scan comes after it.
    """
    tail = tail[-TAIL:]
    return tail.rfind(_END) > tail.rfind(_SCAN)


def code_stream_size(stream: bytes) -> tuple[int, int] | None:
    """(columns, rows) as announced, or None when nothing recognisable announces them."""
    if stream[:4] == b"\xff\x4f\xff\x51":
        return _siz(stream)
    if stream[:2] == b"\xff\xd8":
        return _sof(stream)
    return None


def _siz(stream: bytes) -> tuple[int, int] | None:
    if len(stream) < 24:
        return None
    x, y, x0, y0 = struct.unpack(">4I", stream[8:24])
    return max(0, x - x0), max(0, y - y0)


def _sof(stream: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        if len(stream) < at + 9 or stream[at] != 0xFF:
            return None
        marker = stream[at + 1]
        if marker in _SOF:
            rows, columns = struct.unpack(">2H", stream[at + 5 : at + 9])
            return columns, rows
        at += 1 if marker == 0xFF else 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
    return None
