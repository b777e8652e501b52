"""DICOMDIR: the directory of interchange media, written record after record, whatever the number of images.

Directory records are linked by their place in the file; each place is filled in when it is known. Source: PS3.3 F,
PS3.10 8; Explicit VR Little Endian, so says PS3.10 8.6.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from core.archive.part10 import IMPLEMENTATION_CLASS_UID

STORAGE_CLASS: Final = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage
EXPLICIT_LE: Final = "1.2.840.10008.1.2.1"
_NEXT, _LOWER = 16, 38  # where an item holds (0004,1400) and (0004,1420)
_LONGEST = 1024  # bytes of a value; the longest that a record needs takes 324 (PN, PS3.5 6.2)
_LONG = {b"OB", b"SQ", b"UN", b"UT", b"OW", b"UC", b"UR"}


@dataclass(frozen=True, slots=True)
class Reference:
    """The file of a leaf record. name: its path in the file set, with `/`."""

    name: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str


class DicomdirWriter:
    """`add` records depth first: patient 0, study 1, series 2, object 3. Durable when the caller syncs the file."""

    def __init__(self, path: Path, file_set_id: str = "YELEN") -> None:
        self._file: BinaryIO = path.open("w+b")
        self._last: list[int] = []  # of each level, the place of its newest record
        body = _element(0x0004, 0x1130, b"CS", _text(file_set_id))
        head = _preamble()
        self._roots = (len(head) + len(body) + 8, len(head) + len(body) + 20)
        body += _element(0x0004, 0x1200, b"UL", bytes(4)) + _element(0x0004, 0x1202, b"UL", bytes(4))
        body += _element(0x0004, 0x1212, b"US", bytes(2))
        self._file.write(head + body + struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, 0xFFFFFFFF))
        self._end = self._file.tell()

    def add(self, level: int, kind: str, keys: bytes, reference: Reference | None = None) -> None:
        """keys: the elements of the record above group 0004, encoded. kind: Directory Record Type."""
        at = self._end
        if len(self._last) > level:
            self._fill(self._last[level] + _NEXT, at)
        elif level:
            self._fill(self._last[level - 1] + _LOWER, at)
        else:
            self._fill(self._roots[0], at)
        self._last[level:] = [at]
        body = _links() + _element(0x0004, 0x1430, b"CS", _text(kind)) + _referenced(reference) + keys
        self._file.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
        self._end += 8 + len(body)

    def close(self) -> None:
        if self._last:
            self._fill(self._roots[1], self._last[0])
        self._file.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
        self._file.close()

    def __enter__(self) -> DicomdirWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close() if error else self.close()

    def _fill(self, place: int, value: int) -> None:
        self._file.seek(place)
        self._file.write(struct.pack("<I", value))
        self._file.seek(self._end)


def text_keys(values: Iterable[tuple[int, int, bytes, str]]) -> bytes:
    """Elements of text, in the order of their tags; UTF-8, which is said when a letter needs it."""
    written = [(group, element, vr, value) for group, element, vr, value in values]
    charset = b"" if all(value.isascii() for *_tag, value in written) else _element(8, 5, b"CS", b"ISO_IR 192")
    return charset + b"".join(_element(g, e, vr, _padded(vr, _cut(value))) for g, e, vr, value in written)


def _cut(value: str) -> bytes:
    """What a machine sent, without controls, and never longer than a record can hold."""
    plain = "".join(letter for letter in value if letter.isprintable())
    return plain.encode()[:_LONGEST].decode("utf-8", "ignore").encode()


def number_key(group: int, element: int, value: int) -> bytes:
    """An US element."""
    return _element(group, element, b"US", struct.pack("<H", value))


def _links() -> bytes:
    return (
        _element(0x0004, 0x1400, b"UL", bytes(4))
        + _element(0x0004, 0x1410, b"US", b"\xff\xff")
        + _element(0x0004, 0x1420, b"UL", bytes(4))
    )


def _referenced(reference: Reference | None) -> bytes:
    if reference is None:
        return b""
    return (
        _element(0x0004, 0x1500, b"CS", _text(reference.name.replace("/", "\\")))
        + _element(0x0004, 0x1510, b"UI", _uid(reference.sop_class_uid))
        + _element(0x0004, 0x1511, b"UI", _uid(reference.sop_instance_uid))
        + _element(0x0004, 0x1512, b"UI", _uid(reference.transfer_syntax))
    )


def _preamble() -> bytes:
    meta = (
        _element(2, 1, b"OB", b"\x00\x01")
        + _element(2, 2, b"UI", _uid(STORAGE_CLASS))
        + _element(2, 3, b"UI", _uid(f"2.25.{uuid.uuid4().int}"))
        + _element(2, 0x10, b"UI", _uid(EXPLICIT_LE))
        + _element(2, 0x12, b"UI", _uid(IMPLEMENTATION_CLASS_UID))
    )
    return bytes(128) + b"DICM" + _element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta


def _element(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    if vr in _LONG:
        return struct.pack("<HH2sHI", group, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def _padded(vr: bytes, value: bytes) -> bytes:
    return value + (b"\0" if vr == b"UI" else b" ") if len(value) % 2 else value


def _text(value: str) -> bytes:
    return _padded(b"CS", value.encode())


def _uid(value: str) -> bytes:
    return _padded(b"UI", value.encode())
