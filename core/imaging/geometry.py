"""How far apart the pixels of a frame are, and whether they are square.

Source: PS3.3 10.7 (Basic Pixel Spacing Calibration), C.7.6.3.1.7 (aspect ratio), C.8.5.5 (ultrasound regions).
"""

from __future__ import annotations

from core.imaging import attributes
from core.imaging.header import Header
from core.imaging.picture import Spacing
from core.imaging.voi import group_of

SQUARE = 0.01
"""Ratios closer to 1 than this are drawn as they are."""
CENTIMETRES = 3
"""Physical Units of an ultrasound region, (0018,6024) and (0018,6026)."""


def spacing_of(header: Header, index: int) -> Spacing | None:
    """The spacing of frame `index` in mm, the best the file has."""
    found = attributes.numbers(group_of(header, index, "PixelMeasuresSequence"), "PixelSpacing")
    if spacing := _spacing(found, "PixelSpacing"):
        return spacing
    for keyword in ("ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if spacing := _spacing(attributes.numbers(header.data, keyword), keyword):
            return spacing
    return _ultrasound(header)


def pixel_aspect(header: Header, index: int) -> float:
    """Height of a pixel over its width; 1 when nearly square or absurd."""
    spacing = spacing_of(header, index)
    if spacing is not None:
        ratio = spacing.row / spacing.column
    else:
        found = attributes.numbers(header.data, "PixelAspectRatio")
        ratio = found[0] / found[1] if len(found) == 2 and min(found) > 0 else 1.0
    return ratio if 0.05 <= ratio <= 20 and abs(ratio - 1) > SQUARE else 1.0


def _spacing(found: list[float], source: str) -> Spacing | None:
    return Spacing(found[0], found[1], source) if len(found) == 2 and min(found) > 0 else None


def _ultrasound(header: Header) -> Spacing | None:
    """The calibration of an image with a single region; with several, no one spacing holds everywhere."""
    regions = attributes.value(header.data, "SequenceOfUltrasoundRegions") or []
    if len(regions) != 1:
        return None
    region = regions[0]
    units = [attributes.whole(region, f"PhysicalUnits{axis}Direction") for axis in "XY"]
    x, y = (attributes.number(region, f"PhysicalDelta{axis}") for axis in "XY")
    if units != [CENTIMETRES, CENTIMETRES] or not x or not y:
        return None
    return Spacing(abs(y) * 10, abs(x) * 10, "PhysicalDelta")
