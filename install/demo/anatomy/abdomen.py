"""A child's abdomen under a curved ultrasound probe: echo strength by place, then what the beam makes of it.

Coordinates in mm: x across, y the depth under the skin in the middle of the probe.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from install.demo.anatomy.drawing import Array, both, ellipse, inside, paint, smooth

DEPTH = 120.0
"""mm from the skin to the deepest echo."""
PROBE_RADIUS = 50.0
HALF_ANGLE = 34.0
"""Degrees each side."""
SAMPLES, LINES = 720, 400
"""Echoes along one beam, and beams."""

LIVER, KIDNEY, SINUS, FLUID, WALL, FAT, SPLEEN, PANCREAS = 0.30, 0.20, 0.85, 0.004, 0.95, 0.55, 0.33, 0.42


class Echo:
    """One frozen view: `echo` is what reflects, `through` what lets the beam pass (1 as tissue does)."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        angle = np.radians(np.linspace(-HALF_ANGLE, HALF_ANGLE, LINES, dtype=np.float32))[None, :]
        range_ = (PROBE_RADIUS + np.linspace(0, DEPTH, SAMPLES, dtype=np.float32))[:, None]
        self.x, self.y = range_ * np.sin(angle), range_ * np.cos(angle) - np.float32(PROBE_RADIUS)
        self.depth = range_ - np.float32(PROBE_RADIUS) + 0 * angle
        clumps = smooth(random, (SAMPLES, LINES), 16) + 0.7 * smooth(random, (SAMPLES, LINES), 6)
        self.echo = np.asarray(0.11 * np.exp(0.55 * clumps), np.float32)
        self.through = np.ones((SAMPLES, LINES), np.float32)
        self._wobble = smooth(random, (SAMPLES, LINES), 14)

    def oval(self, cx: float, cy: float, a: float, b: float, degrees: float = 0, soft: float = 1.2) -> Array:
        rim = ellipse(self.x, self.y, cx, cy, a, b, degrees) + np.float32(0.7) * self._wobble
        return inside(rim, soft)

    def put(self, mask: Array, strength: float) -> None:
        paint(self.echo, mask, strength)

    def organ(self, cx: float, cy: float, a: float, b: float, degrees: float, strength: float) -> Array:
        """An organ under its thin bright capsule; brighter where the beam meets it square."""
        mask = self.oval(cx, cy, a, b, degrees)
        grain = np.clip(1 + np.float32(0.10) * smooth(self.random, (SAMPLES, LINES), 5), 0.5, 1.6)
        paint(self.echo, mask, strength * grain)
        rim = np.abs(ellipse(self.x, self.y, cx, cy, a, b, degrees) + np.float32(0.7) * self._wobble)
        square = np.clip(np.abs(self.y - np.float32(cy)) / np.float32(b), 0.1, 1)
        paint(self.echo, inside(rim - 0.3, 0.9) * square * np.float32(0.75), WALL * 0.8)
        return mask

    def vessel(self, cx: float, cy: float, a: float, b: float, degrees: float = 0, wall: float = 0.5) -> None:
        """A tube cut across or along; portal branches have bright walls, hepatic veins hardly any."""
        self.put(self.oval(cx, cy, a + 0.9, b + 0.9, degrees), LIVER + wall)
        self.put(self.oval(cx, cy, a, b, degrees, 0.8), FLUID)

    def cyst(self, cx: float, cy: float, a: float, b: float, degrees: float = 0) -> None:
        """Fluid: black, its far wall bright, the tissue behind it brighter."""
        self.put(self.oval(cx, cy, a + 1.0, b + 1.0, degrees), 0.65)
        mask = self.oval(cx, cy, a, b, degrees, 0.9)
        self.put(mask, FLUID)
        crossed = np.cumsum(mask, axis=0) * np.float32(DEPTH / SAMPLES)
        self.through *= 1 + np.float32(0.9) * (1 - np.exp(-crossed / np.float32(18)))

    def gas(self, cx: float, cy: float, a: float) -> None:
        """Bowel gas: a bright line and a dirty shadow."""
        dome = np.abs(self.y - np.float32(cy) - (self.x - np.float32(cx)) ** 2 / 60 + np.float32(0.8) * self._wobble)
        cap = both(inside(dome - 0.8, 1), inside(np.abs(self.x - np.float32(cx)) - a, 6))
        self.put(cap, 1.3)
        behind = np.clip(np.cumsum(cap, axis=0) / 4 - cap * 2, 0, 1)
        dirt = np.float32(0.08) + np.float32(0.05) * np.exp(-np.abs(np.sin((self.y - np.float32(cy)) / 6)) * 3)
        self.through *= 1 - behind * (1 - dirt)

    def wall(self) -> None:
        """Skin, fat and muscle in layers under the probe."""
        wave = np.float32(0.6) * self._wobble[0:1, :]
        for near, far, strength in ((0, 1.6, 0.9), (1.6, 5.5, 0.28), (5.5, 6.3, 0.7), (6.3, 11, 0.18), (11, 11.9, 0.8)):
            layer = both(inside(near - self.depth - wave, 0.8), inside(self.depth + wave - far, 0.8))
            self.put(layer, strength)

    def beams(self) -> Array:
        """Grey levels 0 to 1 along the beams: speckle, losses made good by the gain, logarithm."""
        real, imaginary = (self._speckle() for _ in range(2))
        field = np.hypot(real, imaginary) / np.float32(1.25)
        deep = self.depth / np.float32(DEPTH)
        focus = np.exp(-(((deep - np.float32(0.52)) / np.float32(0.42)) ** 2))
        signal = self.echo * field * self.through * (0.55 + 0.65 * focus) + np.float32(0.0016) * (1 + 4 * deep**2)
        decibels = 20 * np.log10(np.maximum(signal, 1e-5))
        return np.asarray(np.clip((decibels + 38) / 50, 0, 1) ** 1.25, np.float32)

    def _speckle(self) -> Array:
        """Fine along the beam, wider across, and wider the deeper: it follows from the fan."""
        noise = self.random.standard_normal((SAMPLES, LINES), dtype=np.float32)
        noise = noise + 0.8 * (np.roll(noise, 1, 0) + np.roll(noise, -1, 0))
        noise = noise + 0.85 * (np.roll(noise, 1, 1) + np.roll(noise, -1, 1)) + 0.4 * np.roll(noise, 2, 1)
        return np.asarray(noise / noise.std(), np.float32)


