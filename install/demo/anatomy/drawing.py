"""Soft-edged shapes, smooth noise and speckle: what every phantom is drawn with."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, np.dtype[Any]]


def grid(rows: int, columns: int, height: float, width: float) -> tuple[Array, Array]:
    """x (to the right) and y (downwards) in mm from the centre of a field of `height` by `width` mm."""
    y = (np.arange(rows, dtype=np.float32) + 0.5) * (height / rows) - height / 2
    x = (np.arange(columns, dtype=np.float32) + 0.5) * (width / columns) - width / 2
    return x[None, :], y[:, None]


def ellipse(x: Array, y: Array, cx: float, cy: float, a: float, b: float, degrees: float = 0.0) -> Array:
    """About the distance in mm outside an ellipse (negative inside) with half axes `a` along x and `b` along y."""
    dx, dy = x - np.float32(cx), y - np.float32(cy)
    if degrees:
        c, s = np.float32(np.cos(np.radians(degrees))), np.float32(np.sin(np.radians(degrees)))
        dx, dy = c * dx + s * dy, c * dy - s * dx
    away = np.sqrt((dx * np.float32(1 / a)) ** 2 + (dy * np.float32(1 / b)) ** 2) - 1
    return np.asarray(away * np.float32(min(a, b)))


def inside(distance: Array, soft: float = 1.0) -> Array:
    """How much of each pixel is inside a shape, 0 to 1, over an edge of `soft` mm."""
    return np.asarray(np.clip(0.5 - distance * np.float32(1 / soft), 0, 1))


def both(*masks: Array) -> Array:
    """Inside all of the shapes."""
    found = masks[0]
    for mask in masks[1:]:
        found = found * mask
    return found


def paint(picture: Array, mask: Array, value: float | Array) -> None:
    """Put `value` where `mask` is 1, and mix where it is between."""
    picture += mask * (value - picture)


def smooth(random: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    """Gaussian noise without detail finer than about `scale` pixels, mean 0, deviation 1; it wraps around."""
    spectrum = np.fft.rfftn(random.standard_normal(shape, dtype=np.float32))
    axes = [np.fft.fftfreq(n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1])]
    squares = np.zeros(spectrum.shape)
    for axis, frequencies in enumerate(axes):
        squares += (frequencies**2).reshape([-1 if axis == each else 1 for each in range(len(shape))])
    noise = np.fft.irfftn(spectrum * np.exp(-2 * (np.pi * scale) ** 2 * squares), s=shape, axes=range(len(shape)))
    return np.asarray(noise / noise.std(), np.float32)


def resized(picture: Array, rows: int, columns: int) -> Array:
    """The picture at another matrix, bicubic."""
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize((columns, rows), Image.Resampling.BICUBIC))


class Noise:
    """Detector noise made once and shifted about, so that forty slices do not cost forty times the dice.

    `scale`: size of its grain in pixels.
    """

    def __init__(self, random: np.random.Generator, rows: int, columns: int, scale: float) -> None:
        self._random = random
        self._planes = [smooth(random, (rows, columns), scale) for _ in range(3)]

    def plane(self) -> Array:
        picked = self._planes[int(self._random.integers(len(self._planes)))]
        shift = self._random.integers(0, picked.shape[0]), self._random.integers(0, picked.shape[1])
        return np.roll(picked, (int(shift[0]), int(shift[1])), (0, 1))
