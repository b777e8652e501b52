"""A lossless copy is proved before anybody believes it; what cannot be proved stays as it was received."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from core.archive.part10 import file_meta
from core.imaging import transcode as transcode_module
from core.imaging.elements import Unwalkable, flat
from core.imaging.imaging import Imaging
from core.imaging.not_displayable import NotDisplayable
from core.imaging.transcode import JPEG_2000_LOSSLESS, JPEG_LS_LOSSLESS, transcode
from core.imaging.wire import Kept, Transcoded
from tests.imaging.files import frame_of, header_of, image_data, image_file, save
from tests.skips import corpus, needs_corpus

HEADS = {
    s: file_meta("1.2.840.10008.5.1.4.1.1.7", "2.25.1", s, "SCANNER1") for s in (JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS)
}
RAMP = np.add.outer(np.arange(64) * 9, np.arange(70) * 5)
CT = (RAMP - 1024).astype(np.int16)
DX = RAMP.astype(np.uint16)
US = np.stack([RAMP % 256, RAMP // 5 % 256, RAMP // 9 % 256], -1).astype(np.uint8)


@pytest.fixture
def imaging() -> Iterator[Imaging]:
    room = Imaging(deadline_s=120)
    yield room
    room.close()


def made(path: Path, to: Path) -> Transcoded | Kept:
    """What becomes of a file, in this process."""
    from core.imaging.header import read_header
    from core.imaging.source import Source

    out = os.open(to, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        with path.open("rb") as file:
            source = Source(file.fileno())
            return transcode(source, read_header(source), HEADS, out)
    finally:
        os.close(out)


def rest(path: Path) -> list[Any]:
    """Everything that pydicom reads of a file but the pixels and what the syntax changes."""
    data = dcmread(path, force=True)
    for keyword in ("PixelData", "PhotometricInterpretation", "PlanarConfiguration"):
        if keyword in data:
            del data[keyword]
    return [(e.tag, str(e.value)) for e in data.iterall() if e.tag.element]


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=["implicit", "explicit"])
@pytest.mark.parametrize(
    ("pixels", "facts", "target"),
    [
        (CT, {}, JPEG_LS_LOSSLESS),
        (DX, {"BitsStored": 12, "HighBit": 11}, JPEG_LS_LOSSLESS),
        ((CT // 2).astype(np.int16), {"BitsStored": 12, "HighBit": 11}, JPEG_LS_LOSSLESS),
        ((DX % 200).astype(np.uint8), {}, JPEG_LS_LOSSLESS),
        ((DX % 200).astype(np.uint16), {"BitsStored": 8, "HighBit": 7}, JPEG_LS_LOSSLESS),
        ((DX % 200).astype(np.uint8), {"PhotometricInterpretation": "MONOCHROME1"}, JPEG_LS_LOSSLESS),
        (US, {}, JPEG_2000_LOSSLESS),
    ],
    ids=["signed 16", "unsigned 12", "signed 12", "8", "8 in 16", "monochrome1", "rgb"],
)
def test_every_sample_and_every_other_element_is_in_the_new_file(
    tmp_path: Path, pixels: Any, facts: dict[str, Any], target: str, syntax: str
) -> None:
    item = Dataset()
    item.ReferencedSOPInstanceUID, item.ReferencedSOPClassUID = "1.2.3", "1.2.4"
    private = Dataset()
    private.PatientComments = "é"
    path = image_file(
        tmp_path,
        pixels,
        syntax,
        PatientName="OUEDRAOGO^Aïcha",
        SpecificCharacterSet="ISO_IR 192",
        PixelPaddingValue=0,
        ReferencedImageSequence=Sequence([item, item]),
        RequestAttributesSequence=Sequence([]),
        **facts,
    )
    data = dcmread(path)
    block = data.private_block(0x0029, "YELEN TEST", create=True)
    block.add_new(0x01, "LO", "privé")
    block.add_new(0x02, "SQ", Sequence([private]))
    data.add_new(0xFFFCFFFC, "OB", bytes(10))
    save(data, path)
    found = made(path, tmp_path / "new.dcm")
    assert found == Transcoded(target, (tmp_path / "new.dcm").stat().st_size)
    assert dcmread(tmp_path / "new.dcm").file_meta.TransferSyntaxUID == target
    assert np.array_equal(frame_of(tmp_path / "new.dcm").samples, pixels)
    assert np.array_equal(dcmread(tmp_path / "new.dcm").pixel_array, pixels)
    if syntax == ExplicitVRLittleEndian:
        assert rest(tmp_path / "new.dcm") == rest(path)
    assert dcmread(tmp_path / "new.dcm").PatientName == "OUEDRAOGO^Aïcha"


def test_every_frame_of_a_colour_loop_by_plane_is_there(tmp_path: Path) -> None:
    frames = np.stack([np.roll(US, n, axis=0) for n in range(5)])
    planes = np.moveaxis(frames, -1, 1)
    path = image_file(tmp_path, US, PixelData=planes.tobytes(), PlanarConfiguration=1, NumberOfFrames=5)
    assert isinstance(made(path, tmp_path / "new.dcm"), Transcoded)
    for n in range(5):
        assert np.array_equal(frame_of(tmp_path / "new.dcm", n).samples, frames[n])
    assert header_of(tmp_path / "new.dcm").photometric == "YBR_RCT"
    assert np.array_equal(dcmread(tmp_path / "new.dcm").pixel_array, frames)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=["implicit", "explicit"])
def test_the_small_picture_in_a_header_stays_as_it_is(tmp_path: Path, syntax: str) -> None:
    icon = image_data((DX[:8, :8] % 200).astype(np.uint8))
    del icon.SOPClassUID, icon.SOPInstanceUID
    path = image_file(tmp_path, CT, syntax, IconImageSequence=Sequence([icon]))
    assert isinstance(made(path, tmp_path / "new.dcm"), Transcoded)
    assert dcmread(tmp_path / "new.dcm").IconImageSequence[0].PixelData == icon.PixelData
    assert np.array_equal(frame_of(tmp_path / "new.dcm").samples, CT)


def overlaid(bits: int) -> Any:
    return (DX % 4096).astype(np.uint16) | np.uint16(bits)


@pytest.mark.parametrize(
    ("pixels", "facts", "why"),
    [
        (overlaid(0x8000), {"BitsStored": 12, "HighBit": 11}, "samples differ"),
        (DX, {"BitsStored": 12, "HighBit": 15}, "bits"),
        (DX, {"Modality": "RTDOSE"}, "dose"),
        (DX, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"}, "dose"),
        (DX.astype(np.uint32), {}, "bits"),
        ((DX % 2).astype(np.uint8), {"PhotometricInterpretation": "PALETTE COLOR"}, "photometric"),
        (US, {"PhotometricInterpretation": "YBR_FULL"}, "photometric"),
        (np.random.default_rng(1).integers(0, 65536, (64, 70)).astype(np.uint16), {}, "no gain"),
        (DX, {"PixelData": DX.tobytes() + bytes(2)}, "length"),
        (DX, {"DigitalSignaturesSequence": Sequence([Dataset()])}, "signature"),
    ],
    ids=["overlay bits", "high bit", "dose", "dose class", "32 bit", "palette", "ybr", "noise", "long", "signed"],
)
def test_what_may_not_be_touched_is_not(tmp_path: Path, pixels: Any, facts: dict[str, Any], why: str) -> None:
    assert made(image_file(tmp_path, pixels, **facts), tmp_path / "new.dcm") == Kept(why)


def test_compressed_big_endian_single_bit_and_float_objects_are_not_touched(tmp_path: Path) -> None:
    data = image_data(DX)
    data.compress(JPEGLSLossless, generate_instance_uid=False)
    assert made(save(data, tmp_path / "ls.dcm"), tmp_path / "new.dcm") == Kept("syntax")
    big = image_data(DX, ExplicitVRBigEndian, PixelData=DX.astype(">u2").tobytes())
    assert made(save(big, tmp_path / "big.dcm"), tmp_path / "new.dcm") == Kept("syntax")
    bits = np.packbits(DX % 2, bitorder="little").tobytes()
    one = image_file(tmp_path, DX.astype(np.uint8), PixelData=bits, BitsAllocated=1, BitsStored=1, HighBit=0)
    assert made(one, tmp_path / "new.dcm") == Kept("bits")
    floats = image_data(DX, FloatPixelData=DX.astype(np.float32).tobytes(), BitsAllocated=32)
    del floats.PixelData
    assert made(save(floats, tmp_path / "f.dcm"), tmp_path / "new.dcm") == Kept("bits")


def test_a_cut_original_is_not_touched(tmp_path: Path) -> None:
    path = image_file(tmp_path, DX)
    os.truncate(path, path.stat().st_size - 10)
    assert made(path, tmp_path / "new.dcm") == Kept("length")


@pytest.mark.parametrize("loses", ["a sample", "a sample for the second decoder", "an element"])
def test_an_encoder_that_loses_anything_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loses: str
) -> None:
    if loses == "a sample":
        true = transcode_module._encoded
        monkeypatch.setattr(transcode_module, "_encoded", lambda words, header: true(words + (words == -1024), header))
    elif loses == "an element":
        true_one = transcode_module._Aside._one
        monkeypatch.setattr(
            transcode_module._Aside,
            "_one",
            lambda self, part, e: b"" if e.tag == 0x00100020 else true_one(self, part, e),
        )
    else:
        monkeypatch.setattr(transcode_module, "decode_again", lambda stream, header: np.zeros((64, 70), np.int16))
    found = made(image_file(tmp_path, CT, PatientID="CDG1"), tmp_path / "new.dcm")
    assert found == Kept("data set differs" if loses == "an element" else "samples differ")


def test_the_worker_writes_the_copy_and_a_file_that_kills_it_can_still_be_shown(
    imaging: Imaging, tmp_path: Path
) -> None:
    path, new = image_file(tmp_path, CT), tmp_path / "new.dcm"
    with new.open("w+b") as into:
        assert isinstance(imaging.transcode(path, into.fileno(), HEADS), Transcoded)
    assert np.array_equal(imaging.pixels(new).array(), imaging.pixels(path).array())


def test_an_encoder_that_fails_leaves_the_image_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcode_module, "_encoded", lambda words, header: 1 / 0)
    assert made(image_file(tmp_path, CT), tmp_path / "new.dcm") == Kept("encoder: division by zero")


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_no_matter_where_a_data_set_is_cut_it_is_walked_or_refused(cut: int) -> None:
    data = bytes.fromhex("08001600554912003132332e3435362e3738392e3132333400") + bytes(100)
    try:
        list(flat(memoryview(data)[:cut], False))
    except Unwalkable:
        return


def _real_files() -> list[Path]:
    root = corpus()
    return sorted(p for p in root.rglob("*") if p.is_file()) if root else []


@pytest.mark.corpus
@needs_corpus
def test_real_files_come_back_sample_by_sample(tmp_path: Path) -> None:
    """Whatever the corpus holds is compressed without loss, or left alone; the second opinion is pydicom's."""
    before = after = done = 0
    for path in _real_files():
        try:
            header = header_of(path)
        except NotDisplayable:  # no image at all
            continue
        if not header.native:
            continue
        found = made(path, tmp_path / "new.dcm")
        if isinstance(found, Kept):
            continue
        done, before, after = done + 1, before + path.stat().st_size, after + found.size
        original = dcmread(path, force=True)
        original.file_meta.TransferSyntaxUID = header.syntax
        assert np.array_equal(dcmread(tmp_path / "new.dcm").pixel_array, original.pixel_array), path
    assert done >= 20
    assert after < 0.6 * before
