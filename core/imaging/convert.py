"""A stored data set in an uncompressed transfer syntax, for a machine that does not take the one it is stored in.

Nothing is lost on the way: what is lossless is decoded exactly, what was lossy says so, what is cut short or cannot be
decoded is refused. Source: PS3.5 A.1 to A.4 (encodings), PS3.3 C.7.6.1.1.5 (Lossy Image Compression).
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from core.imaging.codecs import LOSSY, DecodedStream, decode_frame, syntax_name
from core.imaging.header import PIXEL_ELEMENTS, UNDEFINED, Header, pixel_element, read_header
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.part10 import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from core.imaging.pixels import refuse_what_has_no_decoder
from core.imaging.source import Source

MAX_CONVERTED: Final = 512 * 1024 * 1024
"""Of the pixel data of one object: it is held in shared memory until it is sent."""
TARGETS: Final = frozenset({EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE})
_PIECE: Final = 1 << 20
_NOT_REVERSIBLE: Final = LOSSY | {"1.2.840.10008.1.2.4.203"}
_ONLY_COMPRESSED: Final = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "IconImageSequence")
Write = Callable[[bytes], object]


def convert(source: Source, target: str) -> int:
    """A descriptor of anonymous memory that holds the data set in `target`. Raises `NotDisplayable`."""
    if target not in TARGETS:
        raise NotDisplayable(Reason.UNKNOWN_SYNTAX, syntax=syntax_name(target))
    memory = os.memfd_create("yelen-converted", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _convert(source, target, lambda data: _write(memory, data))
    except BaseException:
        os.close(memory)
        raise
    return memory


def _write(memory: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(memory, view) :]


def _convert(source: Source, target: str, write: Write) -> None:
    data, at = _read(source, source.offset)
    if at >= source.size:
        write(_encoded(data, target))
        return
    keyword, words, offset, length = pixel_element(source, at)
    if length == UNDEFINED:
        header = read_header(source)
        refuse_what_has_no_decoder(header)
        _decompressed(source, header, data, target, write)
        after = _after_fragments(source, header)
    else:
        if length > source.size - offset:
            raise NotDisplayable(Reason.TRUNCATED, whole=0, frames=int(data.get("NumberOfFrames") or 1))
        _room(length)
        write(_encoded(data, target))
        write(_pixel_head(keyword, words, length, target))
        unit = _unit(keyword, words, data) if (source.encoding == EXPLICIT_BE) != (target == EXPLICIT_BE) else 1
        for start in range(0, length, _PIECE):
            piece = source.at(offset + start, min(_PIECE, length - start))
            write(np.frombuffer(piece, f"u{unit}").byteswap().tobytes() if unit > 1 else piece)
        after = offset + length
    if after < source.size:
        write(_encoded(_read(source, after)[0], target))


def _read(source: Source, at: int) -> tuple[Dataset, int]:
    """The elements from `at` to the pixel data or the end, and where they stop."""
    source.file.seek(at)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = read_dataset(
                source.file,
                is_implicit_VR=source.encoding == IMPLICIT_LE,
                is_little_endian=source.encoding != EXPLICIT_BE,
                stop_when=lambda tag, vr, length: tag.group == 0x7FE0 and tag.element in PIXEL_ELEMENTS,
            )
        except MemoryError:
            raise
        except Exception as error:  # pydicom raises a dozen kinds on hostile bytes
            raise NotDisplayable(Reason.UNREADABLE) from error
    return data, source.file.tell()


def _encoded(data: Dataset, target: str) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = target == IMPLICIT_LE, target != EXPLICIT_BE
    tags = list(data.keys())
    for tag in tags:
        if tag.element == 0:  # a group length is no longer true
            del data[tag]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            write_dataset(out, data)
        except MemoryError:
            raise
        except Exception as error:  # a value that the other encoding cannot hold
            raise NotDisplayable(Reason.UNREADABLE) from error
    return out.getvalue()


def _pixel_head(keyword: str, words: bool, length: int, target: str) -> bytes:
    order = ">" if target == EXPLICIT_BE else "<"
    element = next(number for number, name in PIXEL_ELEMENTS.items() if name == keyword)
    name = struct.pack(order + "HH", 0x7FE0, element)
    if target == IMPLICIT_LE:
        return name + struct.pack(order + "I", length)
    vr = {"FloatPixelData": b"OF", "DoubleFloatPixelData": b"OD"}.get(keyword, b"OW" if words else b"OB")
    return name + vr + struct.pack(order + "HI", 0, length)


def _unit(keyword: str, words: bool, data: Dataset) -> int:
    """Bytes that change places together between little and big endian."""
    if keyword != "PixelData":
        return 4 if keyword == "FloatPixelData" else 8
    return max(2, int(data.get("BitsAllocated") or 16) // 8) if words else 1


def _decompressed(source: Source, header: Header, data: Dataset, target: str, write: Write) -> None:
    """The header that says what the samples now are, then every frame."""
    if header.whole_frames < header.frames or header.bits_allocated < 8:
        raise NotDisplayable(Reason.TRUNCATED, whole=header.whole_frames, frames=header.frames)
    size = header.rows * header.columns * header.samples * header.bits_allocated // 8
    _room(size * header.frames)
    # Only the reversible transforms of JPEG 2000 may be undone without a loss.
    exact = header.photometric in ("YBR_FULL", "YBR_FULL_422") and header.syntax not in _NOT_REVERSIBLE
    first = _frame(source, header, 0, exact)
    corrected = first.sign_corrected
    for keyword in _ONLY_COMPRESSED:
        if keyword in data:
            del data[keyword]
    if header.samples == 3:
        data.PhotometricInterpretation = "YBR_FULL" if exact else "RGB"
        data.PlanarConfiguration = 0
    if corrected:
        data.PixelRepresentation = 1
    if header.syntax in LOSSY and data.get("LossyImageCompression") != "01":
        data.LossyImageCompression = "01"
    write(_encoded(data, target))
    whole = size * header.frames
    words = header.bits_allocated > 8 or target == IMPLICIT_LE
    write(_pixel_head("PixelData", words, whole + whole % 2, target))
    order, kind = ">" if target == EXPLICIT_BE else "<", "i" if header.signed or corrected else "u"
    form = f"{order}{kind}{header.bits_allocated // 8}"
    for index in range(header.frames):
        stream = _frame(source, header, index, exact) if index else first
        samples = stream.samples
        wide = samples.dtype.itemsize > header.bits_allocated // 8 or samples.dtype.kind == "f"
        if wide or stream.sign_corrected != corrected:
            raise NotDisplayable(Reason.BAD_HEADER, field="BitsAllocated")
        raw = np.ascontiguousarray(samples).astype(form).tobytes()
        if len(raw) != size:
            raise NotDisplayable(Reason.BAD_HEADER, field="PixelData")
        write(raw)
    write(bytes(whole % 2))


def _frame(source: Source, header: Header, index: int, exact: bool) -> DecodedStream:
    """Raises `NotDisplayable` for a damaged frame too: what a decoder made up is not sent to anybody."""
    assert header.fragments is not None
    pieces = header.fragments.of_frame(index, header.frames)
    stream = decode_frame(b"".join(source.at(offset, length) for offset, length in pieces), header, raw=exact)
    if stream.damaged:
        raise NotDisplayable(Reason.CODEC_FAILED, syntax=syntax_name(header.syntax))
    return stream


def _after_fragments(source: Source, header: Header) -> int:
    """Where the elements after encapsulated pixel data begin."""
    assert header.fragments is not None
    offset, length = header.fragments.items[-1]
    return offset + length + 8


def _room(size: int) -> None:
    if size > MAX_CONVERTED:
        raise NotDisplayable(Reason.NO_MEMORY)
