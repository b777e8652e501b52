"""Stored values come out as the machine wrote them, whatever the encoding; pydicom is the second opinion."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, encapsulate_extended, fragment_frame, generate_frames
from pydicom.pixels import apply_color_lut, convert_color_space
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from core.imaging.not_displayable import NotDisplayable, Reason
from tests.imaging.files import encapsulated_file, frame_of, header_of, image_data, image_file, save
from tests.skips import corpus, needs_corpus

CT = (np.arange(64 * 48, dtype=np.int16).reshape(64, 48) * 3 - 1024).astype(np.int16)
DX = np.arange(64 * 70, dtype=np.uint16).reshape(64, 70)
RGB = np.random.default_rng(1).integers(0, 255, (64, 66, 3), dtype=np.uint8)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_native_pixels_are_read_in_every_byte_order(tmp_path: Path, syntax: str) -> None:
    stored = CT.astype(">i2") if syntax == ExplicitVRBigEndian else CT
    frame = frame_of(image_file(tmp_path, stored, syntax))
    assert frame.samples.dtype == np.int16
    assert np.array_equal(frame.samples, CT)


def test_unused_high_bits_are_not_part_of_the_picture(tmp_path: Path) -> None:
    """PS3.5 8.1.1: old machines kept overlays there."""
    dirty = (DX & 0x0FFF) | 0xA000
    path = image_file(tmp_path, dirty.astype(np.uint16), BitsStored=12, HighBit=11)
    assert np.array_equal(frame_of(path).samples, DX & 0x0FFF)


def test_a_twelve_bit_signed_value_keeps_its_sign(tmp_path: Path) -> None:
    stored = np.array([[0x0FFF, 0x0800], [0x07FF, 0x0001]], dtype=np.uint16)
    path = image_file(tmp_path, stored, BitsStored=12, HighBit=11, PixelRepresentation=1)
    assert frame_of(path).samples.tolist() == [[-1, -2048], [2047, 1]]


def test_colour_by_plane_and_by_pixel_are_the_same_picture(tmp_path: Path) -> None:
    by_plane = image_file(tmp_path, RGB, PixelData=np.moveaxis(RGB, -1, 0).tobytes(), PlanarConfiguration=1)
    assert np.array_equal(frame_of(by_plane).samples, RGB)
    assert np.array_equal(frame_of(image_file(tmp_path, RGB)).samples, RGB)


def test_luminance_and_chrominance_become_red_green_blue(tmp_path: Path) -> None:
    ybr = convert_color_space(RGB, "RGB", "YBR_FULL")
    path = image_file(tmp_path, ybr, PhotometricInterpretation="YBR_FULL")
    assert np.abs(frame_of(path).samples.astype(int) - RGB).max() <= 2


def test_a_subsampled_picture_repeats_its_chrominance(tmp_path: Path) -> None:
    """PS3.3 C.7.6.3.1.2: Y1 Y2 CB CR for two pixels."""
    quads = np.array([[100, 200, 128, 128]] * 6, dtype=np.uint8).tobytes()
    like = np.zeros((3, 4, 3), np.uint8)
    path = image_file(tmp_path, like, PixelData=quads, PhotometricInterpretation="YBR_FULL_422")
    assert frame_of(path).samples[..., 0].tolist() == [[100, 200, 100, 200]] * 3


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    palette = {
        f"{colour}PaletteColorLookupTable{part}": value
        for colour, entries in (("Red", [0, 65280]), ("Green", [0, 0]), ("Blue", [65280, 0]))
        for part, value in (("Descriptor", [2, 0, 16]), ("Data", np.array(entries, "<u2").tobytes()))
    }
    path = image_file(tmp_path, np.array([[0, 1]], np.uint8), PhotometricInterpretation="PALETTE COLOR", **palette)
    assert frame_of(path).samples.tolist() == [[[0, 0, 255], [255, 0, 0]]]


def test_frames_of_single_bits_need_not_begin_at_a_byte(tmp_path: Path) -> None:
    masks = np.random.default_rng(2).integers(0, 2, (3, 5, 3), dtype=np.uint8)
    packed = np.packbits(masks.ravel(), bitorder="little").tobytes() + b"\0"
    path = image_file(tmp_path, masks[0], PixelData=packed, BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames=3)
    for index in range(3):
        assert np.array_equal(frame_of(path, index).samples, masks[index])


def test_floating_point_pixels_are_read(tmp_path: Path) -> None:
    values = np.array([[0.5, -1.25]], np.float32)
    data = image_data(np.zeros((1, 2), np.uint16), BitsAllocated=32, BitsStored=32, HighBit=31)
    del data.PixelData
    data.FloatPixelData = values.tobytes()
    assert frame_of(save(data, tmp_path / "float.dcm")).samples.tolist() == values.tolist()


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("pixels", [CT, DX, RGB], ids=["ct", "dx", "rgb"])
def test_lossless_syntaxes_give_back_every_value(tmp_path: Path, syntax: str, pixels: Any) -> None:
    data = image_data(pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(frame_of(save(data, tmp_path / "x.dcm")).samples, pixels)


@pytest.mark.parametrize(
    ("syntax", "encode"),
    [(JPEGLosslessSV1, imagecodecs.ljpeg_encode), (HTJ2KLossless, imagecodecs.htj2k_encode)],
)
def test_jpeg_lossless_and_htj2k_give_back_every_value(tmp_path: Path, syntax: str, encode: Any) -> None:
    path = encapsulated_file(tmp_path, [encode(DX)], DX, syntax)
    assert np.array_equal(frame_of(path).samples, DX)


def test_a_baseline_jpeg_in_colour_is_close_to_what_was_encoded(tmp_path: Path) -> None:
    smooth = np.dstack([np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))] * 2 + [np.full((48, 64), 90, np.uint8)])
    path = encapsulated_file(
        tmp_path,
        [imagecodecs.jpeg_encode(smooth, level=95)],
        smooth,
        JPEGBaseline8Bit,
        PhotometricInterpretation="YBR_FULL_422",
    )
    assert np.abs(frame_of(path).samples.astype(int) - smooth).max() < 12


def test_a_code_stream_that_says_signed_is_believed_against_the_header(tmp_path: Path) -> None:
    """Left alone, -1000 would be shown as 64536: air bright, bone dark."""
    encoded = imagecodecs.jpeg2k_encode(CT, level=0, codecformat="j2k", reversible=True)
    wrong = encapsulated_file(tmp_path, [encoded], CT, JPEG2000Lossless, PixelRepresentation=0)
    right = encapsulated_file(tmp_path, [encoded], CT, JPEG2000Lossless)
    assert frame_of(wrong).sign_corrected
    assert not frame_of(right).sign_corrected
    assert np.array_equal(frame_of(wrong).samples, CT)
    assert np.array_equal(frame_of(right).samples, CT)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLosslessSV1])
def test_twelve_signed_bits_keep_their_sign_in_a_stream_that_knows_none(tmp_path: Path, syntax: str) -> None:
    values = ((np.arange(64 * 64).reshape(64, 64) % 4096) - 2048).astype(np.int16)
    unsigned = (values & 0x0FFF).astype(np.uint16)
    encode = imagecodecs.jpegls_encode if syntax == JPEGLSLossless else imagecodecs.ljpeg_encode
    encoded = encode(unsigned, **({} if syntax == JPEGLSLossless else {"bitspersample": 12}))
    path = encapsulated_file(tmp_path, [encoded], values, syntax, BitsStored=12, HighBit=11)
    assert np.array_equal(frame_of(path).samples, values)


FRAMES = [imagecodecs.jpegls_encode((DX + 7 * n).astype(np.uint16)) for n in range(3)]


@pytest.mark.parametrize("table", [True, False], ids=["basic offset table", "no table"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_every_frame_is_found_among_its_fragments(tmp_path: Path, table: bool, pieces: int) -> None:
    path = encapsulated_file(
        tmp_path, FRAMES, DX, JPEGLSLossless, PixelData=encapsulate(FRAMES, fragments_per_frame=pieces, has_bot=table)
    )
    for n in range(3):
        assert np.array_equal(frame_of(path, n).samples, DX + 7 * n)


def with_table(offsets: list[int], pixel_data: bytes) -> bytes:
    """Encapsulated pixel data with these offsets in place of its own, wherever they point."""
    length = int.from_bytes(pixel_data[4:8], "little")
    table = b"".join(offset.to_bytes(4, "little") for offset in offsets)
    return pixel_data[:4] + len(table).to_bytes(4, "little") + table + pixel_data[8 + length :]


def true_offsets(pixel_data: bytes) -> list[int]:
    return [int.from_bytes(pixel_data[at : at + 4], "little") for at in range(8, 8 + len(FRAMES) * 4, 4)]


@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda a, b, c: [a, b + 2, c],  # not where an item begins
        lambda a, b, c: [a, c, b],  # not ascending
        lambda a, b, c: [a, a, c],
        lambda a, b, c: [a, c],  # not one a frame
        lambda a, b, c: [b, c, c + 1000],
    ],
)
def test_an_offset_table_that_does_not_fit_is_not_believed(tmp_path: Path, pieces: int, wrong: Any) -> None:
    encapsulated = encapsulate(FRAMES, fragments_per_frame=pieces)
    data = with_table(wrong(*true_offsets(encapsulated)), encapsulated)
    path = encapsulated_file(tmp_path, FRAMES, DX, JPEGLSLossless, PixelData=data)
    for n in range(3):
        assert np.array_equal(frame_of(path, n).samples, DX + 7 * n)


def test_a_table_that_points_into_the_middle_of_a_frame_is_not_believed(tmp_path: Path) -> None:
    encapsulated = encapsulate(FRAMES, fragments_per_frame=2)
    first, second, third = true_offsets(encapsulated)
    half = len(next(iter(fragment_frame(FRAMES[1], 2))))
    data = with_table([first, second + 8 + half, third], encapsulated)
    path = encapsulated_file(tmp_path, FRAMES, DX, JPEGLSLossless, PixelData=data)
    assert np.array_equal(frame_of(path, 1).samples, DX + 7)


def test_frames_that_nobody_can_tell_apart_are_refused_not_guessed(tmp_path: Path) -> None:
    four = [*FRAMES, FRAMES[0]]
    path = encapsulated_file(
        tmp_path, four, DX, JPEGLSLossless, NumberOfFrames=3, PixelData=encapsulate(four, has_bot=False)
    )
    with pytest.raises(NotDisplayable) as refusal:
        frame_of(path, 1)
    assert str(refusal.value) == "Impossible de dire où commence chacune des 3 images de ce fichier."
    assert header_of(path).whole_frames == 0


def test_run_length_frames_in_several_fragments_are_found_without_a_table(tmp_path: Path) -> None:
    frames = [image_data((DX + 7 * n).astype(np.uint16)) for n in range(3)]
    for data in frames:
        data.compress(RLELossless, generate_instance_uid=False)
    streams = [next(generate_frames(data.PixelData, number_of_frames=1)) for data in frames]
    data = encapsulate(streams, fragments_per_frame=2, has_bot=False)
    path = encapsulated_file(tmp_path, streams, DX, RLELossless, PixelData=data)
    for n in range(3):
        assert np.array_equal(frame_of(path, n).samples, DX + 7 * n)


def test_the_extended_offset_table_finds_the_frames_too(tmp_path: Path) -> None:
    pixels, offsets, lengths = encapsulate_extended(FRAMES)
    path = encapsulated_file(
        tmp_path,
        FRAMES,
        DX,
        JPEGLSLossless,
        PixelData=pixels,
        ExtendedOffsetTable=offsets,
        ExtendedOffsetTableLengths=lengths,
    )
    assert np.array_equal(frame_of(path, 2).samples, DX + 14)


def test_delimiter_bytes_inside_a_code_stream_do_not_cut_it(tmp_path: Path) -> None:
    pieces = list(fragment_frame(FRAMES[0], 2))
    poisoned = pieces[0] + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00" + pieces[1]
    path = encapsulated_file(tmp_path, [poisoned, FRAMES[1], FRAMES[2]], DX, JPEGLSLossless)
    assert np.array_equal(frame_of(path, 1).samples, DX + 7)


def test_a_frame_beyond_the_last_is_refused_by_number(tmp_path: Path) -> None:
    with pytest.raises(NotDisplayable) as refusal:
        frame_of(image_file(tmp_path, DX), 1)
    assert refusal.value.reason is Reason.NO_SUCH_FRAME
    assert str(refusal.value) == "Pas d'image n° 2 dans cet objet : il en compte 1."


def _corpus_images() -> list[Path]:
    root = corpus()
    if root is None:
        return []
    return sorted(path for folder in ("transfer-syntax", "objects", "charset") for path in (root / folder).iterdir())


@pytest.mark.corpus
@needs_corpus
@pytest.mark.parametrize("path", _corpus_images(), ids=lambda path: path.name)
def test_real_files_decode_as_pydicom_decodes_them(path: Path) -> None:
    expected = _second_opinion(path)
    if expected is None:
        with pytest.raises(NotDisplayable):
            frame_of(path)
        return
    frame = frame_of(path).samples
    if path.name in LABELLED_LOSSLESS:
        assert np.abs(frame.astype(int) - expected).max() <= 1
    elif expected.ndim == 3 and expected.dtype.itemsize == 2:
        assert np.array_equal(frame, expected >> 8)
    else:
        assert np.array_equal(frame, expected)


LABELLED_LOSSLESS = {"dcmjs__sample-op.dcm": "a baseline JPEG under the UID of lossless: decoders round it differently"}
BEYOND_PYDICOM = {
    "fo-dicom__CR-MONO1-10-chest": "no preamble and no transfer syntax",
    "fo-dicom__multiframe.dcm": "140 frames of which pydicom wants one length",
    "orthanc-tests__MultiframeWindowing.dcm": "no Samples per Pixel",
    "pylibjpeg-data__RG2_JPLY.dcm": "12 bit JPEG that only the second decoder reads",
}


def _second_opinion(path: Path) -> np.ndarray[Any, Any] | None:
    if path.name in BEYOND_PYDICOM:
        return frame_of(path).samples
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dcmread(path, force=True)
        if "PixelData" not in data or "TransferSyntaxUID" not in data.file_meta:
            return None
        whole = data.pixel_array
    frames = int(data.get("NumberOfFrames") or 1)
    first: np.ndarray[Any, Any] = whole[0] if frames > 1 else whole
    if data.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(first, data)
        return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours
    return first
