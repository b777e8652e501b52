"""An object that a machine cannot take as it is stored is written in an uncompressed syntax, with the same values."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from core.imaging.convert import convert
from core.imaging.imaging import Imaging
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.source import Source
from tests.imaging.files import encapsulated_file, image_file
from tests.skips import corpus, needs_corpus

CT = (np.arange(64 * 48, dtype=np.int16).reshape(64, 48) * 3 - 1024).astype(np.int16)
DX = np.arange(64 * 70, dtype=np.uint16).reshape(64, 70)
RGB = np.random.default_rng(1).integers(0, 255, (64, 66, 3), dtype=np.uint8)
NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def converted(path: Path, syntax: str) -> Dataset:
    """The data set as the receiver reads it."""
    with path.open("rb") as file:
        memory = convert(Source(file.fileno()), syntax)
    try:
        data = os.pread(memory, os.fstat(memory).st_size, 0)
    finally:
        os.close(memory)
    found = read_dataset(io.BytesIO(data), syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    return found


@pytest.mark.parametrize("stored", NATIVE)
@pytest.mark.parametrize("wanted", NATIVE)
def test_an_uncompressed_object_is_the_same_in_every_spelling(tmp_path: Path, stored: str, wanted: str) -> None:
    pixels = CT.astype(">i2") if stored == ExplicitVRBigEndian else CT
    path = image_file(tmp_path, pixels, stored, PatientName="OUÉDRAOGO^Aïssata", SpecificCharacterSet="ISO_IR 192")
    before, after = dcmread(path), converted(path, wanted)
    assert np.array_equal(after.pixel_array, CT)
    del before.PixelData, after.PixelData
    assert after == before


@pytest.mark.parametrize("wanted", NATIVE)
def test_a_lossless_object_is_decoded_exactly(tmp_path: Path, wanted: str) -> None:
    streams = [imagecodecs.jpegls_encode(DX + shade) for shade in range(3)]
    after = converted(encapsulated_file(tmp_path, streams, DX, JPEGLSLossless), wanted)
    assert np.array_equal(after.pixel_array, np.stack([DX + shade for shade in range(3)]))
    assert "LossyImageCompression" not in after


def test_reversible_colour_becomes_rgb(tmp_path: Path) -> None:
    stream = imagecodecs.jpeg2k_encode(RGB, level=0, reversible=True, mct=True, codecformat="j2k")
    path = encapsulated_file(tmp_path, [stream], RGB, JPEG2000Lossless, PhotometricInterpretation="YBR_RCT")
    after = converted(path, ExplicitVRLittleEndian)
    assert np.array_equal(after.pixel_array, RGB)
    assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("RGB", 0)


def test_an_object_that_was_lossy_says_so(tmp_path: Path) -> None:
    stream = imagecodecs.jpeg_encode(RGB, level=80)
    path = encapsulated_file(tmp_path, [stream], RGB, JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422")
    after = converted(path, ExplicitVRLittleEndian)
    assert after.LossyImageCompression == "01"
    assert after.pixel_array.shape == RGB.shape


def test_colour_that_would_be_rounded_stays_in_its_own_space(tmp_path: Path) -> None:
    """YBR_FULL to RGB is not reversible, and RLE loses nothing."""
    data = dcmread(image_file(tmp_path, RGB, PhotometricInterpretation="YBR_FULL"))
    data.compress(RLELossless, generate_instance_uid=False)
    path = tmp_path / "rle.dcm"
    data.save_as(path)
    after = converted(path, ExplicitVRLittleEndian)
    assert after.PhotometricInterpretation == "YBR_FULL"
    assert after.PixelData == RGB.tobytes()


def test_what_is_cut_short_is_not_completed_with_black(tmp_path: Path) -> None:
    stream = imagecodecs.jpegls_encode(DX)
    path = encapsulated_file(tmp_path, [stream, stream], DX, JPEGLSLossless, NumberOfFrames=3)
    with pytest.raises(NotDisplayable):
        converted(path, ExplicitVRLittleEndian)
    native = image_file(tmp_path, CT)
    native.write_bytes(native.read_bytes()[:-100])
    with pytest.raises(NotDisplayable):
        converted(native, ImplicitVRLittleEndian)


def test_what_has_no_decoder_and_what_is_no_target_are_refused(tmp_path: Path) -> None:
    path = encapsulated_file(tmp_path, [b"\0" * 64], CT, "1.2.840.10008.1.2.4.102")
    with pytest.raises(NotDisplayable) as refused:
        converted(path, ExplicitVRLittleEndian)
    assert refused.value.reason is Reason.UNKNOWN_SYNTAX
    with pytest.raises(NotDisplayable):
        converted(image_file(tmp_path, CT), JPEGBaseline8Bit)


def test_an_object_without_pixels_is_converted_too(tmp_path: Path) -> None:
    path = image_file(tmp_path, CT)
    report = dcmread(path)
    del report.PixelData
    report.save_as(path)
    assert "PixelData" not in converted(path, ImplicitVRLittleEndian)


def test_the_worker_hands_over_what_nobody_can_change(tmp_path: Path) -> None:
    path = image_file(tmp_path, CT)
    imaging = Imaging()
    try:
        memory = imaging.converted(path, str(ImplicitVRLittleEndian))
    finally:
        imaging.close()
    try:
        with pytest.raises(PermissionError):
            os.pwrite(memory, b"x", 0)
        found = read_dataset(io.BytesIO(os.pread(memory, 1 << 20, 0)), True, True)
        assert found.PixelData == CT.tobytes()
    finally:
        os.close(memory)


@needs_corpus
def test_real_files_keep_every_element_and_value() -> None:
    folder = corpus()
    assert folder is not None
    compared = 0
    for path in sorted((folder / "transfer-syntax").iterdir()):
        before = _read(path)
        if before is None:
            continue
        try:
            after = converted(path, ExplicitVRLittleEndian)
        except NotDisplayable:
            continue
        lost = {element.tag for element in before if element.tag not in after and element.tag.element}
        assert not lost, path.name
        if (pixels := _pixels(before)) is not None:
            assert np.array_equal(_pixels(after), pixels), path.name
            compared += 1
    assert compared >= 20


def _read(path: Path) -> Dataset | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dcmread(path)
        except Exception:  # not a DICOM file
            return None


def _pixels(data: Dataset) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return data.pixel_array
        except Exception:  # pydicom has no decoder for it
            return None
