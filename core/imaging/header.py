"""What the pixel data of one file is: every size checked here, before anybody allocates.

Source: PS3.3 C.7.6.3 (Image Pixel), C.7.6.6 (multi-frame), C.7.6.16 (functional groups).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Literal

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag

from core.imaging import attributes
from core.imaging.fragments import Fragments, cut_frames, walk_fragments
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.part10 import EXPLICIT_BE, IMPLICIT_LE, NATIVE, RLE
from core.imaging.source import Source

MAX_SIDE = 65_535
MAX_SAMPLES = 128 * 1024 * 1024
"""Samples of one frame; 11,000 x 11,000 grey pixels."""
MAX_FRAMES = 1_000_000
UNDEFINED = 0xFFFFFFFF

_WANTED = [
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "BodyPartExamined",
    "SeriesDescription", "StudyDescription", "ProtocolName", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "SequenceOfUltrasoundRegions", "SamplesPerPixel",
    "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "PixelSpacing",
    "PixelAspectRatio", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "ModalityLUTSequence", "VOILUTSequence", "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
]  # fmt: skip
_WANTED_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in _WANTED]
PIXEL_ELEMENTS = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}


@dataclass(frozen=True)
class Header:
    """The shape of the pixel data, and the data set it was read from (without the pixels)."""

    data: Dataset = field(repr=False)
    syntax: str
    big_endian: bool
    element: str
    """`PixelData`, `FloatPixelData` or `DoubleFloatPixelData`."""
    words: bool
    """Written as 16-bit words (OW), which big endian swaps even when a sample is a byte."""
    offset: int
    length: int
    """Bytes of native pixel data that are in the file; 0 when encapsulated."""
    fragments: Fragments | None
    cut: frozenset[int]
    """Frames (from 0) whose code stream stops before its end."""
    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str

    @property
    def native(self) -> bool:
        return self.fragments is None

    @property
    def frame_bits(self) -> int:
        """Bits of one native frame; 4:2:2 stores two samples a pixel (PS3.3 C.7.6.3.1.2)."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def whole_frames(self) -> int:
        """Frames of which every byte is in the file."""
        if self.fragments is not None:
            whole = min(self.frames, self.fragments.whole_frames(self.frames))
            return whole - sum(index < whole for index in self.cut)
        return min(self.frames, self.length * 8 // self.frame_bits)


def read_header(source: Source) -> Header:
    """The header of an image file. Raises `NotDisplayable` for what is no image or does not hold together."""
    source.file.seek(source.offset)
    data = _read_data(source)
    at = source.file.tell()
    element, words, offset, length = pixel_element(source, at)
    shape = _shape(data, element)
    fragments, cut = None, frozenset[int]()
    if length == UNDEFINED:
        if source.syntax in NATIVE:
            raise NotDisplayable(Reason.BAD_HEADER, field="PixelData")
        fragments = walk_fragments(source, offset, data)
        if source.syntax != RLE:  # the one syntax without markers; its decoders refuse what is short
            cut = cut_frames(source, fragments, shape["frames"])
        length = 0
    elif source.syntax not in NATIVE:
        raise NotDisplayable(Reason.BAD_HEADER, field="PixelData")
    return Header(
        data=data,
        syntax=source.syntax,
        big_endian=source.encoding == EXPLICIT_BE,
        element=element,
        words=words,
        offset=offset,
        length=max(0, min(length, source.size - offset)),
        fragments=fragments,
        cut=cut,
        **shape,
    )


def _read_data(source: Source) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_dataset(
                source.file,
                is_implicit_VR=source.encoding == IMPLICIT_LE,
                is_little_endian=source.encoding != EXPLICIT_BE,
                stop_when=lambda tag, vr, length: tag.group == 0x7FE0 and tag.element in PIXEL_ELEMENTS,
                specific_tags=_WANTED_TAGS,
            )
        except MemoryError:
            raise
        except Exception as error:  # pydicom raises a dozen kinds on hostile bytes, RecursionError among them
            raise NotDisplayable(Reason.UNREADABLE) from error


def pixel_element(source: Source, at: int) -> tuple[str, bool, int, int]:
    """Keyword, whether OW, offset of the value, declared length. Reading stopped at the tag, or at the end of file.

    Raises `NotDisplayable` when there are no pixels.
    """
    order: Literal["big", "little"] = "big" if source.encoding == EXPLICIT_BE else "little"
    head = source.at(at, 12)
    if len(head) < 8 or int.from_bytes(head[:2], order) != 0x7FE0:
        raise NotDisplayable(Reason.NO_PIXELS)
    element = PIXEL_ELEMENTS.get(int.from_bytes(head[2:4], order), "PixelData")
    if head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN"):
        return element, head[4:6] == b"OW", at + 12, int.from_bytes(head[8:12], order)
    return element, True, at + 8, int.from_bytes(head[4:8], order)


def _shape(data: Dataset, element: str) -> dict[str, Any]:
    rows, columns = _within(data, "Rows", 1, MAX_SIDE), _within(data, "Columns", 1, MAX_SIDE)
    samples = _within(data, "SamplesPerPixel", 1, 4, absent=1)
    if rows * columns * samples > MAX_SAMPLES:
        raise NotDisplayable(Reason.TOO_LARGE, rows=rows, columns=columns)
    allocated = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(element) or _within(data, "BitsAllocated", 1, 64)
    if allocated not in (1, 8, 16, 32, 64):
        raise NotDisplayable(Reason.BAD_HEADER, field=f"BitsAllocated = {allocated}")
    stored = _within(data, "BitsStored", 1, allocated, absent=allocated)
    photometric = attributes.text(data, "PhotometricInterpretation").upper()
    colour = photometric in ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
    if colour != (samples == 3) or photometric not in _PHOTOMETRIC:
        raise NotDisplayable(Reason.BAD_HEADER, field=f"PhotometricInterpretation = {photometric[:16] or '?'}")
    return {
        "rows": rows,
        "columns": columns,
        "frames": _within(data, "NumberOfFrames", 1, MAX_FRAMES, absent=1),
        "samples": samples,
        "bits_allocated": allocated,
        "bits_stored": stored,
        "high_bit": _within(data, "HighBit", stored - 1, allocated - 1, absent=stored - 1),
        "signed": attributes.whole(data, "PixelRepresentation") == 1,
        "photometric": photometric,
    }


_PHOTOMETRIC = frozenset(
    {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}
)


def _within(data: Dataset, keyword: str, least: int, most: int, absent: int | None = None) -> int:
    """The attribute as a whole number in its range; `absent` when it is not there at all."""
    if absent is not None and (keyword not in data or attributes.is_empty(data, keyword)):
        return absent
    found = attributes.whole(data, keyword)
    if found is None or not least <= found <= most:
        raise NotDisplayable(Reason.BAD_HEADER, field=keyword)
    return found
