"""Whatever a file holds, it is shown or refused with one typed reason: no other exception, no memory, no crash."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.picture import Description
from core.imaging.source import inflate
from core.imaging.wire import Described, DescribeJob, FrameJob, Impossible, Rendered, Reply
from core.imaging.worker import Desk
from tests.imaging.files import encapsulated_file, frame_of, header_of, image_data, image_file, save
from tests.skips import corpus, needs_corpus

GREY = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
FRAME = FrameJob(1, None, None, 75, "jpeg")


def refusal_of(path: Path) -> NotDisplayable:
    with pytest.raises(NotDisplayable) as refusal:
        frame_of(path)
    return refusal.value


def answer(path: Path, job: FrameJob | DescribeJob = FRAME) -> Reply:
    with path.open("rb") as file:
        reply, shared = Desk(1 << 20).do(job, file.fileno())
    assert shared is None
    return reply


def description(path: Path) -> Description:
    reply = answer(path, DescribeJob())
    assert isinstance(reply, Described)
    return reply.description


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("Rows", 0), ("Columns", 0), ("NumberOfFrames", "-5"), ("BitsAllocated", 12), ("BitsStored", 17), ("HighBit", 99)],
)
def test_an_absurd_header_is_one_refusal_that_names_the_attribute(tmp_path: Path, keyword: str, value: Any) -> None:
    refused = refusal_of(image_file(tmp_path, GREY, **{keyword: value}))
    assert refused.reason is Reason.BAD_HEADER
    assert keyword in str(refused)


def test_a_number_of_frames_that_is_no_number_is_refused(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, NumberOfFrames="1234")
    path.write_bytes(path.read_bytes().replace(b"1234", b"abcd"))
    assert refusal_of(path).facts == {"field": "NumberOfFrames"}


def test_two_values_of_rows_are_refused(tmp_path: Path) -> None:
    assert refusal_of(image_file(tmp_path, GREY, Rows=[32, 32])).facts == {"field": "Rows"}


def test_a_giant_matrix_in_a_small_file_is_refused_before_any_allocation(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, Rows=65535, Columns=65535)
    tracemalloc.start()
    refused = refusal_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.reason is Reason.TOO_LARGE
    assert peak < 8_000_000


def test_an_honest_size_that_the_file_does_not_hold_is_truncated_not_allocated(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, Rows=10_000, Columns=10_000)
    tracemalloc.start()
    refused = refusal_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.reason is Reason.TRUNCATED
    assert str(refused) == "Fichier tronqué : 0 image(s) entière(s) sur 1."
    assert peak < 8_000_000


def test_three_gigabytes_declared_in_a_small_file_reserve_nothing(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, ImageComments="x" * 1000)
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    path.write_bytes(content[:at] + struct.pack("<I", 3_000_000_000) + content[at + 4 :])
    assert np.array_equal(frame_of(path).samples, GREY)


def test_an_element_longer_than_the_file_hides_the_pixels_and_reserves_nothing(tmp_path: Path) -> None:
    data = image_data(GREY)
    data.add_new(0x00091010, "UN", b"y" * 100)
    path = save(data, tmp_path / "x.dcm")
    content = path.read_bytes()
    at = content.index(b"\x09\x00\x10\x10UN\0\0") + 8
    path.write_bytes(content[:at] + b"\xfe\xff\xff\xff" + content[at + 4 :])
    tracemalloc.start()
    assert refusal_of(path).reason in (Reason.NO_PIXELS, Reason.UNREADABLE, Reason.BAD_HEADER)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_cut_file_shows_what_it_has_under_stripes_and_says_so(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY)
    os.truncate(path, path.stat().st_size - 32 * 2 * 4 - 10)
    assert frame_of(path).missing_rows == 5
    reply = answer(path, FrameJob(1, None, None, 75, "png"))
    assert isinstance(reply, Rendered)
    assert reply.frame.incomplete
    shown = imagecodecs.png_decode(reply.frame.data)
    assert set(np.unique(shown[-5:])) == {60, 160}
    assert not description(path).complete


def test_of_a_cut_series_of_frames_the_whole_ones_are_shown_and_counted(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, PixelData=GREY.tobytes() * 5, NumberOfFrames=5)
    os.truncate(path, path.stat().st_size - GREY.nbytes - GREY.nbytes // 2)
    found = description(path)
    assert (found.whole_frames, found.frames, found.displayable) == (3, 5, True)
    assert isinstance(answer(path, FrameJob(3, None, None, 75, "jpeg")), Rendered)
    fifth = answer(path, FrameJob(5, None, None, 75, "jpeg"))
    assert isinstance(fifth, Impossible)
    assert str(fifth.refused.error()) == "Fichier tronqué : 3 image(s) entière(s) sur 5."


def smooth(dtype: str) -> Any:
    """A picture with something in every row."""
    return (np.add.outer(np.arange(256) * 90, np.arange(256) * 31) // (1 if dtype == "uint16" else 256)).astype(dtype)


STREAMS = {
    "jpeg": (JPEGBaseline8Bit, imagecodecs.jpeg8_encode(smooth("uint8"), level=90), smooth("uint8")),
    "jpeg lossless": (JPEGLosslessSV1, imagecodecs.ljpeg_encode(smooth("uint16")), smooth("uint16")),
    "jpeg-ls": (JPEGLSLossless, imagecodecs.jpegls_encode(smooth("uint16")), smooth("uint16")),
    "jpeg 2000": (
        JPEG2000Lossless,
        imagecodecs.jpeg2k_encode(smooth("uint16"), level=0, codecformat="J2K", reversible=True),
        smooth("uint16"),
    ),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("part", [0.3, 0.5, 0.98])
def test_a_cut_code_stream_is_never_shown_as_a_whole_picture(tmp_path: Path, name: str, part: float) -> None:
    syntax, stream, pixels = STREAMS[name]
    path = encapsulated_file(tmp_path, [stream[: int(len(stream) * part) // 2 * 2]], pixels, syntax)
    found = description(path)
    assert (found.whole_frames, found.complete) == (0, False)
    reply = answer(path, FrameJob(1, None, None, 75, "png"))
    if isinstance(reply, Impossible):
        assert reply.refused.reason == Reason.CODEC_FAILED
        return
    assert isinstance(reply, Rendered)
    assert reply.frame.incomplete
    shown, lost = imagecodecs.png_decode(reply.frame.data), round(256 * (1 - part))
    assert set(np.unique(shown[256 - lost + 16 :])) <= {60, 160}, "the rows that are not in the file are striped"


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("padding", [b"", b"\0", b"\0\0\0\0", b"\xff\xcc"])
def test_whatever_pads_a_code_stream_it_is_whole(tmp_path: Path, name: str, padding: bytes) -> None:
    syntax, stream, pixels = STREAMS[name]
    path = encapsulated_file(tmp_path, [stream + padding], pixels, syntax)
    assert description(path).complete
    assert frame_of(path).missing_rows == 0


@pytest.mark.parametrize("name", ["jpeg", "jpeg-ls"])
def test_an_end_pasted_behind_half_a_code_stream_deceives_nobody(tmp_path: Path, name: str) -> None:
    syntax, stream, pixels = STREAMS[name]
    path = encapsulated_file(tmp_path, [stream[: len(stream) // 2] + b"\xff\xd9"], pixels, syntax)
    assert frame_of(path).missing_rows > 100


def test_of_many_frames_the_one_whose_stream_was_cut_is_known(tmp_path: Path) -> None:
    syntax, stream, pixels = STREAMS["jpeg-ls"]
    path = encapsulated_file(tmp_path, [stream, stream[: len(stream) // 2], stream], pixels, syntax)
    assert description(path).whole_frames == 2
    assert [frame_of(path, n).missing_rows > 0 for n in range(3)] == [False, True, False]


def test_a_file_cut_inside_its_last_code_stream_shows_it_under_stripes(tmp_path: Path) -> None:
    syntax, stream, pixels = STREAMS["jpeg-ls"]
    path = encapsulated_file(tmp_path, [stream], pixels, syntax)
    os.truncate(path, path.stat().st_size - len(stream) // 2)
    assert frame_of(path).missing_rows > 100
    assert not description(path).complete


def test_sequences_nested_twenty_thousand_deep_are_one_refusal(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY)
    content = path.read_bytes()
    deep = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 20_000
    at = content.index(b"\x20\x00\x0d\x00")
    path.write_bytes(content[:at] + deep + content[at:])
    assert refusal_of(path).reason is Reason.UNREADABLE


def test_an_unknown_value_representation_does_not_hide_the_picture(tmp_path: Path) -> None:
    data = image_data(GREY)
    data.add_new(0x00091010, "LO", "opaque")
    path = save(data, tmp_path / "x.dcm")
    path.write_bytes(path.read_bytes().replace(b"\x09\x00\x10\x10LO", b"\x09\x00\x10\x10ZZ"))
    assert isinstance(answer(path), Rendered)


def test_a_window_that_is_no_number_is_ignored(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, WindowCenter="12345678", WindowWidth="400")
    path.write_bytes(path.read_bytes().replace(b"12345678", b"NaN;rm -"))
    reply = answer(path)
    assert isinstance(reply, Rendered)
    assert reply.frame.window_used is not None
    assert np.isfinite(reply.frame.window_used.center)


def test_a_deflated_bomb_is_refused_at_its_ratio() -> None:
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = engine.compress(bytes(200_000_000)) + engine.flush()
    tracemalloc.start()
    with pytest.raises(NotDisplayable):
        inflate(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 64 * 1024 * 1024


def test_a_damaged_deflated_file_is_unreadable(tmp_path: Path) -> None:
    path = image_file(tmp_path, GREY, DeflatedExplicitVRLittleEndian)
    os.truncate(path, path.stat().st_size - 20)
    assert refusal_of(path).reason is Reason.UNREADABLE


def test_a_code_stream_larger_than_its_header_says_is_refused_before_decoding(tmp_path: Path) -> None:
    encoded = imagecodecs.jpeg2k_encode(GREY, level=0, codecformat="j2k", reversible=True)
    at = encoded.index(b"\xff\x51") + 6
    swollen = encoded[:at] + struct.pack(">II", 60_000, 60_000) + encoded[at + 8 :]
    assert refusal_of(encapsulated_file(tmp_path, [swollen], GREY, JPEG2000Lossless)).reason is Reason.TOO_LARGE


def test_a_syntax_without_codec_is_named_and_never_a_black_frame(tmp_path: Path) -> None:
    path = encapsulated_file(tmp_path, [b"\xff\x0a" + bytes(50)], GREY, "1.2.840.10008.1.2.4.106")
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.106", b"1.2.840.10008.1.2.4.110"))
    found = description(path)
    assert not found.displayable
    assert found.reason == "Syntaxe non affichable : JPEG XL Lossless."
    assert refusal_of(path).reason is Reason.UNKNOWN_SYNTAX


def test_a_damaged_code_stream_is_refused_with_its_syntax(tmp_path: Path) -> None:
    path = encapsulated_file(tmp_path, [b"\xff\xd8\xff" + bytes(60)], GREY, JPEGLSLossless)
    assert refusal_of(path).reason is Reason.CODEC_FAILED


def test_what_is_no_image_says_so(tmp_path: Path) -> None:
    data = image_data(GREY)
    del data.PixelData
    assert description(save(data, tmp_path / "report.dcm")).reason == "Cet objet ne contient pas d'image."
    (tmp_path / "letter.txt").write_text("Bonjour docteur.\n" * 20)
    assert not description(tmp_path / "letter.txt").displayable
    (tmp_path / "empty").write_bytes(b"")
    assert not description(tmp_path / "empty").displayable


SEEDS = [image_data(GREY), image_data(np.dstack([GREY.astype(np.uint8)] * 3))]


@pytest.fixture(scope="module")
def well_formed(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("well-formed")
    frames = [imagecodecs.jpegls_encode(GREY + n) for n in range(2)]
    paths = [save(data, folder / f"seed{n}.dcm") for n, data in enumerate(SEEDS)]
    paths.append(encapsulated_file(folder, frames, GREY, JPEGLSLossless))
    paths.append(image_file(folder, GREY, DeflatedExplicitVRLittleEndian))
    return [path.read_bytes() for path in paths]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_no_matter_how_a_header_is_damaged_it_is_understood_or_refused(
    well_formed: list[bytes], tmp_path: Path, draw: st.DataObject
) -> None:
    content = bytearray(draw.draw(st.sampled_from(well_formed)))
    for _ in range(draw.draw(st.integers(0, 6))):
        at = draw.draw(st.integers(0, len(content) - 1))
        content[at] = draw.draw(st.integers(0, 255))
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content[: draw.draw(st.integers(0, len(content)))])
    try:
        header = header_of(path)
    except NotDisplayable:
        return
    if header.native:
        try:
            frame_of(path)
        except NotDisplayable:
            return


@pytest.mark.corpus
@needs_corpus
def test_every_malformed_file_of_the_corpus_is_shown_or_refused() -> None:
    root = corpus()
    assert root is not None
    for path in sorted((root / "malformed").iterdir()):
        reply = answer(path)
        assert isinstance(reply, Rendered | Impossible), path.name
        assert isinstance(answer(path, DescribeJob()), Described), path.name
        if isinstance(reply, Impossible):
            assert reply.refused.reason != Reason.NO_MEMORY


def test_a_codec_that_panics_is_a_codec_that_failed(tmp_path: Path) -> None:
    """A segment that unpacks to more than its plane makes the RLE decoder panic, which Python calls no Exception."""
    plane = b"\x81\x07" * 8
    too_long = plane + b"\xb6a"
    header = struct.pack("<16I", 2, 64, 64 + len(too_long), *[0] * 13)
    path = encapsulated_file(tmp_path, [header + too_long + plane], GREY, RLELossless)
    assert refusal_of(path).reason is Reason.CODEC_FAILED
