"""Data sets written by hand, element by element, right or wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from core.dicom.conformance import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"ZZ")
CT = "1.2.840.10008.5.1.4.1.1.2"
Element = tuple[int, str, object]


def element(tag: int, vr: str, value: bytes, syntax: str = EXPLICIT_LE, length: int | None = None) -> bytes:
    order = ">" if syntax == EXPLICIT_BE else "<"
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    size = len(value) if length is None else length
    if syntax == IMPLICIT_LE:
        return head + struct.pack(order + "I", size) + value
    if vr.encode() in LONG:
        return head + vr.encode() + struct.pack(order + "HI", 0, size) + value
    return head + vr.encode() + struct.pack(order + "H", size) + value


def spelled(vr: str, value: object, syntax: str) -> bytes:
    if isinstance(value, int):
        return struct.pack((">" if syntax == EXPLICIT_BE else "<") + {"US": "H", "UL": "I"}[vr], value)
    raw = value.encode("utf-8") if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2) if vr not in ("SQ", "OW") else raw


def dataset(elements: Iterable[Element], syntax: str = EXPLICIT_LE) -> bytes:
    return b"".join(element(tag, vr, spelled(vr, value, syntax), syntax) for tag, vr, value in elements)


def ct_elements(**changes: object) -> list[Element]:
    """A small CT slice of a child; a change to None removes the element."""
    plain: dict[str, Element] = {
        "charset": (0x00080005, "CS", "ISO_IR 192"),
        "image_type": (0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        "sop_class": (0x00080016, "UI", CT),
        "sop_instance": (0x00080018, "UI", "1.2.3.4.5"),
        "study_date": (0x00080020, "DA", "20260302"),
        "study_time": (0x00080030, "TM", "083000.123"),
        "accession": (0x00080050, "SH", "26-000123"),
        "modality": (0x00080060, "CS", "CT"),
        "institution": (0x00080080, "LO", "CHU pédiatrique"),
        "study_description": (0x00081030, "LO", "Scanner cérébral"),
        "name": (0x00100010, "PN", "OUÉDRAOGO^Aïssata"),
        "patient_id": (0x00100020, "LO", "P-0042"),
        "birth": (0x00100030, "DA", "20190114"),
        "sex": (0x00100040, "CS", "F"),
        "weight": (0x00101030, "DS", "18.5"),
        "body_part": (0x00180015, "CS", "HEAD"),
        "study": (0x0020000D, "UI", "1.2.3"),
        "series": (0x0020000E, "UI", "1.2.3.4"),
        "series_number": (0x00200011, "IS", "2"),
        "instance_number": (0x00200013, "IS", "17"),
        "frames": (0x00280008, "IS", "1"),
        "rows": (0x00280010, "US", 4),
        "columns": (0x00280011, "US", 2),
        "pixels": (0x7FE00010, "OW", bytes(16)),
    }
    for name, value in changes.items():
        if value is None:
            del plain[name]
        elif isinstance(value, tuple):
            plain[name] = (plain[name][0], *value)
        else:
            plain[name] = (*plain[name][:2], value)
    return list(plain.values())


def ct(syntax: str = EXPLICIT_LE, **changes: object) -> bytes:
    return dataset(ct_elements(**changes), syntax)


def nested(levels: int, defined: bool = False) -> bytes:
    """Sequences inside sequences, explicit little endian."""
    inner = b""
    for _ in range(levels):
        if defined:
            item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner
            inner = element(0x00081140, "SQ", item)
        else:
            item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
            inner = element(0x00081140, "SQ", item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), length=0xFFFFFFFF)
    return inner
