"""Modality values into displayed grey levels, 0 to 255.

Source: PS3.3 C.11.2 (VOI LUT), C.11.1 (Modality LUT), C.7.6.3.1.2 (MONOCHROME1 shows its minimum white).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from core.imaging.window import LINEAR_EXACT, SIGMOID, Window

Array = np.ndarray[Any, np.dtype[Any]]
Curve = Callable[[Array], Array]
"""Modality values (float64) into 0.0 (darkest) to 1.0 (brightest)."""


def window_curve(window: Window) -> Curve:
    """The curve of a window centre and width, in the unit of the modality values.

    Source: PS3.3 C.11.2.1.2.1 (LINEAR, with its half-pixel offset), C.11.2.1.3 (SIGMOID, LINEAR_EXACT).
    """
    center, width = window.center, window.width
    if window.function == SIGMOID:
        return lambda x: 1 / (1 + np.exp(np.clip(-4 * (x - center) / width, -700, 700)))
    if window.function == LINEAR_EXACT:
        return lambda x: np.clip((x - center) / width + 0.5, 0, 1)
    if width <= 1:
        return lambda x: (x > center - 0.5).astype(np.float64)
    return lambda x: np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def table_curve(first: int, table: Array) -> Curve:
    """The curve of a VOI LUT Sequence item: values below `first` take the first entry, above the last, the last.

    Source: PS3.3 C.11.2.1.1.
    """
    levels = table.astype(np.float64) / max(1.0, float(table.max(initial=1)))

    def curve(x: Array) -> Array:
        return np.asarray(levels[np.clip(np.rint(x) - first, 0, len(levels) - 1).astype(np.intp)])

    return curve


def grey_levels(shades: Array, inverse: bool) -> Array:
    """uint8 grey levels of shades between 0 and 1; `inverse` for MONOCHROME1."""
    levels = np.rint(shades * 255).astype(np.uint8)
    return np.asarray(255 - levels) if inverse else levels


def grey_table(dtype: np.dtype[Any], to_modality: Curve, curve: Curve, inverse: bool) -> Array:
    """A uint8 look-up table over every bit pattern of an 8 or 16 bit sample type, indexed by the unsigned pattern."""
    patterns = np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
    return grey_levels(curve(to_modality(patterns.view(dtype).astype(np.float64))), inverse)


def apply_table(table: Array, samples: Array) -> Array:
    """Grey levels of stored samples, by the table of `grey_table`."""
    return np.asarray(np.take(table, samples.view(f"u{samples.dtype.itemsize}"), mode="clip"))
