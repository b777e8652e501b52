"""Small true objects, as a machine would send them: data sets of a few kilobytes with real identifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode

from core.dicom.header import walk
from core.model.received import Arrival, ReceivedHeader, Sender

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
SCANNER = Sender("SCANNER1", "127.0.0.1", True)
STRANGER = Sender("INCONNU", "127.0.0.9", False)


def dataset(
    uid: str = "1.2.3.4",
    study: str = "1.2.3",
    series: str = "",
    number: int = 1,
    patient_id: str = "CDG0000001",
    name: str = "OUEDRAOGO^Aicha",
    shade: int = 0,
    **elements: Any,
) -> Dataset:
    """A CT slice of 16 x 16 pixels; further elements by keyword."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = CT_IMAGE, uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series or f"{study}.1"
    ds.PatientID, ds.PatientName = patient_id, name
    ds.PatientBirthDate, ds.PatientSex = "20220512", "F"
    ds.AccessionNumber, ds.StudyID = "", ""
    ds.StudyDate, ds.StudyTime, ds.Modality = "20261124", "083000", "CT"
    ds.StudyDescription = "TDM CRANE"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    ds.Rows = ds.Columns = 16
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.add_new(0x7FE00010, "OW", (np.arange(256, dtype="<u2") + shade).tobytes())
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def encoded(ds: Dataset) -> bytes:
    """The data set as it travels, explicit little endian, without file meta."""
    content = encode(ds, is_implicit_vr=False, is_little_endian=True)
    assert content is not None
    return content


def arrival(uid: str = "1.2.3.4", sender: Sender = SCANNER, **facts: Any) -> Arrival:
    """An object at the door, walked as the DICOM door walks it."""
    content = encoded(dataset(uid, **facts))
    return Arrival(sender, CT_IMAGE, uid, EXPLICIT, content, walk(content, EXPLICIT))


def read_header(data: bytes | memoryview, transfer_syntax: str, size: int | None = None) -> ReceivedHeader:
    return walk(data, transfer_syntax, size)


def slice_of(uid: str, number: int = 1, shade: int = 0, **facts: Any) -> Arrival:
    """A CT slice of 64 x 64 pixels at the door, smooth enough to become smaller without loss."""
    pixels = (np.add.outer(np.arange(64) * 17, np.arange(64) * 5) % 4000 + shade).astype("<u2")
    ds = dataset(uid, number=number, **{"Rows": 64, "Columns": 64, "PixelData": pixels.tobytes(), **facts})
    content = encoded(ds)
    return Arrival(SCANNER, CT_IMAGE, uid, EXPLICIT, content, walk(content, EXPLICIT))
