"""Grey levels are those of the standard, to the half pixel."""

from __future__ import annotations

import numpy as np
import pytest

from core.imaging.window import LINEAR_EXACT, SIGMOID, Window, preset_label, presets
from core.imaging.windowing import apply_table, grey_levels, grey_table, table_curve, window_curve


def levels(window: Window, *values: float) -> list[float]:
    return [round(float(each) * 255, 3) for each in window_curve(window)(np.array(values, dtype=np.float64))]


def test_linear_windows_give_the_examples_of_the_standard() -> None:
    """PS3.3 C.11.2.1.2.1, the four examples of its note, for an output of 0 to 255."""
    assert levels(Window(2048, 4096), 0, 4095) == [0, 255]
    assert levels(Window(2048, 4096), 2047, 2048) == [
        round(((2047 - 2047.5) / 4095 + 0.5) * 255, 3),
        round(((2048 - 2047.5) / 4095 + 0.5) * 255, 3),
    ]
    assert levels(Window(2048, 1), 2047, 2048) == [0, 255]
    assert levels(Window(0, 100), -50, 49) == [0, 255]
    assert levels(Window(0, 100), 0) == [round(((0 + 0.5) / 99 + 0.5) * 255, 3)]
    assert levels(Window(0, 1), -1, 0) == [0, 255]


def test_values_outside_the_window_are_black_or_white() -> None:
    assert levels(Window(40, 80), -1000, -1, 0, 79, 80, 3000) == [0, 0, 0, 255, 255, 255]


def test_a_linear_exact_window_has_no_half_pixel_offset() -> None:
    """PS3.3 C.11.2.1.3.2."""
    assert levels(Window(0, 100, LINEAR_EXACT), -50, 0, 25, 50) == [0, 127.5, 191.25, 255]


def test_a_sigmoid_window_never_quite_ends() -> None:
    """PS3.3 C.11.2.1.3.1: 1 / (1 + exp(-4 (x - c) / w))."""
    expected = round(255 / (1 + np.exp(-2)), 3)
    assert levels(Window(100, 50, SIGMOID), 100, 125) == [127.5, expected]
    assert levels(Window(100, 50, SIGMOID), -1e6, 1e6) == [0, 255]


def test_monochrome1_shows_its_minimum_white() -> None:
    """PS3.3 C.7.6.3.1.2."""
    shades = np.array([0.0, 0.5, 1.0])
    assert grey_levels(shades, inverse=False).tolist() == [0, 128, 255]
    assert grey_levels(shades, inverse=True).tolist() == [255, 127, 0]


def test_a_table_maps_every_stored_bit_pattern_through_the_rescale() -> None:
    table = grey_table(np.dtype(np.int16), lambda x: x * 2 - 1000, window_curve(Window(40, 80)), inverse=False)
    stored = np.array([[-32768, 500, 520, 540, 32767]], dtype=np.int16)
    assert apply_table(table, stored).tolist() == [[0, 0, 129, 255, 255]]


def test_a_voi_lut_takes_its_ends_for_values_outside_it() -> None:
    """PS3.3 C.11.2.1.1."""
    curve = table_curve(10, np.array([0, 50, 100], dtype=np.uint16))
    assert curve(np.array([-5.0, 10, 11, 12, 99])).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("width", "function", "usable"), [(0.5, "LINEAR", False), (0.5, LINEAR_EXACT, True), (0, SIGMOID, False)]
)
def test_a_window_too_narrow_for_its_function_is_not_used(width: float, function: str, usable: bool) -> None:
    assert Window(0, width, function).usable is usable


def test_a_head_ct_is_offered_the_brain_first_and_other_machines_nothing() -> None:
    assert next(iter(presets("CT", "HEAD"))) == "brain"
    assert presets("CT", "CHEST")["lung"] == Window(-600, 1500)
    assert next(iter(presets("CT", ""))) == "mediastinum"
    assert presets("MR", "BRAIN") == {}
    assert [preset_label(name) for name in presets("CT", "HEAD")] == [
        "Cerveau",
        "Cerveau du nourrisson",
        "Sous-dural",
        "Os",
    ]
