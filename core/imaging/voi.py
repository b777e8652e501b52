"""What the file says of its grey levels: rescale, modality LUT, windows, padding; frame by frame where they differ.

Source: PS3.3 C.11.1, C.11.2, C.7.5.1.1.2 (padding), C.7.6.16.2.9 and C.7.6.16.2.10 (functional groups).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from core.imaging import attributes
from core.imaging.header import Header
from core.imaging.window import LINEAR, LINEAR_EXACT, SIGMOID, Window, presets
from core.imaging.windowing import Curve, table_curve

Array = np.ndarray[Any, np.dtype[Any]]

FAINTEST, BRIGHTEST = 0.5, 99.7
"""Percentiles between which an image without any window is shown."""


def group_of(header: Header, index: int, keyword: str) -> Dataset:
    """The functional group of frame `index` (its own, else the shared one), else the data set itself."""
    frames = attributes.value(header.data, "PerFrameFunctionalGroupsSequence") or []
    own = frames[index] if index < len(frames) else None
    for item in (own, attributes.first_item(header.data, "SharedFunctionalGroupsSequence")):
        found = attributes.first_item(item, keyword) if item is not None else None
        if found is not None:
            return found
    return header.data


def rescale(header: Header, index: int) -> tuple[float, float]:
    """Slope and intercept of frame `index`; (1, 0) where the file gives none, or a slope of zero."""
    group = group_of(header, index, "PixelValueTransformationSequence")
    slope, intercept = attributes.number(group, "RescaleSlope"), attributes.number(group, "RescaleIntercept")
    return slope or 1.0, intercept or 0.0


def to_modality(header: Header, index: int) -> Curve:
    """Stored values into modality values: the Modality LUT when there is one, else the rescale."""
    item = attributes.first_item(header.data, "ModalityLUTSequence")
    table = lut_of(item, header.signed) if item is not None else None
    if table is not None:
        first, entries = table
        return lambda x: entries[np.clip(x - first, 0, len(entries) - 1).astype(np.intp)].astype(np.float64)
    slope, intercept = rescale(header, index)
    return lambda x: x * slope + intercept


def windows(header: Header, index: int) -> list[Window]:
    """The usable windows of frame `index`, in the file's order. One value for each frame picks that frame's."""
    group = group_of(header, index, "FrameVOILUTSequence")
    centers, widths = attributes.numbers(group, "WindowCenter"), attributes.numbers(group, "WindowWidth")
    function = attributes.text(group, "VOILUTFunction").upper()
    function = function if function in (LINEAR_EXACT, SIGMOID) else LINEAR
    found = [Window(center, width, function) for center, width in zip(centers, widths, strict=False)]
    if 1 < len(found) == header.frames:
        found = [found[index]]
    return [each for each in found if each.usable]


def voi_table(header: Header) -> Curve | None:
    """The first VOI LUT of the file."""
    item = attributes.first_item(header.data, "VOILUTSequence")
    table = lut_of(item, header.signed) if item is not None else None
    return table_curve(*table) if table is not None else None


def lut_of(item: Dataset, signed: bool) -> tuple[int, Array] | None:
    """First value mapped, and the entries of a LUT item; None when they do not agree.

    Source: PS3.3 C.11.1.1, C.11.2.1.1.
    """
    descriptor, data = attributes.numbers(item, "LUTDescriptor"), attributes.value(item, "LUTData")
    if len(descriptor) != 3 or data is None:
        return None
    count, first, bits = int(descriptor[0]) or 65_536, int(descriptor[1]), int(descriptor[2])
    entries = _entries(data, 1 if bits == 8 and isinstance(data, bytes) and len(data) < 2 * count else 2)
    if signed and first > 32_767:
        first -= 65_536
    return (first, entries[:count]) if len(entries) >= count else None


def _entries(data: Any, size: int) -> Array:
    if isinstance(data, bytes):
        return np.frombuffer(data[: len(data) // size * size], f"<u{size}")
    return np.asarray(data, dtype=np.uint16)


def padding(header: Header, samples: Array) -> Array | None:
    """Where the samples are padding, or None when the file declares none. Source: PS3.3 C.7.5.1.1.2."""
    first = attributes.number(header.data, "PixelPaddingValue")
    if first is None:
        return None
    last = attributes.number(header.data, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    found: Array = (samples >= low) & (samples <= high)
    return found


def default_window(header: Header, index: int, samples: Array) -> Window:
    """The window of a grey frame nobody chose one for.

    The file's first; the usual one of CT and its body part; the whole range of 8 bits; else between percentiles.
    """
    if found := windows(header, index):
        return found[0]
    if not attributes.first_item(header.data, "ModalityLUTSequence"):
        usual = presets(attributes.text(header.data, "Modality"), attributes.text(header.data, "BodyPartExamined"))
        if usual:
            return next(iter(usual.values()))
    curve = to_modality(header, index)
    if samples.dtype == np.uint8 and header.bits_stored == 8:
        low, high = curve(np.array([0.0, 255.0]))
    else:
        low, high = _spread(header, samples, curve)
    return Window(float(low + high + 1) / 2, max(1.0, float(abs(high - low)) + 1))


def _spread(header: Header, samples: Array, curve: Curve) -> tuple[float, float]:
    step = max(1, int((samples.size / 250_000) ** 0.5))
    sparse = samples[::step, ::step]
    hidden = padding(header, sparse)
    seen = sparse[~hidden] if hidden is not None and not hidden.all() else sparse.ravel()
    found = curve(seen.astype(np.float64))
    found = found[np.isfinite(found)]
    if not found.size:
        return 0.0, 0.0
    low, high = np.percentile(found, (FAINTEST, BRIGHTEST))
    return float(low), float(high)