def liver_and_right_kidney(echo: Echo) -> None:
    """Long axis, right flank: liver above, kidney behind it, the diaphragm to the left of the picture."""
    echo.organ(-8, 44, 62, 44, -4, LIVER)
    diaphragm = np.abs(ellipse(echo.x, echo.y, -6, 34, 64, 58, -6))
    echo.put(both(inside(diaphragm - 0.9, 1.2), inside(echo.x + 26, 8), inside(40 - echo.y, 10)), 1.5)
    for cx, cy, a, b, degrees, wall in (
        (-14, 38, 13, 2.3, 24, 0.6), (8, 30, 9, 1.7, -18, 0.5), (-30, 48, 12, 2.0, -34, 0.05), (-2, 52, 3, 2.2, 0, 0.6),
        (-40, 32, 7, 1.4, 12, 0.3), (22, 24, 6, 1.3, 30, 0.4),
    ):  # fmt: skip
        echo.vessel(cx, cy, a, b, degrees, wall)
    _kidney(echo, 18, 68, 36, 16, 12)
    echo.put(both(echo.oval(2, 101, 60, 12, 4), inside(90 - echo.depth, 4)), 0.22)
    echo.gas(46, 30, 10)


def gallbladder(echo: Echo) -> None:
    """Fasting gallbladder under the liver, portal vein behind."""
    echo.organ(-4, 42, 66, 46, 6, LIVER)
    for cx, cy, a, b, degrees, wall in (
        (-24, 34, 10, 1.9, 30, 0.5), (-38, 50, 12, 2.2, -25, 0.05), (-10, 24, 7, 1.4, -10, 0.4),
        (28, 26, 8, 1.5, 16, 0.4),
    ):  # fmt: skip
        echo.vessel(cx, cy, a, b, degrees, wall)
    echo.cyst(10, 48, 24, 9.5, 22)
    echo.vessel(-8, 74, 22, 4.0, 10, 0.7)
    echo.vessel(-2, 92, 16, 6.5, 4, 0.15)
    echo.gas(44, 58, 12)


