"""The DICOMDIR of an export: one record a patient, study, series and object, as the files say it.

The files are as archived, so the records hold what was sent, not what people corrected since: that is in the rows.
Where a file is silent and a key is required (PS3.3 F.5), the day of receipt or a running number stands in.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from core.archive.dicomdir import DicomdirWriter, Reference, number_key, text_keys
from core.i18n import _
from core.services.export_work import Image

# Objects that are no images and need keys of their own; everything else is an IMAGE. Source: PS3.3 F.4, PS3.4 B.5.
_CLASSES: Final = "1.2.840.10008.5.1.4.1.1."
KINDS: Final = (
    ("88.59", "KEY OBJECT DOC"),
    ("88.", "SR DOCUMENT"),
    ("104.", "ENCAP DOC"),
    ("11.", "PRESENTATION"),
    ("9.", "WAVEFORM"),
    ("66.1", "REGISTRATION"),
    ("66.2", "FIDUCIAL"),
    ("66.3", "REGISTRATION"),
    ("66", "RAW DATA"),
    ("481.2", "RT DOSE"),
    ("481.3", "RT STRUCTURE SET"),
    ("481.5", "RT PLAN"),
    ("4.2", "SPECTROSCOPY"),
)


def kind_of(sop_class_uid: str) -> str:
    tail = sop_class_uid.removeprefix(_CLASSES)
    return next(
        (kind for start, kind in KINDS if tail == start or (start[-1] == "." and tail.startswith(start))), "IMAGE"
    )


def write_dicomdir(folder: Path, images: Iterable[Image]) -> list[str]:
    """The file `DICOMDIR` of a folder. images: in order of patient, study, series. Gives what had to stay out."""
    faults: list[str] = []
    part = folder / "DICOMDIR.part"
    part.touch(mode=0o600)
    with DicomdirWriter(part) as writer:
        before: list[Any] = [None, None, None]
        for number, image in enumerate(images, 1):
            kind = kind_of(image.sop_class_uid)
            keys = _image_keys(image, number) if kind == "IMAGE" else _keys_of_file(folder / image.target, kind, number)
            if keys is None:
                faults.append(_("%s : hors du DICOMDIR, son en-tête est incomplet") % image.target)
                continue
            places = [(image.sent_id, image.sent_issuer), image.study_id, image.series_id]
            level = next((n for n in range(3) if places[n] != before[n]), 3)
            for n, (name, make) in enumerate((("PATIENT", _patient), ("STUDY", _study), ("SERIES", _series))):
                if n >= level:
                    writer.add(n, name, make(image))
            before = places
            reference = Reference(image.target, image.sop_class_uid, image.sop_instance_uid, image.transfer_syntax)
            writer.add(3, kind, keys, reference)
    part.rename(folder / "DICOMDIR")
    return faults


def _patient(image: Image) -> bytes:
    return text_keys(
        [
            (0x0010, 0x0010, b"PN", image.sent_name),
            (0x0010, 0x0020, b"LO", image.sent_id or "-"),
            (0x0010, 0x0021, b"LO", image.sent_issuer),
            (0x0010, 0x0030, b"DA", image.sent_birth_date),
            (0x0010, 0x0040, b"CS", image.sent_sex),
        ]
    )


def _study(image: Image) -> bytes:
    received = image.received_at[:10].replace("-", "")
    return text_keys(
        [
            (0x0008, 0x0020, b"DA", image.study_date or received),
            (0x0008, 0x0030, b"TM", image.study_time or "000000"),
            (0x0008, 0x0050, b"SH", image.accession_number),
            (0x0008, 0x1030, b"LO", image.study_description),
            (0x0020, 0x000D, b"UI", image.study_instance_uid),
            (0x0020, 0x0010, b"SH", image.study_name or str(image.study_id)),
        ]
    )


def _series(image: Image) -> bytes:
    number = image.series_number if image.series_number is not None else image.series_id
    return text_keys(
        [
            (0x0008, 0x0060, b"CS", image.modality or "OT"),
            (0x0008, 0x103E, b"LO", image.series_description),
            (0x0020, 0x000E, b"UI", image.series_instance_uid),
            (0x0020, 0x0011, b"IS", str(number)),
        ]
    )


def _image_keys(image: Image, number: int) -> bytes:
    keys = text_keys([(0x0020, 0x0013, b"IS", str(image.number if image.number is not None else number))])
    for element, size in ((0x0010, image.rows), (0x0011, image.columns)):
        keys += number_key(0x0028, element, size) if size is not None and 0 <= size <= 0xFFFF else b""
    return keys


def _keys_of_file(file: Path, kind: str, number: int) -> bytes | None:
    """What a record of this kind needs, read from the object itself; None when it does not have it."""
    # Only exports of such objects pay for these.
    import pydicom
    from pydicom.filebase import DicomBytesIO
    from pydicom.fileset import DIRECTORY_RECORDERS
    from pydicom.filewriter import write_dataset

    try:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        if header.get("InstanceNumber") is None:
            header.InstanceNumber = number
        record = DIRECTORY_RECORDERS[kind](header)
        if "SpecificCharacterSet" in header:
            record.SpecificCharacterSet = header.SpecificCharacterSet
        written = DicomBytesIO()
        written.is_little_endian, written.is_implicit_VR = True, False
        write_dataset(written, record, header.get("SpecificCharacterSet", "ISO_IR 6"))
        written.seek(0, io.SEEK_SET)
        return written.read()
    except Exception:  # pydicom raises whatever it likes on a damaged header
        return None
