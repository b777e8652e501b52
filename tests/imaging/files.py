"""Image files written for one test: small, correct unless the test breaks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from core.imaging.header import Header, read_header
from core.imaging.pixels import Frame, decode
from core.imaging.source import Source

Array = np.ndarray[Any, np.dtype[Any]]


def image_data(pixels: Array, syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> Dataset:
    """A data set around `pixels`: (rows, columns) grey or (rows, columns, 3) RGB; attributes replace or add."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "2.25.1"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "2.25.2", "2.25.3", "OT"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    data.BitsAllocated = data.BitsStored = bits
    data.HighBit, data.PixelRepresentation = bits - 1, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    return data


def image_file(folder: Path, pixels: Array, syntax: str = ExplicitVRLittleEndian, **attributes: Any) -> Path:
    """The file of `image_data`."""
    return save(image_data(pixels, syntax, **attributes), folder / f"{len(list(folder.iterdir()))}.dcm")


def encapsulated_file(folder: Path, frames: list[bytes], like: Array, syntax: str, **attributes: Any) -> Path:
    """A file of code streams, each of the shape of `like`; one fragment a frame."""
    data = image_data(like, syntax, **{"PixelData": encapsulate(frames), **attributes})
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    if len(frames) > 1 and "NumberOfFrames" not in attributes:
        data.NumberOfFrames = len(frames)
    return save(data, folder / f"{len(list(folder.iterdir()))}.dcm")


def save(data: Dataset, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def header_of(path: Path) -> Header:
    with path.open("rb") as file:
        return read_header(Source(file.fileno()))


def frame_of(path: Path, index: int = 0) -> Frame:
    with path.open("rb") as file:
        source = Source(file.fileno())
        return decode(source, read_header(source), index)