def left_kidney_and_spleen(echo: Echo) -> None:
    """Long axis, left flank."""
    echo.organ(-20, 40, 40, 27, 14, SPLEEN)
    for cx, cy in ((-14, 50), (-4, 46)):
        echo.vessel(cx, cy, 3.2, 1.6, 20, 0.4)
    _kidney(echo, 14, 66, 37, 16.5, 6)
    echo.gas(40, 30, 13)


def bladder(echo: Echo) -> None:
    """Across, above the pubis: a full bladder, the rectum behind it."""
    echo.put(echo.oval(0, 60, 70, 55), 0.24)
    echo.cyst(0, 44, 34, 22, 0)
    echo.put(echo.oval(0, 84, 12, 8), 0.35)
    echo.put(both(inside(np.abs(ellipse(echo.x, echo.y, 0, 84, 12, 8)) - 0.8, 1.2)), 0.7)
    echo.gas(3, 82, 6)


def _kidney(echo: Echo, cx: float, cy: float, a: float, b: float, degrees: float) -> None:
    """Cortex darker than liver, darker pyramids of a child, bright sinus with a slit of urine."""
    echo.put(echo.oval(cx, cy, a + 3.2, b + 3.2, degrees), FAT)
    echo.organ(cx, cy, a, b, degrees, KIDNEY)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    for n in range(-3, 4):
        for row in (-1, 1):
            along, across = n * a * 0.25, row * b * 0.54 * float(np.sqrt(max(0.1, 1 - (n * 0.25) ** 2)))
            echo.put(echo.oval(cx + c * along - s * across, cy + s * along + c * across, 2.9, 2.5, degrees), 0.07)
    echo.put(echo.oval(cx, cy, a * 0.62, b * 0.30, degrees, 3), SINUS)
    echo.put(echo.oval(cx + 3, cy + 1, a * 0.22, 1.0, degrees, 1), 0.05)


VIEWS: dict[str, Callable[[Echo], None]] = {
    "FOIE ET REIN DROIT": liver_and_right_kidney,
    "VESICULE": gallbladder,
    "RATE ET REIN GAUCHE": left_kidney_and_spleen,
    "VESSIE": bladder,
}


def view(random: np.random.Generator, draw: Callable[[Echo], None]) -> Array:
    """The echoes of one view, (SAMPLES, LINES), 0 to 1."""
    echo = Echo(random)
    draw(echo)
    echo.wall()
    return echo.beams()


def fan(beams: Array, rows: int, columns: int, mm_per_pixel: float, top: int) -> Array:
    """The beams in their places on the screen; 0 outside the fan. `top`: row of the skin in the middle."""
    x = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2)[None, :] * np.float32(mm_per_pixel)
    y = (np.arange(rows, dtype=np.float32) - top)[:, None] * np.float32(mm_per_pixel) + np.float32(PROBE_RADIUS)
    line = (np.degrees(np.arctan2(x, y)) + HALF_ANGLE) * np.float32((LINES - 1) / (2 * HALF_ANGLE))
    sample = (np.hypot(x, y) - PROBE_RADIUS) * np.float32((SAMPLES - 1) / DEPTH)
    seen = (line >= 0) & (line <= LINES - 1) & (sample >= 0) & (sample <= SAMPLES - 1)
    low_s, low_l = np.clip(sample.astype(np.intp), 0, SAMPLES - 2), np.clip(line.astype(np.intp), 0, LINES - 2)
    part_s, part_l = np.clip(sample - low_s, 0, 1), np.clip(line - low_l, 0, 1)
    upper = beams[low_s, low_l] * (1 - part_l) + beams[low_s, low_l + 1] * part_l
    lower = beams[low_s + 1, low_l] * (1 - part_l) + beams[low_s + 1, low_l + 1] * part_l
    return np.asarray(np.where(seen, upper * (1 - part_s) + lower * part_s, 0), np.float32)
