"""Rejection notes as Key Object Selection documents: read from a machine, written for a person.

Source: PS3.3 A.35.4 and C.17.6.2 (key object document), PS3.16 TID 2010 and CID 7011; IHE IOCM (RAD-66).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from core.dicom import dataset
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.dataset import Item
from core.model.identifiers import is_uid
from core.model.rejection import KEY_OBJECT_SELECTION, MEANINGS, NoteDraft, RejectedImage, RejectionNote, Title

_TITLE: Final = 0x0040A043
_EVIDENCE: Final = 0x0040A375
_SERIES: Final = 0x00081115
_IMAGES: Final = 0x00081199


def read(content: bytes | memoryview, transfer_syntax: str) -> RejectionNote | None:
    """The note in a data set; None when the document rejects nothing. Raises `BadDataSet`."""
    item = dataset.decode(bytes(content), transfer_syntax)
    title, instance = _title(item), item.text(0x00080018)
    if title is None or item.text(0x00080016) != KEY_OBJECT_SELECTION or not is_uid(instance):
        return None
    return RejectionNote(instance, title, tuple(dict.fromkeys(_images(item))))


def _title(item: Item) -> Title | None:
    code = item.first(_TITLE)
    try:
        return Title(code.text(0x00080100)) if code.text(0x00080102) == "DCM" else None
    except ValueError:
        return None


def _images(item: Item) -> Iterator[RejectedImage]:
    for study in item.items(_EVIDENCE):
        for series in study.items(_SERIES):
            for image in series.items(_IMAGES):
                uids = (
                    study.text(0x0020000D),
                    series.text(0x0020000E),
                    image.text(0x00081150),
                    image.text(0x00081155),
                )
                if all(is_uid(uid) for uid in uids):
                    yield RejectedImage(*uids)


def write(note: NoteDraft) -> bytes:
    """The data set of a note, explicit little endian, UTF-8."""
    day, hour = f"{note.at:%Y%m%d}", f"{note.at:%H%M%S}"
    evidence = [_item((_uid(0x0020000D, note.study_instance_uid), _sequence(_SERIES, _series(note.images))))]
    return b"".join(
        (
            _text(0x00080005, "CS", "ISO_IR 192"),
            _uid(0x00080016, KEY_OBJECT_SELECTION),
            _uid(0x00080018, note.sop_instance_uid),
            _text(0x00080020, "DA", note.study_date),
            _text(0x00080023, "DA", day),
            _text(0x00080030, "TM", note.study_time),
            _text(0x00080033, "TM", hour),
            _text(0x00080050, "SH", note.accession_number),
            _text(0x00080060, "CS", "KO"),
            _text(0x00080070, "LO", "Yelen"),
            _text(0x00080090, "PN", note.referring_physician),
            _text(0x0008103E, "LO", MEANINGS[note.title]),
            _sequence(0x00081111, ()),  # Referenced Performed Procedure Step Sequence, type 2
            _text(0x00100010, "PN", note.patient_name),
            _text(0x00100020, "LO", note.patient_id),
            *((_text(0x00100021, "LO", note.issuer_of_patient_id),) if note.issuer_of_patient_id else ()),
            _text(0x00100030, "DA", note.patient_birth_date),
            _text(0x00100040, "CS", note.patient_sex),
            _uid(0x0020000D, note.study_instance_uid),
            _uid(0x0020000E, note.series_instance_uid),
            _text(0x00200010, "SH", note.study_id),
            _text(0x00200011, "IS", "1"),
            _text(0x00200013, "IS", "1"),
            _text(0x0040A040, "CS", "CONTAINER"),
            _sequence(_TITLE, [_code(note.title, MEANINGS[note.title])]),
            _text(0x0040A050, "CS", "SEPARATE"),
            _sequence(_EVIDENCE, evidence),
            _sequence(0x0040A504, [_item((_text(0x00080105, "CS", "DCMR"), _text(0x0040DB00, "CS", "2010")))]),
            _sequence(0x0040A730, _content(note)),
        )
    )


def _series(images: Iterable[RejectedImage]) -> Iterator[bytes]:
    by_series = sorted(images, key=lambda image: image.series_instance_uid)
    for uid, members in groupby(by_series, key=lambda image: image.series_instance_uid):
        yield _item((_sequence(_IMAGES, map(_reference, members)), _uid(0x0020000E, uid)))


def _content(note: NoteDraft) -> Iterator[bytes]:
    """TID 2010: why, in a person's words, then every image."""
    contains = _text(0x0040A010, "CS", "CONTAINS")
    if note.reason:
        name = _sequence(_TITLE, [_code("113012", "Key Object Description")])
        yield _item((contains, _text(0x0040A040, "CS", "TEXT"), name, _text(0x0040A160, "UT", note.reason)))
    for image in note.images:
        yield _item((_sequence(_IMAGES, [_reference(image)]), contains, _text(0x0040A040, "CS", "IMAGE")))


def _reference(image: RejectedImage) -> bytes:
    return _item((_uid(0x00081150, image.sop_class_uid), _uid(0x00081155, image.sop_instance_uid)))


def _code(value: str, meaning: str) -> bytes:
    return _item((_text(0x00080100, "SH", value), _text(0x00080102, "SH", "DCM"), _text(0x00080104, "LO", meaning)))


def _item(elements: Iterable[bytes]) -> bytes:
    return b"".join(elements)


def _sequence(tag: int, items: Iterable[bytes]) -> bytes:
    return dataset.sequence(tag, items, EXPLICIT_LE)


def _uid(tag: int, value: str) -> bytes:
    return dataset.element(tag, "UI", value.encode("ascii"), EXPLICIT_LE)


def _text(tag: int, vr: str, value: str) -> bytes:
    return dataset.element(tag, vr, value.encode("utf-8"), EXPLICIT_LE)
