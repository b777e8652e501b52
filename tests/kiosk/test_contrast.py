"""Every pair of colours that carries words is readable: WCAG 2.2 AA, 1.4.3, contrast of at least 4.5 to 1."""

from __future__ import annotations

import re

import pytest

from kiosk.assets import STATIC

PAPER = (STATIC / "css" / "1-paper.css").read_text()
PAIRS = [
    *((ink, ground) for ink in ("ink", "soft", "accent", "alarm") for ground in ("paper", "card")),
    *((tone, f"{tone}-bg") for tone in ("alarm", "warn", "note", "good", "going", "off")),
    ("accent-ink", "accent"),
    ("accent", "note-bg"),
    ("soft", "note-bg"),
    ("ink", "note-bg"),
    ("card", "alarm"),
    ("warn", "card"),
]


def colours(theme: str) -> dict[str, str]:
    block = re.search(rf"^\.{theme}\{{(.*?)\}}", PAPER, re.DOTALL | re.MULTILINE)
    assert block is not None
    return dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block[1]))


def luminance(colour: str) -> float:
    """Relative luminance. Source: WCAG 2.2, definition of relative luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["day", "night"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_words_stand_out_from_their_ground(theme: str, ink: str, ground: str) -> None:
    named = colours(theme)
    light, dark = sorted((luminance(named[ink]), luminance(named[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
