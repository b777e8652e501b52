"""A decoded frame as a picture: windowed, square-pixelled, made small, encoded as JPEG, WebP or PNG.

Every picture is 8 bit and made for looking, never for diagnosis; `lossy` says whether the encoding lost more.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from simplejpeg import encode_jpeg  # type: ignore[attr-defined]

from core.imaging import attributes, voi
from core.imaging.codecs import LOSSY
from core.imaging.geometry import pixel_aspect
from core.imaging.header import Header
from core.imaging.picture import JPEG, MIME, PNG, WEBP, RenderedFrame
from core.imaging.pixels import Frame
from core.imaging.window import Window
from core.imaging.windowing import apply_table, grey_levels, grey_table, window_curve

Array = np.ndarray[Any, np.dtype[Any]]

HATCH = 16
"""Period in pixels of the stripes drawn where the file has no pixels."""


def render(
    frame: Frame, header: Header, index: int, window: Window | None, size: int | None, quality: int, form: str
) -> RenderedFrame:
    """The picture of frame `index`. `size`: longest side at most, in pixels; never enlarged beyond square pixels."""
    if frame.colour:
        shown, used = np.ascontiguousarray(frame.samples), None
    else:
        shown, used = grey(frame.samples, header, index, window)
    if frame.missing_rows:
        shown = _hatched(shown, frame.missing_rows)
    shown = _fitted(shown, pixel_aspect(header, index), size)
    return RenderedFrame(
        data=encode(shown, form, quality),
        mime=MIME[form],
        lossy=form != PNG,
        width=shown.shape[1],
        height=shown.shape[0],
        window_used=used,
        incomplete=bool(frame.missing_rows) or header.whole_frames < header.frames,
        source_lossy=was_lossy(header),
    )


def grey(samples: Array, header: Header, index: int, window: Window | None) -> tuple[Array, Window | None]:
    """Grey levels, and the window they were made with (None when the file's own VOI LUT made them)."""
    table = voi.voi_table(header) if window is None and not voi.windows(header, index) else None
    used = None if table else window or voi.default_window(header, index, samples)
    curve = window_curve(used) if used else table
    assert curve is not None
    inverse = header.photometric == "MONOCHROME1"
    modality = voi.to_modality(header, index)
    if samples.dtype.itemsize <= 2:
        levels = apply_table(grey_table(samples.dtype, modality, curve, inverse), samples)
    else:
        levels = grey_levels(np.nan_to_num(curve(modality(samples.astype(np.float64)))), inverse)
    hidden = voi.padding(header, samples)
    if hidden is not None:
        levels[hidden] = 0
    return levels, used


def was_lossy(header: Header) -> bool:
    """The file itself had lost something before it came here. Source: PS3.3 C.7.6.1.1.5, (0028,2110)."""
    return attributes.text(header.data, "LossyImageCompression") == "01" or header.syntax in LOSSY - {
        "1.2.840.10008.1.2.4.91"
    }


def encode(shown: Array, form: str, quality: int) -> bytes:
    """JPEG (quality 1 to 100), WebP (same), or PNG (lossless, quality unused)."""
    if form == JPEG:
        if shown.ndim == 2:
            grey_image = np.ascontiguousarray(shown)[:, :, None]
            return bytes(encode_jpeg(grey_image, quality, colorspace="GRAY", colorsubsampling="Gray"))
        return bytes(encode_jpeg(np.ascontiguousarray(shown), quality, colorspace="RGB"))
    out = io.BytesIO()
    if form == WEBP:
        Image.fromarray(shown).save(out, "WEBP", quality=quality, method=0)
    else:
        Image.fromarray(shown).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _fitted(shown: Array, aspect: float, size: int | None) -> Array:
    """Square pixels, at most `size` on the longest side."""
    rows, columns = shown.shape[:2]
    height, width = (rows * aspect, float(columns)) if aspect >= 1 else (float(rows), columns / aspect)
    shrink = min(1.0, size / max(height, width)) if size else 1.0
    target = max(1, round(width * shrink)), max(1, round(height * shrink))
    if target == (columns, rows):
        return shown
    return np.asarray(Image.fromarray(shown).resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0))


def _hatched(shown: Array, missing_rows: int) -> Array:
    """Stripes over the rows that are not in the file, so that nobody reads them as anatomy."""
    striped = shown.copy()
    rows, columns = shown.shape[0], shown.shape[1]
    y, x = np.mgrid[rows - missing_rows : rows, 0:columns]
    stripes = np.where((x + y) % HATCH < HATCH // 2, 160, 60).astype(np.uint8)
    striped[rows - missing_rows :] = stripes if shown.ndim == 2 else stripes[:, :, None]
    return striped
