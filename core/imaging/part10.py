"""The first bytes of a DICOM file: which transfer syntax, and where the data set begins.

Source: PS3.10 7.1 (preamble, prefix, File Meta Information in explicit little endian).
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from core.imaging.not_displayable import NotDisplayable, Reason
from core.model.value_representation import LONG

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
RLE = "1.2.840.10008.1.2.5"
NATIVE = frozenset({IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE})

MAX_META = 64 * 1024


def start_of_data_set(file: BinaryIO) -> tuple[str, int]:
    """The transfer syntax UID and the offset of the first element after the File Meta Information.

    A file without preamble or without a transfer syntax is tried as its first element looks.
    """
    head = file.read(132 + MAX_META)
    start = 132 if head[128:132] == b"DICM" else 0
    syntax, offset = _walk_meta(head, start)
    return syntax or _guess(head[offset : offset + 6]), offset


def _walk_meta(head: bytes, offset: int) -> tuple[str, int]:
    syntax = ""
    while head[offset : offset + 2] == b"\x02\x00" and len(head) >= offset + 8:
        element, vr = head[offset + 2 : offset + 4], head[offset + 4 : offset + 6]
        if vr in LONG:
            length = int.from_bytes(head[offset + 8 : offset + 12], "little")
            offset += 12
        else:
            length = int.from_bytes(head[offset + 6 : offset + 8], "little")
            offset += 8
        if offset + length > len(head):
            raise NotDisplayable(Reason.UNREADABLE)
        if element == b"\x10\x00":
            syntax = head[offset : offset + length].rstrip(b"\0 ").decode("ascii", "replace")
        offset += length
    return syntax, offset


def _guess(first: bytes) -> str:
    if len(first) < 6 or not first[4:6].isalpha() or not first[4:6].isupper():
        return IMPLICIT_LE
    little, big = struct.unpack("<H", first[:2])[0], struct.unpack(">H", first[:2])[0]
    return EXPLICIT_LE if little <= big else EXPLICIT_BE
