"""The later parse: dose in the units of the register, lossy history, and a hash that survives re-encoding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLSLossless, RLELossless

from core.imaging.imaging import Imaging
from core.imaging.ingest_facts import RequestAttributes
from tests.imaging.files import image_data, image_file, save

GREY = (np.arange(64 * 64, dtype=np.int16).reshape(64, 64) - 900).astype(np.int16)


@pytest.fixture(scope="module")
def imaging() -> Iterator[Imaging]:
    room = Imaging()
    yield room
    room.close()


def item(**attributes: Any) -> Dataset:
    found = Dataset()
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return found


def test_the_dose_area_product_becomes_milligray_square_centimetres(imaging: Imaging, tmp_path: Path) -> None:
    """(0018,115E) is in dGy.cm2: 0.22 dGy.cm2 = 22 mGy.cm2."""
    dose = imaging.ingest_facts(
        image_file(tmp_path, GREY, ImageAndFluoroscopyAreaDoseProduct="0.22", KVP="62", Exposure="2", ExposureTime="8")
    ).dose
    assert dose.dose_area_product == pytest.approx(22)
    assert (dose.kvp, dose.exposure, dose.exposure_time, dose.ctdi_vol) == (62, 2, 8, None)
    assert imaging.ingest_facts(image_file(tmp_path, GREY, CTDIvol=18.4)).dose.ctdi_vol == pytest.approx(18.4)


def test_a_dose_that_is_no_number_is_no_dose(imaging: Imaging, tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, ImageAndFluoroscopyAreaDoseProduct="12345678")
    path.write_bytes(path.read_bytes().replace(b"12345678", b"NaN;rm -"))
    assert imaging.ingest_facts(path).dose.dose_area_product is None


def test_the_request_and_the_performed_step_are_told(imaging: Imaging, tmp_path: Path) -> None:
    facts = imaging.ingest_facts(
        image_file(
            tmp_path,
            GREY,
            RequestAttributesSequence=Sequence([item(RequestedProcedureID="RP1", ScheduledProcedureStepID="S1")]),
            ReferencedPerformedProcedureStepSequence=Sequence([item(ReferencedSOPInstanceUID="2.25.7")]),
            ProcedureCodeSequence=Sequence([item(CodeValue="T1", CodingSchemeDesignator="99L", CodeMeaning="Thorax")]),
            ImagePositionPatient=["1", "2", "3.5"],
        )
    )
    assert facts.requests == (RequestAttributes("", "RP1", "S1"),)
    assert facts.performed_step_uids == ("2.25.7",)
    assert facts.procedure_codes == (("T1", "99L", "Thorax"),)
    assert facts.position == (1, 2, 3.5)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, JPEGLSLossless])
def test_a_lossless_re_encoding_has_the_same_pixel_hash(imaging: Imaging, tmp_path: Path, syntax: str) -> None:
    expected = imaging.ingest_facts(image_file(tmp_path, GREY)).pixels_sha256
    if syntax in (RLELossless, JPEGLSLossless):
        data = image_data(GREY)
        data.compress(syntax, generate_instance_uid=False)
        path = save(data, tmp_path / "again.dcm")
    else:
        path = image_file(tmp_path, GREY.astype(">i2") if syntax == ExplicitVRBigEndian else GREY, syntax)
    assert len(expected) == 64
    assert imaging.ingest_facts(path).pixels_sha256 == expected


def test_other_pixels_have_another_hash_and_pixels_left_alone_none(imaging: Imaging, tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY)
    assert (
        imaging.ingest_facts(path).pixels_sha256 != imaging.ingest_facts(image_file(tmp_path, GREY + 1)).pixels_sha256
    )
    assert imaging.ingest_facts(path, decode=False).pixels_sha256 == ""


def test_an_object_without_pixels_still_gives_its_facts(imaging: Imaging, tmp_path: Path) -> None:
    data = image_data(GREY, ContentDate="20260302", MIMETypeOfEncapsulatedDocument="application/pdf")
    del data.PixelData
    facts = imaging.ingest_facts(save(data, tmp_path / "report.dcm"))
    assert facts.content_date == "20260302"
    assert facts.encapsulated_mime == "application/pdf"
    assert facts.image.reason == "Cet objet ne contient pas d'image."


def test_a_lossy_history_is_told(imaging: Imaging, tmp_path: Path) -> None:
    history = {"LossyImageCompressionRatio": "10.5", "LossyImageCompressionMethod": "ISO_10918_1"}
    facts = imaging.ingest_facts(image_file(tmp_path, GREY, LossyImageCompression="01", **history))
    assert facts.image.lossy
    assert (facts.lossy_ratio, facts.lossy_method) == (10.5, "ISO_10918_1")
