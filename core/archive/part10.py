"""The DICOM file format around a data set (PS3.10 7): 128 zero bytes, `DICM`, file meta information group 0002.

The data set that follows is exactly what was received.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadMessage
from core.i18n import _
from core.model.received import MadeFrom
from core.model.value_representation import LONG

IMPLEMENTATION_CLASS_UID = "2.25.211396418712935084137152943172643126287"
IMPLEMENTATION_VERSION = "YELEN_0.1"
META_CAP = 64 * 1024
PIECE = 1 << 20


def _element(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    if vr in LONG:
        return struct.pack("<HH2sHI", group, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, element, vr, len(value)) + value


def _uid(text: str) -> bytes:
    value = text.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)


def _text(text: str) -> bytes:
    value = text.encode("ascii", "replace")[:16]
    return value + b" " * (len(value) % 2)


def file_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax: str,
    calling_ae: str,
    made_from: MadeFrom | None = None,
) -> bytes:
    """Preamble, prefix and group 0002, explicit little endian (PS3.10 7.1).

    made_from: kept as private information (0002,0102), so that the archive alone tells what a file took the place of.
    """
    body = b"".join(
        (
            _element(2, 0x0001, b"OB", b"\0\1"),
            _element(2, 0x0002, b"UI", _uid(sop_class_uid)),
            _element(2, 0x0003, b"UI", _uid(sop_instance_uid)),
            _element(2, 0x0010, b"UI", _uid(transfer_syntax)),
            _element(2, 0x0012, b"UI", _uid(IMPLEMENTATION_CLASS_UID)),
            _element(2, 0x0013, b"SH", _text(IMPLEMENTATION_VERSION)),
            _element(2, 0x0016, b"AE", _text(calling_ae)),
            _origin(made_from) if made_from else b"",
        )
    )
    return bytes(128) + b"DICM" + _element(2, 0, b"UL", struct.pack("<I", len(body))) + body


def _origin(made_from: MadeFrom) -> bytes:
    said = f"{made_from.file_sha256} {made_from.dataset_sha256} {made_from.transfer_syntax}".encode("ascii")
    creator = _element(2, 0x0100, b"UI", _uid(IMPLEMENTATION_CLASS_UID))
    return creator + _element(2, 0x0102, b"OB", said + b" " * (len(said) % 2))


_ORIGIN = re.compile(r"([0-9a-f]{64}) ([0-9a-f]{64}) ([0-9.]{1,64}) ?")


@dataclass(frozen=True, slots=True)
class FileMeta:
    """Group 0002 of a file. dataset_offset: where the data set begins. made_from: believed in our own archive only."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    source_ae: str
    dataset_offset: int
    made_from: MadeFrom | None = None


def read_file_meta(head: bytes) -> FileMeta:
    """File meta from the first bytes of a file (64 KiB are enough for any honest one).

    The group length is not trusted: elements are walked while their group is 0002.
    Raises `BadMessage` when there is no `DICM` or no transfer syntax.
    """
    if head[128:132] != b"DICM":
        raise BadMessage(_("Ce n'est pas un fichier DICOM."), "no-meta", 128)
    values: dict[int, bytes] = {}
    at = 132
    while at + 8 <= len(head) and at < META_CAP:
        group, element, vr, short = struct.unpack_from("<HH2sH", head, at)
        if group != 2:
            break
        if vr in LONG:
            if at + 12 > len(head):
                break
            (length,) = struct.unpack_from("<I", head, at + 8)
            start = at + 12
        else:
            length, start = short, at + 8
        if start + length > len(head):
            raise BadMessage(_("En-tête de fichier illisible."), "no-meta", at)
        values[element] = head[start : start + length]
        at = start + length
    syntax = _said(values.get(0x0010))
    if not syntax:
        raise BadMessage(_("Syntaxe de transfert absente."), "no-transfer-syntax", at)
    origin = None
    if _said(values.get(0x0100)) == IMPLEMENTATION_CLASS_UID:
        origin = _ORIGIN.fullmatch(values.get(0x0102, b"").decode("ascii", "replace"))
    return FileMeta(
        _said(values.get(0x0002)),
        _said(values.get(0x0003)),
        syntax,
        _said(values.get(0x0016)),
        at,
        MadeFrom(*origin.groups()) if origin else None,
    )


def _said(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0 ").decode("ascii", "replace")


def same_object(one: Path, other: Path) -> bool:
    """Whether two files hold the same data set in the same transfer syntax, whoever sent it."""
    with one.open("rb") as a, other.open("rb") as b:
        first, second = read_file_meta(a.read(META_CAP)), read_file_meta(b.read(META_CAP))
        if first.transfer_syntax != second.transfer_syntax:
            return False
        a.seek(first.dataset_offset)
        b.seek(second.dataset_offset)
        while (piece := a.read(PIECE)) == b.read(PIECE):
            if not piece:
                return True
        return False
