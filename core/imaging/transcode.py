"""An uncompressed image as a lossless one, and the proof that nothing was lost, in the worker process.

The new file is written, then read like any other: every sample of every frame is decoded and compared with the word
that stood in the original, and every other element with its bytes. What differs in anything stays as it was received.

Source: PS3.5 8.2.3 and A.4.3 (JPEG-LS), 8.2.4 and A.4.4 (JPEG 2000), A.4 (encapsulation).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from core.imaging import attributes
from core.imaging.codecs import decode_again
from core.imaging.elements import Unwalkable, elements, encode, explicit, flat
from core.imaging.header import Header, read_header
from core.imaging.not_displayable import NotDisplayable
from core.imaging.part10 import EXPLICIT_LE, IMPLICIT_LE
from core.imaging.pixels import decode
from core.imaging.source import Source
from core.imaging.wire import Kept, Transcoded

Array = np.ndarray[Any, np.dtype[Any]]

JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
MAX_ASIDE = 64 * 1024 * 1024
"""Bytes of everything but the pixels."""
MAX_OFFSET = 0xFFFF_FFFF
LEAST_GAIN = 0.95
PHOTOMETRIC, PLANAR, PIXEL_DATA = 0x00280004, 0x00280006, 0x7FE00010
SIGNATURES = frozenset({0x4FFE0001, 0xFFFAFFFA})
"""MAC parameters and digital signatures (PS3.3 C.12.1.1.3): they sign the bytes as they are."""


class Untouched(Exception):
    """Why an image stays as it was received, in one English word or two."""


def target_of(header: Header) -> str:
    """The lossless syntax of an image. Raises `Untouched` for every other object."""
    if header.syntax not in (IMPLICIT_LE, EXPLICIT_LE) or not header.native:
        raise Untouched("syntax")
    if header.element != "PixelData" or header.bits_allocated not in (8, 16):
        raise Untouched("bits")
    if attributes.text(header.data, "SOPClassUID") == RT_DOSE or attributes.text(header.data, "Modality") == "RTDOSE":
        raise Untouched("dose")
    if header.high_bit != header.bits_stored - 1:
        raise Untouched("bits")
    if header.samples == 1 and header.photometric in ("MONOCHROME1", "MONOCHROME2") and header.bits_stored >= 2:
        return JPEG_LS_LOSSLESS
    if header.photometric == "RGB" and header.bits_stored == 8 == header.bits_allocated and not header.signed:
        return JPEG_2000_LOSSLESS
    raise Untouched("photometric")


def transcode(source: Source, header: Header, heads: dict[str, bytes], out: int) -> Transcoded | Kept:
    """Write the whole new file through `out`, and prove it. heads: its preamble and file meta, by transfer syntax."""
    try:
        syntax = target_of(header)
        aside = _Aside(source, header, syntax)
        os.ftruncate(out, 0)  # a worker before this one may have died on it
        os.lseek(out, 0, os.SEEK_SET)
        size = _write(source, header, aside, heads[syntax], out)
        if size > LEAST_GAIN * source.size:
            raise Untouched("no gain")
        _prove(source, header, aside, out)
    except Untouched as kept:
        return Kept(str(kept))
    except (Unwalkable, NotDisplayable) as refused:
        return Kept(f"{type(refused).__name__}: {refused}")
    except OSError as fault:
        return Kept(f"disk: {fault.strerror}")
    return Transcoded(syntax, size)


class _Aside:
    """Everything of the data set but the pixels: before and behind them, as it was and as it will be."""

    def __init__(self, source: Source, header: Header, syntax: str) -> None:
        self.implicit = source.encoding == IMPLICIT_LE
        at = _pixel_element_start(source, header)
        declared = int.from_bytes(source.at(header.offset - 4, 4), "little")
        exact = header.frame_bits // 8 * header.frames
        if header.length != declared or declared not in (exact, exact + exact % 2):
            raise Untouched("length")
        behind = header.offset + declared
        if at - source.offset > MAX_ASIDE or source.size - behind > MAX_ASIDE:
            raise Untouched("size")
        self.before = memoryview(source.at(source.offset, at - source.offset))
        self.behind = memoryview(source.at(behind, source.size - behind))
        self.changed = {PHOTOMETRIC: b"YBR_RCT ", PLANAR: b"\0\0"} if syntax == JPEG_2000_LOSSLESS else {}
        self.signed = header.signed

    def written(self, part: memoryview) -> bytes:
        """In explicit VR, without group lengths (retired, and no longer true), with what the new syntax changes."""
        return b"".join(self._one(part, element) for element in elements(part, self.implicit))

    def _one(self, part: memoryview, element: Any) -> bytes:
        if element.tag in SIGNATURES:
            raise Untouched("signature")
        if element.tag & 0xFFFF == 0:
            return b""
        if (value := self.changed.get(element.tag)) is not None:
            return encode(element.tag, {PHOTOMETRIC: b"CS", PLANAR: b"US"}[element.tag], value)
        return explicit(part, self.implicit, element, self.signed)

    def same(self, part: memoryview, written: memoryview) -> bool:
        """Every element has its bytes, in its order, but for those that the syntax changes."""
        return list(self._kept(flat(part, self.implicit))) == list(self._kept(flat(written, False)))

    def _kept(self, found: Iterator[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, bytes]]:
        for depth, tag, value in found:
            if depth or (tag not in self.changed and tag & 0xFFFF):
                yield depth, tag, value


def _pixel_element_start(source: Source, header: Header) -> int:
    """Where the element of the pixels begins: its head is 8 bytes long, or 12 in explicit VR."""
    start = header.offset - (8 if source.encoding == IMPLICIT_LE else 12)
    if source.at(start, 4) != b"\xe0\x7f\x10\x00":
        raise Untouched("pixel element")
    return start


def _write(source: Source, header: Header, aside: _Aside, head: bytes, out: int) -> int:
    """The new file; its size. The offset table is filled in when every frame has its place."""
    with os.fdopen(os.dup(out), "wb") as file:
        file.write(head)
        file.write(aside.written(aside.before))
        file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
        table_at = file.tell() + 8
        has_table = header.frame_bits // 8 * header.frames + 16 * header.frames < MAX_OFFSET // 2
        file.write(struct.pack("<HHI", 0xFFFE, 0xE000, 4 * header.frames if has_table else 0))
        file.write(bytes(4 * header.frames if has_table else 0))
        first, offsets = file.tell(), []
        for index in range(header.frames):
            offsets.append(file.tell() - first)
            stream = _stream(_words(source, header, index), header)
            file.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(stream)) + stream)
        file.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
        file.write(aside.written(aside.behind))
        size = file.tell()
        if has_table:
            file.seek(table_at)
            file.write(struct.pack(f"<{len(offsets)}I", *offsets))
    return size


def _words(source: Source, header: Header, index: int) -> Array:
    """The stored words of a frame as they lie in the file, unused bits and all: (rows, columns), or by pixel in RGB."""
    size = header.frame_bits // 8
    raw = source.at(header.offset + size * index, size)
    if len(raw) != size:
        raise Untouched("length")
    words = np.frombuffer(raw, f"<{'i' if header.signed else 'u'}{header.bits_allocated // 8}")
    if header.samples == 1:
        return words.reshape(header.rows, header.columns)
    if attributes.whole(header.data, "PlanarConfiguration") == 1:
        return np.ascontiguousarray(np.moveaxis(words.reshape(3, header.rows, header.columns), 0, -1))
    return words.reshape(header.rows, header.columns, 3)


def _stream(words: Array, header: Header) -> bytes:
    """An even number of bytes. Raises `Untouched` when the encoder cannot: noise does not get smaller."""
    try:
        stream = _encoded(words, header)
    except (MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as fault:  # codecs raise what they like
        raise Untouched(f"encoder: {fault}") from fault
    return stream + b"\0" * (len(stream) % 2)


def _encoded(words: Array, header: Header) -> bytes:
    if header.samples == 3:
        import imagecodecs

        return bytes(
            imagecodecs.jpeg2k_encode(words, level=0, codecformat="J2K", reversible=True, mct=True, numthreads=1)
        )
    from jpeg_ls import encode_buffer  # type: ignore[attr-defined]

    mask = (1 << header.bits_stored) - 1
    bits = words.view(f"<u{words.dtype.itemsize}") & mask
    narrow = bits.astype(np.uint8) if header.bits_stored <= 8 else bits
    return bytes(encode_buffer(narrow.tobytes(), header.rows, header.columns, 1, header.bits_stored))


def _prove(source: Source, header: Header, aside: _Aside, out: int) -> None:
    """Raises `Untouched` unless the new file says everything that the old one says."""
    made = Source(out)
    new = read_header(made)
    shape = ("rows", "columns", "frames", "samples", "bits_allocated", "bits_stored", "high_bit", "signed")
    if any(getattr(header, each) != getattr(new, each) for each in shape) or new.whole_frames != new.frames:
        raise Untouched("header differs")
    before = memoryview(made.at(made.offset, new.offset - 12 - made.offset))
    assert new.fragments is not None
    last_at, last = new.fragments.items[-1]
    behind = memoryview(made.at(last_at + last + 8, made.size))
    if not (aside.same(aside.before, before) and aside.same(aside.behind, behind)):
        raise Untouched("data set differs")
    for index in range(header.frames):
        words = _words(source, header, index)
        frame = decode(made, new, index)
        if frame.missing_rows or not np.array_equal(words, frame.samples):
            raise Untouched("samples differ")
        pieces = new.fragments.of_frame(index, new.frames)
        again = decode_again(b"".join(made.at(offset, length) for offset, length in pieces), new)
        if again is not None and not np.array_equal(words, again):
            raise Untouched("samples differ")
