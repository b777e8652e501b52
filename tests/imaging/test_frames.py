"""A picture has the greys, the shape and the size it was asked for, and says what it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from core.imaging.describe import describe
from core.imaging.frames import render
from core.imaging.geometry import spacing_of
from core.imaging.picture import RenderedFrame
from core.imaging.window import Window
from tests.imaging.files import frame_of, header_of, image_file

CT = np.array([[0, 1024, 1064, 1104], [984, 1024, 1064, 3000]], dtype=np.int16)


def picture(
    path: Path, index: int = 0, window: Window | None = None, size: int | None = None, form: str = "png"
) -> RenderedFrame:
    return render(frame_of(path, index), header_of(path), index, window, size, 75, form)


def greys(rendered: RenderedFrame) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(rendered.data)))


def test_a_ct_is_windowed_in_hounsfield_units(tmp_path: Path) -> None:
    path = image_file(tmp_path, CT, Modality="CT", RescaleSlope=1, RescaleIntercept=-1024)
    assert greys(picture(path, window=Window(40, 80))).tolist() == [[0, 0, 129, 255], [0, 0, 129, 255]]


def test_the_files_own_window_comes_first_and_is_reported(tmp_path: Path) -> None:
    path = image_file(tmp_path, CT, WindowCenter=[1064, 300], WindowWidth=[80, 1500], VOILUTFunction="LINEAR")
    assert picture(path).window_used == Window(1064, 80)
    assert picture(path, window=Window(0, 10)).window_used == Window(0, 10)


def test_a_ct_without_a_window_gets_the_one_of_its_body_part(tmp_path: Path) -> None:
    path = image_file(tmp_path, CT, Modality="CT", BodyPartExamined="HEAD")
    assert picture(path).window_used == Window(40, 80)


def test_other_images_without_a_window_are_shown_between_their_percentiles(tmp_path: Path) -> None:
    values = np.linspace(100, 1100, 1000).astype(np.uint16).reshape(25, 40)
    used = picture(image_file(tmp_path, values)).window_used
    assert used is not None
    assert used.center - used.width / 2 == pytest.approx(104, abs=3)
    assert used.center + used.width / 2 == pytest.approx(1097, abs=3)


def test_eight_bit_grey_is_shown_as_it_is(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(greys(picture(image_file(tmp_path, values))), values)


def test_monochrome1_is_turned_over(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    path = image_file(tmp_path, values, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(greys(picture(path)), 255 - values)


def test_padding_is_black_even_where_low_values_are_white(tmp_path: Path) -> None:
    values = np.array([[-2000, 0], [50, 100]], dtype=np.int16)
    padded = {"PixelPaddingValue": -2000, "PhotometricInterpretation": "MONOCHROME1"}
    shown = greys(picture(image_file(tmp_path, values, **padded), window=Window(50, 100)))
    assert shown[0, 0] == 0
    assert shown[0, 1] > shown[1, 1]


def test_each_frame_has_its_own_window_when_the_file_gives_one_each(tmp_path: Path) -> None:
    four = {"NumberOfFrames": 4, "WindowCenter": [10, 20, 30, 40], "WindowWidth": [4, 5, 6, 7]}
    path = image_file(tmp_path, CT, PixelData=CT.tobytes() * 4, **four)
    assert [picture(path, n).window_used for n in (0, 3)] == [Window(10, 4), Window(40, 7)]


def test_functional_groups_give_a_frame_its_rescale_and_its_window(tmp_path: Path) -> None:
    def frame(slope: int, center: int) -> Dataset:
        group, transform, voi = Dataset(), Dataset(), Dataset()
        transform.RescaleSlope, transform.RescaleIntercept = slope, 0
        voi.WindowCenter, voi.WindowWidth = center, 100
        group.PixelValueTransformationSequence, group.FrameVOILUTSequence = Sequence([transform]), Sequence([voi])
        return group

    values = np.full((2, 2), 50, np.uint16)
    groups = Sequence([frame(1, 50), frame(2, 50)])
    path = image_file(
        tmp_path, values, PixelData=values.tobytes() * 2, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=groups
    )
    assert greys(picture(path, 0))[0, 0] == 129
    assert greys(picture(path, 1))[0, 0] == 255


def test_a_voi_lut_of_the_file_makes_the_greys_when_no_window_does(tmp_path: Path) -> None:
    lut = Dataset()
    lut.LUTDescriptor, lut.LUTData = [4, 10, 8], np.array([0, 85, 170, 255], "<u2").tobytes()
    path = image_file(tmp_path, np.array([[9, 10, 11], [12, 13, 99]], np.uint16), VOILUTSequence=Sequence([lut]))
    shown = picture(path)
    assert greys(shown).tolist() == [[0, 0, 85], [170, 255, 255]]
    assert shown.window_used is None


def test_thirty_two_bit_values_are_windowed_too(tmp_path: Path) -> None:
    values = np.array([[1_000_000, 1_000_050, 1_000_100]], np.uint32)
    assert greys(picture(image_file(tmp_path, values), window=Window(1_000_050.5, 101))).tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    ("form", "mime", "lossy"), [("jpeg", "image/jpeg", True), ("webp", "image/webp", True), ("png", "image/png", False)]
)
def test_each_format_is_what_it_says(tmp_path: Path, form: str, mime: str, lossy: bool) -> None:
    shown = picture(image_file(tmp_path, np.zeros((40, 60), np.uint8)), form=form)
    assert (shown.mime, shown.lossy, shown.width, shown.height) == (mime, lossy, 60, 40)
    assert Image.open(io.BytesIO(shown.data)).size == (60, 40)


def test_a_picture_is_made_to_fit_and_never_enlarged(tmp_path: Path) -> None:
    path = image_file(tmp_path, np.zeros((200, 400), np.uint8))
    assert (picture(path, size=100).width, picture(path, size=100).height) == (100, 50)
    assert (picture(path, size=5000).width, picture(path, size=5000).height) == (400, 200)


def test_pixels_that_are_not_square_are_drawn_square(tmp_path: Path) -> None:
    tall = image_file(tmp_path, np.zeros((100, 100), np.uint8), PixelSpacing=["2", "1"])
    assert (picture(tall).width, picture(tall).height) == (100, 200)
    wide = image_file(tmp_path, np.zeros((100, 100), np.uint8), PixelAspectRatio=["1", "2"])
    assert (picture(wide).width, picture(wide).height) == (200, 100)


def test_a_radiograph_is_measured_on_the_detector_and_says_so(tmp_path: Path) -> None:
    header = header_of(image_file(tmp_path, CT, ImagerPixelSpacing=["0.148", "0.148"]))
    spacing = spacing_of(header, 0)
    assert spacing is not None
    assert (spacing.row, spacing.source, spacing.measures_patient) == (0.148, "ImagerPixelSpacing", False)


def test_a_calibrated_ultrasound_is_measured_in_its_region(tmp_path: Path) -> None:
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    header = header_of(image_file(tmp_path, CT, SequenceOfUltrasoundRegions=Sequence([region])))
    spacing = spacing_of(header, 0)
    assert spacing is not None
    assert (spacing.column, spacing.measures_patient) == (pytest.approx(0.2), True)
    two = header_of(image_file(tmp_path, CT, SequenceOfUltrasoundRegions=Sequence([region, region])))
    assert spacing_of(two, 0) is None


def test_a_file_that_had_lost_something_before_says_so(tmp_path: Path) -> None:
    path = image_file(tmp_path, CT, LossyImageCompression="01")
    assert picture(path).source_lossy
    assert describe(header_of(path)).lossy
    assert not picture(image_file(tmp_path, CT)).source_lossy
