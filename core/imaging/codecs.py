"""One compressed frame into stored values: two families of decoders, the faster first, the other where it fails.

Runs only in the worker process: a codec may crash, and some input makes it.

Source: PS3.5 A.4 and 8.2 (which code stream belongs to which transfer syntax).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import get_j2k_parameters
from pydicom.uid import UID
from simplejpeg import decode_jpeg  # type: ignore[attr-defined]

from core.imaging.codestream import code_stream_size
from core.imaging.header import MAX_SAMPLES, Header
from core.imaging.not_displayable import NotDisplayable, Reason

log = logging.getLogger(__name__)

Array = np.ndarray[Any, np.dtype[Any]]

_PREFIX = "1.2.840.10008.1.2"
JPEG_8 = f"{_PREFIX}.4.50"
RLE = f"{_PREFIX}.5"
JPEG = frozenset(f"{_PREFIX}.4.{n}" for n in (50, 51, 57, 70))
JPEG_LS = frozenset(f"{_PREFIX}.4.{n}" for n in (80, 81))
JPEG_2000 = frozenset(f"{_PREFIX}.4.{n}" for n in (90, 91, 201, 202, 203))
JPEG_LOSSLESS = frozenset(f"{_PREFIX}.4.{n}" for n in (57, 70))
FASTER_IN_IMAGECODECS = JPEG_LS | JPEG_LOSSLESS
"""A fourth of the time on a large radiograph, with the same values."""
DECODABLE = JPEG | JPEG_LS | JPEG_2000 | {RLE}
LOSSY = frozenset(f"{_PREFIX}.4.{n}" for n in (50, 51, 81, 91))
"""Syntaxes that may have lost something; .91 and .203 may also be reversible, which only the header says."""


_NEW_NAMES = {
    f"{_PREFIX}.4.110": "JPEG XL Lossless",
    f"{_PREFIX}.4.111": "JPEG XL JPEG Recompression",
    f"{_PREFIX}.4.112": "JPEG XL",
}
"""Names that pydicom does not know yet. Source: PS3.6 A."""


def syntax_name(syntax: str) -> str:
    """The name of a transfer syntax as the standard prints it, else its UID."""
    return _NEW_NAMES.get(syntax) or UID(syntax).name or "?"


@dataclass(frozen=True)
class DecodedStream:
    """samples: stored values, (rows, columns) or (rows, columns, 3) in RGB. damaged: some are lost, a decoder says."""

    samples: Array = field(repr=False)
    sign_corrected: bool
    damaged: bool


def decode_frame(encoded: bytes, header: Header, raw: bool = False) -> DecodedStream:
    """Stored values of one frame.

    raw: colour stays in the colour space of the code stream.

    Raises `NotDisplayable` when the syntax has no decoder here, or every decoder fails.
    """
    if header.syntax not in DECODABLE:
        raise NotDisplayable(Reason.UNKNOWN_SYNTAX, syntax=syntax_name(header.syntax))
    _refuse_oversize(encoded, header)
    signed = _sign(encoded, header)
    faults: list[str] = []
    fast = header.samples == 1 and header.syntax in FASTER_IN_IMAGECODECS
    pydicoms = _pydicom_raw if raw else _pydicom
    for decoder in (_imagecodecs, pydicoms) if fast else (pydicoms, _imagecodecs):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame = decoder(encoded, header, signed)
        except (MemoryError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as fault:  # codecs raise what they like, Rust panics among it; the next one may do better
            faults.append(f"{decoder.__name__}: {fault!r}")
            continue
        if frame.shape[:2] == (header.rows, header.columns):
            return DecodedStream(frame, signed != header.signed, _is_damaged(encoded, header, bool(faults)))
        faults.append(f"{decoder.__name__}: {frame.shape} instead of {header.rows} x {header.columns}")
    log.warning("no decoder for a frame of %s: %s", syntax_name(header.syntax), "; ".join(faults))
    raise NotDisplayable(Reason.CODEC_FAILED, syntax=syntax_name(header.syntax))


def decode_again(encoded: bytes, header: Header) -> Array | None:
    """The same frame by the other family of decoders, as a second opinion; None where there is but one."""
    if header.syntax not in JPEG_LS or header.samples != 1:
        return None
    return _pydicom(encoded, header, header.signed)


def _is_damaged(encoded: bytes, header: Header, second_choice: bool) -> bool:
    """The lenient decoders make something up where the strict ones refuse. JPEG Lossless has no strict one."""
    if header.syntax in JPEG_LS:
        return second_choice
    return header.syntax == JPEG_8 and _stops_short(encoded)


def _stops_short(encoded: bytes) -> bool:
    try:
        decode_jpeg(encoded, colorspace="GRAY")
    except ValueError as fault:
        return "remature end" in str(fault)  # the other complaints lose nothing
    return False


def _refuse_oversize(encoded: bytes, header: Header) -> None:
    """A code stream that announces another matrix than the header's would be decoded at its own size."""
    size = code_stream_size(encoded)
    if size is not None and size[0] * size[1] > min(MAX_SAMPLES, 4 * header.rows * header.columns + 65_536):
        raise NotDisplayable(Reason.TOO_LARGE, columns=size[0], rows=size[1])


def _sign(encoded: bytes, header: Header) -> bool:
    """Whether the values are signed. A JPEG 2000 stream that says signed is believed against the header."""
    if header.syntax in JPEG_2000 and header.samples == 1:
        return header.signed or bool(get_j2k_parameters(encoded).get("is_signed", False))
    return header.signed


def _pydicom_raw(encoded: bytes, header: Header, signed: bool) -> Array:
    return _pydicom(encoded, header, signed, raw=True)


def _pydicom(encoded: bytes, header: Header, signed: bool, raw: bool = False) -> Array:
    options: dict[str, Any] = {
        "raw": raw,
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": 1,
        "samples_per_pixel": header.samples,
        "photometric_interpretation": header.photometric,
        "pixel_representation": int(signed),
        "bits_allocated": max(8, header.bits_allocated),
        "bits_stored": header.bits_stored,
    }
    if header.samples > 1:
        options["planar_configuration"] = int(header.data.get("PlanarConfiguration") or 0)
    frame, _ = get_decoder(header.syntax).as_array(encapsulate([encoded]), index=0, **options)
    return np.asarray(frame)


def _imagecodecs(encoded: bytes, header: Header, signed: bool) -> Array:
    """Grey only: the colour transform inside a code stream is pydicom's business."""
    import imagecodecs

    if header.samples != 1:
        raise ValueError("colour")
    if header.syntax in JPEG_2000:
        decoder: Callable[[bytes], Array] = imagecodecs.jpeg2k_decode
    elif header.syntax in JPEG_LS:
        decoder = imagecodecs.jpegls_decode
    elif header.syntax in JPEG:
        decoder = imagecodecs.jpeg_decode
    else:
        raise ValueError("no second decoder")
    frame = decoder(encoded)
    return _sign_extended(frame, header.bits_stored) if signed and frame.dtype.kind == "u" else frame


def _sign_extended(frame: Array, bits: int) -> Array:
    """The low `bits` of each value as a signed number: JPEG and JPEG-LS streams know no sign."""
    size = frame.dtype.itemsize
    spare = max(0, 8 * size - bits)
    return np.asarray((frame << spare).view(f"i{size}") >> spare)
