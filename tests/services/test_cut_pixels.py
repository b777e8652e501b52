"""Compressed pixels that stop before their end are flagged when they arrive, whatever brings them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from core.archive.part10 import file_meta
from core.imaging.not_displayable import NotDisplayable
from core.index.tables import Instance, Study
from core.model.received import Arrival
from core.services import Ports, Services
from core.services.cut_pixels import is_cut
from tests.people.hospital import hospital
from tests.people.images import CT_IMAGE, SCANNER, dataset, encoded, read_header
from tests.skips import corpus, needs_corpus

GREY = np.add.outer(np.arange(64) * 3, np.arange(64)).astype(np.uint8)
STREAMS = {
    JPEGBaseline8Bit: imagecodecs.jpeg8_encode(GREY, level=90),
    JPEGLosslessSV1: imagecodecs.ljpeg_encode(GREY),
    JPEGLSLossless: imagecodecs.jpegls_encode(GREY),
    JPEG2000Lossless: imagecodecs.jpeg2k_encode(GREY, level=0, codecformat="J2K", reversible=True),
}


def data_set(pixel_data: bytes, **facts: Any) -> bytes:
    ds = dataset("1.2.3.4", Rows=64, Columns=64, BitsAllocated=8, BitsStored=8, HighBit=7)
    ds.PixelData = pixel_data
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    for keyword, value in facts.items():
        setattr(ds, keyword, value)
    return encoded(ds)


def came(syntax: str, content: bytes, spooled: Path | None = None) -> Arrival:
    header = read_header(content, syntax)
    if spooled is not None:
        spooled.write_bytes(content)
        return Arrival(SCANNER, CT_IMAGE, "1.2.3.4", syntax, b"", header, spooled=str(spooled))
    return Arrival(SCANNER, CT_IMAGE, "1.2.3.4", syntax, content, header)


def flags(services: Services) -> tuple[bool, bool]:
    return Instance.get().incomplete, Study.get().incomplete


@pytest.mark.parametrize("syntax", STREAMS)
@pytest.mark.parametrize("by_file", [False, True], ids=["memory", "spooled"])
@pytest.mark.parametrize("cut", ["whole", "stream", "object"])
def test_a_cut_image_is_archived_and_flagged(tmp_path: Path, syntax: str, by_file: bool, cut: str) -> None:
    stream = STREAMS[syntax]
    content = data_set(encapsulate([stream[: len(stream) // 2] if cut == "stream" else stream]))
    content = content[: -len(stream) // 2] if cut == "object" else content
    with hospital(tmp_path) as services:
        services.ingest.store(came(syntax, content, tmp_path / "big" if by_file else None))
        assert flags(services) == (cut != "whole", cut != "whole")


def test_a_run_length_image_without_the_end_of_its_fragments_is_flagged() -> None:
    content = data_set(encapsulate([bytes(100)]))
    assert not is_cut(RLELossless, content)
    assert is_cut(RLELossless, content[:-10])


def test_an_end_that_lies_in_two_fragments_is_an_end() -> None:
    stream = STREAMS[JPEGLSLossless]
    at = stream.rindex(b"\xff\xd9") + 1
    item = b"\xfe\xff\x00\xe0"
    parts = [stream[:at], stream[at:]]
    fragments = b"".join(item + len(part).to_bytes(4, "little") + part for part in parts)
    assert not is_cut(JPEGLSLossless, fragments + b"\xfe\xff\xdd\xe0\0\0\0\0")


def test_what_follows_the_pixels_does_not_hide_their_end() -> None:
    content = data_set(encapsulate([STREAMS[JPEGLSLossless]]))
    sequence = b"\xfa\xff\xfa\xffSQ\0\0\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0"
    assert not is_cut(JPEGLSLossless, content + sequence + bytes(3000))


def test_a_cut_file_that_a_start_finds_is_flagged_too(tmp_path: Path) -> None:
    stream = STREAMS[JPEGLSLossless]
    content = data_set(encapsulate([stream[: len(stream) // 2]]))
    with hospital(tmp_path, ports=Ports(read_header=read_header)) as services:
        archive = services.kit.archive
        meta = file_meta(CT_IMAGE, "1.2.3.4", JPEGLSLossless, "SCANNER1")
        archive.store(archive.folder_of("1.2.3", services.today()), [meta, content])
        assert services.recover().adopted == 1
        assert flags(services) == (True, True)


@needs_corpus
def test_no_whole_image_of_the_corpus_is_taken_for_a_cut_one() -> None:
    from core.services.cut_pixels import FRAGMENTED, tail_of
    from tests.imaging.files import header_of

    root = corpus()
    assert root is not None
    seen = 0
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.parent.name != "malformed"):
        try:
            header = header_of(path)
        except NotDisplayable:  # no image at all
            continue
        if header.syntax in FRAGMENTED:
            seen += 1
            assert is_cut(header.syntax, tail_of(path)) is (header.whole_frames < header.frames), path
    assert seen > 20
