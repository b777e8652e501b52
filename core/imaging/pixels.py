"""One frame of a file as clean stored values: no unused bits, native byte order, colour as RGB.

Source: PS3.5 8.1.1 and 8.2 (native encoding), PS3.3 C.7.6.3.1 (photometric interpretations).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from core.imaging import attributes
from core.imaging.codecs import DECODABLE, decode_frame, syntax_name
from core.imaging.header import Header
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.source import Source

Array = np.ndarray[Any, np.dtype[Any]]
LEAST_SHOWN_MISSING = 16
"""Of a picture that is not whole, at least one row in so many is drawn as missing."""
LAST_BYTES = 256


@dataclass(frozen=True)
class Frame:
    """Decoded pixels.

    samples: (rows, columns) of stored values, before rescale; or (rows, columns, 3) of uint8 RGB.
    missing_rows: how many rows at the bottom are not in the file, or cannot be told from those that are not.
    """

    samples: Array = field(repr=False)
    missing_rows: int = 0
    sign_corrected: bool = False

    @property
    def colour(self) -> bool:
        return self.samples.ndim == 3


def decode(source: Source, header: Header, index: int) -> Frame:
    """Frame `index` (from 0) of the file. Raises `NotDisplayable` when there is none to show."""
    if not 0 <= index < header.frames:
        raise NotDisplayable(Reason.NO_SUCH_FRAME, wanted=index + 1, frames=header.frames)
    refuse_what_has_no_decoder(header)
    frame = _native(source, header, index) if header.native else _encapsulated(source, header, index)
    if header.photometric == "PALETTE COLOR":
        return Frame(_palette(frame.samples, header), frame.missing_rows)
    if frame.colour and frame.samples.dtype != np.uint8:
        return Frame(_eight_bits(frame.samples, header), frame.missing_rows)
    return frame


def refuse_what_has_no_decoder(header: Header) -> None:
    """Every refusal that the header alone justifies."""
    if header.fragments is None:
        return
    if header.syntax not in DECODABLE:
        raise NotDisplayable(Reason.UNKNOWN_SYNTAX, syntax=syntax_name(header.syntax))
    if header.fragments.items and not header.fragments.first_items(header.frames):
        raise NotDisplayable(Reason.MIXED_FRAMES, frames=header.frames)


def _encapsulated(source: Source, header: Header, index: int) -> Frame:
    assert header.fragments is not None
    pieces = header.fragments.of_frame(index, header.frames)
    if not pieces:
        raise NotDisplayable(Reason.TRUNCATED, whole=header.whole_frames, frames=header.frames)
    encoded = b"".join(source.at(offset, length) for offset, length in pieces)
    found = decode_frame(encoded, header)
    if found.damaged or index in header.cut or not whole_to_the_end(header, index):
        return Frame(found.samples, _doubtful_rows(encoded, header, found.samples), found.sign_corrected)
    return Frame(found.samples, sign_corrected=found.sign_corrected)


def whole_to_the_end(header: Header, index: int) -> bool:
    """Every fragment of an encapsulated frame is in the file: the last one of a cut file may not be."""
    assert header.fragments is not None
    return not header.fragments.truncated or index + 1 < len(header.fragments.first_items(header.frames))


def _doubtful_rows(encoded: bytes, header: Header, samples: Array) -> int:
    """Rows at the bottom that a decoder made up: they change when the stream stops a little sooner.

    Never none: a picture that is not whole must not look as if it were.
    """
    least = -(-len(samples) // LEAST_SHOWN_MISSING)
    try:
        sooner = decode_frame(encoded[:-LAST_BYTES], header).samples
    except NotDisplayable:
        return least
    changed = np.flatnonzero((samples != sooner).reshape(len(samples), -1).any(axis=1))
    return max(least, len(samples) - int(changed[0])) if len(changed) else least


def _native(source: Source, header: Header, index: int) -> Frame:
    first_bit = header.frame_bits * index
    first, last = first_bit // 8, (first_bit + header.frame_bits + 7) // 8
    wanted = last - first
    present = max(0, min(wanted, header.length - first))
    if not _row_bytes(header) <= present:
        raise NotDisplayable(Reason.TRUNCATED, whole=header.whole_frames, frames=header.frames)
    raw = source.at(header.offset + first, present)
    present = len(raw)
    missing = wanted - present
    if missing:
        raw += bytes(missing)
    missing_rows = -(-missing * header.rows // wanted) if missing else 0
    return Frame(_shaped(raw, header, first_bit % 8), missing_rows)


def _row_bytes(header: Header) -> int:
    """Less than one row of a frame is no picture."""
    return max(1, header.frame_bits // header.rows // 8)


def _shaped(raw: bytes, header: Header, bit: int) -> Array:
    count = header.rows * header.columns
    if header.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
        return bits[bit : bit + count].reshape(header.rows, header.columns)
    samples = _values(raw, header)
    if header.samples == 1:
        return samples.reshape(header.rows, header.columns)
    return _colour(samples, header)


def _values(raw: bytes, header: Header) -> Array:
    order = ">" if header.big_endian else "<"
    if header.element != "PixelData":
        return np.frombuffer(raw, f"{order}f{header.bits_allocated // 8}").astype(f"f{header.bits_allocated // 8}")
    kind = "i" if header.signed else "u"
    if header.bits_allocated == 8 and header.big_endian and header.words:
        raw = np.frombuffer(raw + bytes(len(raw) % 2), "u2").byteswap().tobytes()[: len(raw)]
    stored = np.frombuffer(raw, f"{order}{kind}{header.bits_allocated // 8}")
    return _clean(stored.astype(stored.dtype.newbyteorder("="), copy=False), header)


def _clean(stored: Array, header: Header) -> Array:
    """Without the bits outside Bits Stored (overlays of old machines), the sign extended. Source: PS3.5 8.1.1."""
    above = header.bits_allocated - 1 - header.high_bit
    below = header.high_bit + 1 - header.bits_stored
    if not above and not below:
        return stored
    return np.right_shift(np.left_shift(stored, above), above + below)


def _colour(samples: Array, header: Header) -> Array:
    count = header.rows * header.columns
    if header.photometric == "YBR_FULL_422":
        quads = samples[: count * 2].reshape(-1, 4)
        pairs = np.empty((len(quads), 2, 3), samples.dtype)
        pairs[:, 0, 0], pairs[:, 1, 0] = quads[:, 0], quads[:, 1]
        pairs[:, :, 1:] = quads[:, None, 2:]
        frame = pairs.reshape(header.rows, header.columns, 3)
    elif attributes.whole(header.data, "PlanarConfiguration") == 1:
        frame = np.moveaxis(samples.reshape(3, header.rows, header.columns), 0, -1)
    else:
        frame = samples.reshape(header.rows, header.columns, 3)
    if header.photometric.startswith("YBR_FULL"):
        frame = _eight_bits(frame, header)
        return np.asarray(convert_color_space(frame, "YBR_FULL", "RGB"))
    return frame


def _eight_bits(samples: Array, header: Header) -> Array:
    return np.right_shift(samples, max(0, header.bits_stored - 8)).astype(np.uint8)


def _palette(indexes: Array, header: Header) -> Array:
    """The colours of a palette image as uint8 RGB. Source: PS3.3 C.7.6.3.1.5, C.7.9."""
    try:
        colours = np.asarray(apply_color_lut(np.ascontiguousarray(indexes), header.data))
    except Exception as error:  # pydicom raises several kinds on a damaged palette
        raise NotDisplayable(Reason.BAD_HEADER, field="PaletteColorLookupTable") from error
    return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours.astype(np.uint8)
