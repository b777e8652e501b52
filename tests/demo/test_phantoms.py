"""The machines of the demo hospital send objects that any archive would take for real ones."""

from __future__ import annotations

import dataclasses
import subprocess
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    UltrasoundImageStorage,
)

from install.demo.phantoms import PHANTOMS, Exam, ct_head, dx_chest, mr_brain, us_abdomen
from tests.skips import needs_dcmtk

AICHA = Exam(
    patient_name="OUEDRAOGO^Aïcha",
    patient_id="BF-000123",
    birth_date=date(2019, 3, 4),
    sex="F",
    accession_number="A26000017",
    study_uid="2.25.281474976710656",
    performed_at=datetime(2026, 3, 2, 10, 15),
    description="TDM CRANE",
    requested_procedure_id="RP17",
    step_id="SPS17",
    performed_step_uid="2.25.42",
)


@pytest.fixture(scope="module")
def images() -> dict[str, list[Dataset]]:
    return {
        "CT": ct_head(AICHA, slices=6),
        "DX": dx_chest(AICHA),
        "US": us_abdomen(AICHA, images=2),
        "MR": mr_brain(AICHA, slices=4),
    }


@pytest.mark.parametrize(
    ("modality", "sop_class"),
    [
        ("CT", CTImageStorage),
        ("DX", DigitalXRayImageStorageForPresentation),
        ("US", UltrasoundImageStorage),
        ("MR", MRImageStorage),
    ],
)
def test_each_machine_sends_its_own_class_with_the_identity_of_the_worklist(
    images: dict[str, list[Dataset]], modality: str, sop_class: UID, tmp_path: Path
) -> None:
    for image in images[modality]:
        path = tmp_path / "image.dcm"
        image.save_as(path, enforce_file_format=True)
        read = dcmread(path)
        assert read.SOPClassUID == read.file_meta.MediaStorageSOPClassUID == sop_class
        assert read.Modality == modality
        assert str(read.PatientName) == "OUEDRAOGO^Aïcha"
        assert (read.PatientID, read.PatientBirthDate, read.PatientSex) == ("BF-000123", "20190304", "F")
        assert read.PatientAge == "006Y"
        assert (read.AccessionNumber, read.StudyInstanceUID) == ("A26000017", "2.25.281474976710656")
        assert read.RequestAttributesSequence[0].ScheduledProcedureStepID == "SPS17"
        assert read.ReferencedPerformedProcedureStepSequence[0].ReferencedSOPInstanceUID == "2.25.42"
        assert UID(read.SOPInstanceUID).is_valid
        assert read.pixel_array.shape == (read.Rows, read.Columns)


def test_every_image_of_a_study_has_its_own_uid_and_every_series_one(images: dict[str, list[Dataset]]) -> None:
    everything = [image for series in images.values() for image in series]
    assert len({image.SOPInstanceUID for image in everything}) == len(everything)
    assert len({image.SeriesInstanceUID for image in images["CT"]}) == 1
    assert len({image.SeriesInstanceUID for image in images["MR"]}) == 2


def test_the_same_exam_and_seed_give_the_same_image_and_another_seed_another() -> None:
    first, again, other = (ct_head(AICHA, slices=1, seed=seed)[0] for seed in (1, 1, 2))
    assert (first.SOPInstanceUID, first.PixelData) == (again.SOPInstanceUID, again.PixelData)
    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.PixelData != other.PixelData


def test_a_head_ct_holds_air_brain_and_bone_in_hounsfield_units(images: dict[str, list[Dataset]]) -> None:
    image = images["CT"][3]
    hounsfield = image.pixel_array.astype(int) * int(image.RescaleSlope) + int(image.RescaleIntercept)
    assert image.PixelRepresentation == 1
    assert np.median(hounsfield[180:330, 180:330]) == pytest.approx(30, abs=10)
    assert hounsfield.max() > 900
    assert np.percentile(hounsfield, 5) <= -980


def test_the_slices_of_a_series_lie_one_above_the_other_at_equal_steps(images: dict[str, list[Dataset]]) -> None:
    heights = [float(image.ImagePositionPatient[2]) for image in images["CT"]]
    steps = np.diff(heights)
    assert np.allclose(steps, float(images["CT"][0].SliceThickness), atol=1e-4)
    assert len({image.FrameOfReferenceUID for image in images["CT"]}) == 1


def test_a_chest_radiograph_shows_dark_lungs_beside_a_bright_spine(images: dict[str, list[Dataset]]) -> None:
    picture = images["DX"][0].pixel_array
    assert picture.shape == (2500, 2048)
    assert picture.max() < 4096
    lung, spine = picture[700:900, 600:700].mean(), picture[1400:1600, 1000:1050].mean()
    assert lung < 0.7 * spine


def test_an_ultrasound_image_is_calibrated_and_names_nobody_in_its_pixels(images: dict[str, list[Dataset]]) -> None:
    image = images["US"][0]
    region = image.SequenceOfUltrasoundRegions[0]
    assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
    assert region.PhysicalDeltaX * 10 == pytest.approx(0.205)
    assert image.BurnedInAnnotation == "NO"
    assert not image.pixel_array[600:700, :60].any()


def test_a_newborn_has_a_smaller_head_and_an_age_in_days() -> None:
    newborn = dataclasses.replace(AICHA, birth_date=date(2026, 2, 20), charset="ISO_IR 100")
    small, large = ct_head(newborn, slices=3)[1], ct_head(AICHA, slices=3)[1]
    assert small.PatientAge == "010D"
    assert (small.pixel_array > 900).sum() < (large.pixel_array > 900).sum()
    assert small.SpecificCharacterSet == "ISO_IR 100"


def test_every_modality_of_the_demo_has_its_phantom() -> None:
    assert set(PHANTOMS) == {"CT", "DX", "US", "MR"}


@pytest.mark.peer
@needs_dcmtk
def test_dcmtk_reads_a_phantom_without_a_warning(images: dict[str, list[Dataset]], tmp_path: Path) -> None:
    for modality, series in images.items():
        path = tmp_path / f"{modality}.dcm"
        series[0].save_as(path, enforce_file_format=True)
        read = subprocess.run(["dcmdump", "-M", str(path)], capture_output=True, text=True, timeout=60, check=True)
        assert read.stderr == ""
