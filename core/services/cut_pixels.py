"""Whether compressed pixels reach their end, told by the last bytes of an object while a machine waits for its ack.

A cut image is archived and flagged `incomplete`: it is shown as such, and nobody answers for it to its machine.

Source: PS3.5 A.4 (a delimiter ends the fragments); EOI and EOC: `core.imaging.codestream`.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from core.imaging.codestream import has_end
from core.model.received import Arrival, ReceivedHeader

_PREFIX = "1.2.840.10008.1.2"
MARKED = frozenset(f"{_PREFIX}.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203))
FRAGMENTED = MARKED | {f"{_PREFIX}.5"}
REACH = 64 * 1024  # bytes; what follows the pixels is smaller
_END = re.compile(rb"\xfe\xff\xdd\xe0\0\0\0\0")
_ITEM = re.compile(rb"\xfe\xff\x00\xe0.{4}", re.DOTALL)


def is_cut(syntax: str, tail: bytes) -> bool:
    """Whether the last bytes of an image in this syntax lack the end of its fragments, or of its last code stream."""
    ends = [found.start() for found in _END.finditer(tail)]
    if syntax not in MARKED:
        return not ends
    return not any(has_end(_ITEM.sub(b"", tail[max(0, end - 4096) : end])) for end in ends)


def with_flag(arrival: Arrival) -> ReceivedHeader:
    """The header of an arrival, flagged when its pixels are cut."""
    header = arrival.header
    assert header is not None
    if header.incomplete or header.rows is None or arrival.transfer_syntax not in FRAGMENTED:
        return header
    tail = tail_of(Path(arrival.spooled)) if arrival.spooled else bytes(memoryview(arrival.dataset)[-REACH:])
    return replace(header, incomplete=True) if is_cut(arrival.transfer_syntax, tail) else header


def tail_of(file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - REACH))
        return stream.read()
