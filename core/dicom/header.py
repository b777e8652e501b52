"""The header walk: the elements that the index needs at once, from the first bytes of a data set, without a library.

Rule 1. Every length is checked against what remains before anything is sliced.
Rule 2. Sequences are skipped iteratively, at most 32 levels deep; nothing recurses.
Rule 3. The walk understands or raises `BadHeader`, with the reason of the quarantine and the offset in bytes.

The walk stops at the pixel data or at the end of its window (64 KiB; 1 MiB when a UID was not reached).
Source: PS3.5 section 7 (data set encoding), annex A (transfer syntaxes).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from core.dicom.charset import Charset, charset_of
from core.dicom.conformance import IMPLICIT_LE
from core.dicom.sequences import UNDEFINED, Beyond, Encoding, item_element, skip_sequence
from core.dicom.walk_fault import BadHeader
from core.model.identifiers import is_uid
from core.model.received import Reason, ReceivedHeader
from core.model.value_representation import LONG, SHORT

WINDOW: Final = 64 * 1024
LARGE_WINDOW: Final = 1024 * 1024

_DEEP: Final = 33 * 16  # 33 sequences and items of nothing but headers
_HEAD_LE = struct.Struct("<I2sH")
_HEAD_BE = struct.Struct(">I2sH")
_HEAD_IMPLICIT = struct.Struct("<II")
_NUMBER = re.compile(r"[+-]?\d{1,10}")
_DECIMAL = re.compile(r"[+-]?\d{0,12}(\.\d{0,12})?([eE][+-]?\d{1,3})?")

# Wanted elements: name -> tag and VR. The VR is checked for the critical ones alone, and UN is tolerated there:
# gateways write it when they do not know.
_TEXT = {
    "charset": (0x00080005, "CS"),
    "image_type": (0x00080008, "CS"),
    "created_date": (0x00080012, "DA"),
    "created_time": (0x00080013, "TM"),
    "sop_class_uid": (0x00080016, "UI"),
    "sop_instance_uid": (0x00080018, "UI"),
    "study_date": (0x00080020, "DA"),
    "series_date": (0x00080021, "DA"),
    "content_date": (0x00080023, "DA"),
    "study_time": (0x00080030, "TM"),
    "series_time": (0x00080031, "TM"),
    "content_time": (0x00080033, "TM"),
    "accession_number": (0x00080050, "SH"),
    "modality": (0x00080060, "CS"),
    "institution": (0x00080080, "LO"),
    "referring_physician": (0x00080090, "PN"),
    "station_name": (0x00081010, "SH"),
    "study_description": (0x00081030, "LO"),
    "series_description": (0x0008103E, "LO"),
    "patient_name": (0x00100010, "PN"),
    "patient_id": (0x00100020, "LO"),
    "issuer_of_patient_id": (0x00100021, "LO"),
    "patient_birth_date": (0x00100030, "DA"),
    "patient_sex": (0x00100040, "CS"),
    "patient_age": (0x00101010, "AS"),
    "patient_weight": (0x00101030, "DS"),
    "body_part": (0x00180015, "CS"),
    "protocol_name": (0x00181030, "LO"),
    "study_instance_uid": (0x0020000D, "UI"),
    "series_instance_uid": (0x0020000E, "UI"),
    "study_id": (0x00200010, "SH"),
    "series_number": (0x00200011, "IS"),
    "instance_number": (0x00200013, "IS"),
    "laterality": (0x00200060, "CS"),
    "number_of_frames": (0x00280008, "IS"),
    "rows": (0x00280010, "US"),
    "columns": (0x00280011, "US"),
    "request_attributes": (0x00400275, "SQ"),
}
_CRITICAL: Final = frozenset(
    [
        "sop_class_uid",
        "sop_instance_uid",
        "study_instance_uid",
        "series_instance_uid",
        "patient_id",
        "patient_name",
        "accession_number",
        "rows",
        "columns",
    ]
)
_UIDS: Final = ("sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid")
_IDENTITY: Final = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "accession_number": "AccessionNumber",
}
_STEP_ID: Final = 0x00400009
_PIXEL_GROUP: Final = 0x7FE0
_BINARY: Final = frozenset({"rows", "columns"})


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    vrs: frozenset[bytes] | None  # None: not checked


def _table(swapped: bool) -> dict[int, _Wanted]:
    """Wanted elements by their tag as four bytes read in the order of the syntax."""
    table = {}
    for name, (tag, vr) in _TEXT.items():
        key = (tag & 0xFFFF) << 16 | tag >> 16 if swapped else tag
        table[key] = _Wanted(name, frozenset({vr.encode(), b"UN"}) if name in _CRITICAL else None)
    return table


_LITTLE_TABLE: Final = _table(swapped=True)
_BIG_TABLE: Final = _table(swapped=False)


def walk(data: bytes | bytearray | memoryview, transfer_syntax: str, total: int | None = None) -> ReceivedHeader:
    """The header of a data set.

    data: its first bytes, or all of them. total: its whole length, when `data` is only the beginning.
    """
    size = len(data) if total is None else total
    encoding = Encoding.of(transfer_syntax)
    found = _Walk(bytes(data[:WINDOW]), size, encoding)
    found.run()
    if not found.has_uids and found.cut and len(data) > WINDOW:
        found = _Walk(bytes(data[:LARGE_WINDOW]), size, encoding)
        found.run()
    return found.header()


class _Walk:
    """One pass over the top level of a data set."""

    def __init__(self, window: bytes, total: int, encoding: Encoding) -> None:
        self.window = window
        self.total = total
        self.encoding = encoding
        self.values: dict[str, bytes] = {}
        self.conflicting: set[str] = set()
        self.incomplete = False
        self.cut = False  # the window ended before the header did

    @property
    def has_uids(self) -> bool:
        return "study_instance_uid" in self.values and "series_instance_uid" in self.values

    def run(self) -> None:
        try:
            if self.encoding.explicit:
                self._explicit()
            else:
                self._implicit()
        except Beyond:
            self.cut = True

    def _explicit(self) -> None:
        window, values, short = self.window, self.values, SHORT
        little = self.encoding.little
        table = _LITTLE_TABLE if little else _BIG_TABLE
        unpack = (_HEAD_LE if little else _HEAD_BE).unpack_from
        at, end = 0, len(window)
        while at + 8 <= end:
            key, vr, length = unpack(window, at)
            if vr in short:
                start = at + 8
            else:
                if (key & 0xFFFF if little else key >> 16) >= _PIXEL_GROUP:
                    self._pixels(at)
                    return
                start, length = self._long(at, vr, length)
                if length == UNDEFINED:
                    after = self._undefined(at, start, vr)
                    if table.get(key) is not None:
                        self._take(table[key], vr, window[start:after], at)
                    at = after
                    continue
                if vr == b"SQ":
                    self._measure(start, length)
            stop = start + length
            if stop > end:
                self._beyond(at, stop)
            wanted = table.get(key)
            if wanted is not None:
                if wanted.name in values or (wanted.vrs is not None and vr not in wanted.vrs):
                    self._take(wanted, vr, window[start:stop], at)
                else:
                    values[wanted.name] = window[start:stop]
            at = stop
        self._rest(at)

    def _implicit(self) -> None:
        window, table = self.window, _LITTLE_TABLE
        at, end = 0, len(window)
        while at + 8 <= end:
            key, length = _HEAD_IMPLICIT.unpack_from(window, at)
            if key & 0xFFFF >= _PIXEL_GROUP:
                self._pixels(at)
                return
            start = at + 8
            if length == UNDEFINED:
                after = self._undefined(at, start, b"SQ")
            else:
                after = start + length
                self._measure(start, length)
                if after > end:
                    self._beyond(at, after)
            if (wanted := table.get(key)) is not None:
                self._take(wanted, b"UN", window[start:after], at)
            at = after
        self._rest(at)

    def _long(self, at: int, vr: bytes, short_length: int) -> tuple[int, int]:
        """Start and length of a value with a 32-bit length, or of a VR that nobody knows (PS3.5 7.1.2)."""
        if not (vr.isalpha() and vr.isupper()):
            raise BadHeader(Reason.BAD_STRUCTURE, f"VR {vr!r}", at)
        if at + 12 > len(self.window):
            self._beyond(at, at + 12)
        length = self.encoding.length(self.window, at + 8)
        if vr in LONG or length == UNDEFINED or at + 12 + length <= self.total:
            return at + 12, length
        if at + 8 + short_length <= self.total:
            return at + 8, short_length
        raise BadHeader(Reason.BAD_STRUCTURE, f"length of unknown VR {vr!r}", at)

    def _undefined(self, at: int, start: int, vr: bytes) -> int:
        if vr not in (b"SQ", b"UN"):
            raise BadHeader(Reason.BAD_STRUCTURE, f"undefined length of VR {vr!r}", at)
        inside = self.encoding if vr == b"SQ" else Encoding.of(IMPLICIT_LE)
        return skip_sequence(self.window, start, UNDEFINED, self.total, inside)

    def _measure(self, start: int, length: int) -> None:
        """A sequence of defined length is skipped unread, unless it is long enough to be too deep."""
        if length < _DEEP or start + length > len(self.window):
            return
        if self.encoding.is_item(self.window, start):
            skip_sequence(self.window, start, length, self.total, self.encoding)

    def _take(self, wanted: _Wanted, vr: bytes, value: bytes, at: int) -> None:
        """The careful way: VR checked, the same tag twice noticed; the last value wins."""
        name = wanted.name
        if wanted.vrs is not None and vr not in wanted.vrs:
            raise BadHeader(Reason.BAD_STRUCTURE, f"{name} with VR {vr!r}", at)
        if name in _BINARY and vr == b"UN" and len(value) not in (0, 2):  # implicit: the only trace of a wrong VR
            raise BadHeader(Reason.BAD_STRUCTURE, f"{name} of {len(value)} bytes", at)
        before = self.values.get(name)
        if before is not None and _bare(before) != _bare(value):
            if name in _UIDS:
                raise BadHeader(Reason.BAD_STRUCTURE, f"{name} twice with different values", at, mismatch=True)
            if name in _IDENTITY:
                self.conflicting.add(_IDENTITY[name])
        self.values[name] = value

    def _beyond(self, at: int, stop: int) -> None:
        """A value reaches past the window: past the data set as well, or only to be read later."""
        if stop > self.total:
            raise BadHeader(Reason.TRUNCATED, f"value ends at {stop} of {self.total}", at)
        raise Beyond

    def _rest(self, at: int) -> None:
        """Fewer than 8 bytes are left in the window."""
        if len(self.window) < self.total:
            self.cut = True
        elif at < self.total:
            raise BadHeader(Reason.TRUNCATED, "element header cut short", at)

    def _pixels(self, at: int) -> None:
        """Pixel data of a defined length that does not fit is not a truncated file: the picture is incomplete."""
        if self.encoding.explicit:
            if at + 12 > len(self.window):
                self._beyond(at, at + 12)
            vr = self.window[at + 4 : at + 6]
            start, length = (at + 12, self.encoding.length(self.window, at + 8)) if vr in LONG else (at + 8, 0)
        else:
            start, length = at + 8, self.encoding.length(self.window, at + 4)
        self.incomplete = length != UNDEFINED and start + length > self.total

    # The values

    def header(self) -> ReceivedHeader:
        values = self.values
        for name in _UIDS[1:]:
            if not _bare(values.get(name, b"")):
                raise BadHeader(Reason.MISSING_UID, name, None)
        uids = {name: self._uid(name) for name in _UIDS}
        charset = charset_of(_bare(values.get("charset", b"")))
        texts = _Texts(values, charset)
        return ReceivedHeader(
            **uids,
            patient_id=texts.text("patient_id"),
            issuer_of_patient_id=texts.text("issuer_of_patient_id"),
            patient_name=texts.text("patient_name"),
            patient_birth_date=texts.date("patient_birth_date"),
            patient_sex=texts.code("patient_sex"),
            patient_age=texts.code("patient_age"),
            patient_weight=texts.decimal("patient_weight"),
            accession_number=texts.text("accession_number"),
            study_id=texts.text("study_id"),
            study_date=texts.date("study_date"),
            study_time=texts.time("study_time"),
            study_description=texts.text("study_description"),
            referring_physician=texts.text("referring_physician"),
            institution=texts.text("institution"),
            modality=texts.code("modality"),
            series_number=texts.number("series_number"),
            series_description=texts.text("series_description"),
            series_date=texts.date("series_date"),
            series_time=texts.time("series_time"),
            body_part=texts.code("body_part"),
            laterality=texts.code("laterality"),
            station_name=texts.text("station_name"),
            protocol_name=texts.text("protocol_name"),
            step_id=self._step_id(texts),
            instance_number=texts.number("instance_number"),
            image_type=texts.code("image_type"),
            content_date=texts.date("content_date"),
            content_time=texts.time("content_time"),
            created_date=texts.date("created_date"),
            created_time=texts.time("created_time"),
            rows=self._binary("rows"),
            columns=self._binary("columns"),
            number_of_frames=texts.number("number_of_frames"),
            conflicting=frozenset(self.conflicting),
            charset_suspect=texts.suspect,
            incomplete=self.incomplete,
        )

    def _uid(self, name: str) -> str:
        text = _bare(self.values.get(name, b"")).decode("ascii", "replace")
        if text and not is_uid(text):
            raise BadHeader(Reason.UID_INVALID, name, None)
        return text

    def _binary(self, name: str) -> int | None:
        value = self.values.get(name, b"")
        return int.from_bytes(value, "little" if self.encoding.little else "big") if len(value) == 2 else None

    def _step_id(self, texts: _Texts) -> str:
        value = self.values.get("request_attributes")
        return texts.decode(item_element(value, _STEP_ID, self.encoding)) if value else ""


class _Texts:
    """Values as Unicode. `suspect` when one of them had to be guessed."""

    def __init__(self, values: dict[str, bytes], charset: Charset) -> None:
        self._values = values
        self._charset = charset
        self.suspect = False

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return self.decode(value) if value else ""

    def decode(self, value: bytes) -> str:
        text, suspect = self._charset.decode(value.strip(b" \0"))
        self.suspect = self.suspect or suspect
        return text

    def code(self, name: str) -> str:
        """CS, DA, TM, AS: the default repertoire, whatever the charset."""
        value = self._values.get(name)
        if not value:
            return ""
        text = value.decode("ascii", "replace").strip(" \0")
        return text if text.isprintable() else "".join(filter(str.isprintable, text))

    def date(self, name: str) -> str:
        """DA; the dots of ACR-NEMA are left out (PS3.5 6.2)."""
        text = self.code(name)
        return text.replace(".", "") if "." in text else text

    def time(self, name: str) -> str:
        """TM; the colons of ACR-NEMA are left out."""
        text = self.code(name)
        return text.replace(":", "") if ":" in text else text

    def number(self, name: str) -> int | None:
        """IS; None when it is not a number of 32 bits."""
        text = self.code(name)
        if not text or not _NUMBER.fullmatch(text):
            return None
        number = int(text)
        return number if -(2**31) <= number < 2**31 else None

    def decimal(self, name: str) -> float | None:
        """DS; None when it is not a finite decimal number."""
        text = self.code(name)
        if not text or not _DECIMAL.fullmatch(text) or not any(map(str.isdigit, text)):
            return None
        number = float(text)
        return number if abs(number) < 1e12 else None


def _bare(value: bytes) -> bytes:
    return value.strip(b" \0")
