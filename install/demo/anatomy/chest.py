"""A child's chest from the front, as a shadow: how much each ray was weakened, in arbitrary units of about 0 to 1.

Coordinates in mm of a 300 x 366 mm field; x to the right of the picture (the patient's left), y downwards.
"""

from __future__ import annotations

import itertools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from install.demo.anatomy.drawing import Array, both, ellipse, grid, inside, paint, resized, smooth

WIDTH, HEIGHT = 300.0, 366.0
ROWS, COLUMNS = 1250, 1024
"""Matrix the anatomy is drawn on."""

Curve = list[tuple[float, float]]


class Chest:
    """One child's chest. `random` decides size, breathing in, heart and vessels."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.size = float(random.uniform(0.95, 1.05))
        self.x, self.y = grid(ROWS, COLUMNS, HEIGHT / self.size, WIDTH / self.size)
        self.heart = float(random.uniform(0.95, 1.08))
        self.breath = float(random.uniform(-4, 6))

    def shadow(self) -> Array:
        """Attenuation, (ROWS, COLUMNS) float32: air 0, lung about 0.3, heart 0.7, spine 0.9."""
        body = self._body()
        lungs = self._lungs()
        picture = self._soft_tissue(body)
        ribs = self._bones()
        heart = self._heart()
        texture = smooth(self.random, (ROWS // 2, COLUMNS // 2), 1.2)
        lung_field = np.clip(lungs - 0.96 * heart, 0, 1)
        picture -= lung_field * (np.float32(0.40) + np.float32(0.008) * resized(texture, ROWS, COLUMNS))
        picture += heart * lungs * np.float32(0.05)
        picture += self._vessels() * lung_field
        picture += self._belly(body)
        picture += ribs * body
        self._airway(picture)
        picture += self._marker()
        return np.asarray(np.clip(picture, 0, 1.2), np.float32)

    def oval(self, cx: float, cy: float, a: float, b: float, degrees: float = 0, soft: float = 2) -> Array:
        return inside(ellipse(self.x, self.y, cx, cy, a, b, degrees), soft)

    def _body(self) -> Array:
        trunk = inside(np.abs(self.x) - (104 + 10 * np.sin((self.y + 60) / np.float32(90))), 4)
        trunk = both(trunk, inside(-(self.y + 92), 30))
        shoulders = np.maximum(self.oval(-88, -70, 62, 42, 24, 5), self.oval(88, -70, 62, 42, -24, 5))
        arms = np.maximum(self.oval(-142, 20, 26, 125, 4, 5), self.oval(142, 20, 26, 125, -4, 5))
        neck = both(inside(np.abs(self.x) - (33 + np.clip(self.y + 125, 0, 60)), 5), inside(self.y, 80))
        slope = -(self.y + 88) - 0.62 * np.clip(112 - np.abs(self.x), 0, 80)
        nape = both(inside(np.abs(self.x) - 104, 5), inside(slope, 5))
        return np.asarray(np.maximum.reduce([trunk, shoulders, arms, neck, nape]))

    def _soft_tissue(self, body: Array) -> Array:
        """Thick in the middle, thin at the rim, thicker downwards where the liver is."""
        across = np.sqrt(np.clip(1 - (self.x / np.float32(125)) ** 2, 0.04, 1))
        return np.asarray(body * (0.34 + 0.22 * across + 0.0002 * (self.y + 60)), np.float32)

    def _lungs(self) -> Array:
        floor = 88 + self.breath
        both_lungs = np.zeros((ROWS, COLUMNS), np.float32)
        for side, dome, wide in ((-1, floor - 10, 50), (1, floor, 48)):
            field = self.oval(side * 52, 30, wide, 126, side * -7, 2.5)
            apex = self.oval(side * 37, -62, 31, 50, side * -6, 2.5)
            upper = np.maximum(field, apex)
            diaphragm = dome + 0.0105 * (self.x - side * 46) ** 2 - 10
            sinus = inside(self.y - diaphragm, 2)
            hilum = inside(12 - side * self.x, 3)
            both_lungs = np.maximum(both_lungs, both(upper, sinus, hilum))
        return both_lungs

    def _heart(self) -> Array:
        """Heart and great vessels: the right border small, the left one round, the thymus of the young above."""
        h = self.heart
        shapes = [
            self.oval(13, 52, 52 * h, 36 * h, 28, 3),
            self.oval(-10, 40, 26 * h, 38 * h, 6, 3),
            self.oval(9, -2, 21, 30, 0, 4),
            inside(np.abs(self.x) - 16, 2) * inside(self.y - 100, 8),
            self.oval(0, -38, 21, 46, 0, 4),
            self.oval(21, -22, 12, 13, 0, 3),
            self.oval(-17, -20, 8, 52, 3, 4),
        ]
        return np.asarray(np.maximum.reduce(shapes))

    def _belly(self, body: Array) -> Array:
        under = np.clip((self.y - np.float32(84)) / np.float32(60), 0, 1)
        bubble = self.oval(48, 116 + self.breath, 26, 15, -8, 3)
        gas = np.maximum.reduce([self.oval(-22, 158, 17, 10, 20, 3), self.oval(22, 165, 20, 11, -15, 3), bubble])
        liver = self.oval(-42, 128, 78, 52, 8, 16)
        return np.asarray(body * (0.05 * under + 0.10 * liver * under) - 0.17 * gas, np.float32)

    def _airway(self, picture: Array) -> None:
        trachea = self._strokes([[(0, -170), (-1, -100), (-3, -42)]], 12)
        bronchi = self._strokes([[(-3, -42), (-16, -22), (-26, -10)], [(-3, -42), (16, -24), (30, -12)]], 8)
        picture -= np.float32(0.14) * trachea + np.float32(0.07) * bronchi

    def _bones(self) -> Array:
        return np.asarray(self._spine() + self._ribs() + self._shoulder_girdle(), np.float32)

    def _spine(self) -> Array:
        spine = np.zeros((ROWS, COLUMNS), np.float32)
        step = 17.5
        for n in range(-10, 12):
            cy = n * step + 4
            wide = 13.5 + 0.25 * n
            block = both(inside(np.abs(self.x) - wide, 2), inside(np.abs(self.y - np.float32(cy)) - 7.2, 2))
            edge = both(block, inside(6.0 - np.abs(self.y - np.float32(cy)), 1.5))
            paint(spine, block, 0.10)
            spine += edge * np.float32(0.035)
            for side in (-1, 1):
                spine += self.oval(side * 8.5, cy - 1, 2.6, 3.6, 0, 1.5) * np.float32(0.04)
            spine += self.oval(0, cy + 5, 2.2, 5.0, 0, 1.5) * np.float32(0.04)
            spine += self.oval(-wide - 6, cy - 3, 7, 3.0, 12, 2) * np.float32(0.05)
            spine += self.oval(wide + 6, cy - 3, 7, 3.0, -12, 2) * np.float32(0.05)
        return spine

    def _ribs(self) -> Array:
        """Twelve pairs: behind, nearly level and bright; in front, falling and faint, ending at their cartilage."""
        behind: list[Curve] = []
        ahead: list[Curve] = []
        for n in range(12):
            top = -104 + n * 17.5
            reach = 54 + 50 * float(np.sin(min(n + 1.6, 8.5) / 8.5 * np.pi / 2))
            fall = 7 + 3.4 * n
            for side in (-1, 1):
                corner = (side * reach, top + 22 + fall * 1.1)
                near, middle = (
                    (side * reach * 0.35, top - 6 + fall * 0.05),
                    (side * reach * 0.68, top + 1 + fall * 0.40),
                )
                behind.append(
                    [(side * 15, top + 2), near, middle, (side * reach * 0.93, top + 12 + fall * 0.85), corner]
                )
                if n < 9:
                    side_wall = (side * (reach - 5), top + 34 + fall * 1.2)
                    front = (side * (reach - 24), top + 52 + fall * 1.15)
                    ahead.append([corner, side_wall, front, (side * max(30.0, reach - 46), top + 64 + fall)])
        return self._tube(behind, 7.6, 0.125) + self._tube(ahead, 7.2, 0.065)

    def _shoulder_girdle(self) -> Array:
        bones = np.zeros((ROWS, COLUMNS), np.float32)
        for side in (-1, 1):
            clavicle: Curve = [
                (side * 11, -88), (side * 32, -95), (side * 60, -103), (side * 92, -118), (side * 110, -116)
            ]  # fmt: skip
            bones = np.maximum(bones, self._tube([clavicle], 8.4, 0.19))
            head = self.oval(side * 126, -98, 17, 17, 0, 2)
            shaft = self._tube([[(side * 129, -95), (side * 140, -20), (side * 144, 190)]], 16, 0.24)
            bones = np.maximum.reduce([bones, head * np.float32(0.20), shaft])
            blade = self.oval(side * 101, -45, 20, 48, side * 12, 3)
            rim = both(blade, inside(-(ellipse(self.x, self.y, side * 101, -45, 20, 48, side * 12) + 3.5), 2))
            bones += blade * np.float32(0.045) + rim * np.float32(0.045)
            bones = np.maximum(bones, self._tube([[(side * 84, -98), (side * 108, -108), (side * 122, -116)]], 8, 0.16))
        return bones

    def _vessels(self) -> Array:
        """Branching shadows from the hila, finer outwards, heavier at the bases."""
        picture = np.zeros((ROWS, COLUMNS), np.float32)
        for side, hilum in ((-1, (-24.0, -4.0)), (1, (27.0, -10.0))):
            twigs: dict[int, list[Curve]] = {5: [], 4: [], 3: [], 2: [], 1: []}
            for angle in np.linspace(-72, 82, 10):
                self._branch(
                    twigs, side, hilum, float(angle + self.random.uniform(-9, 9)), float(self.random.uniform(17, 28)), 5
                )
            for width, curves in twigs.items():
                picture += self._strokes(curves, 0.55 + 0.78 * width) * np.float32(0.010 + 0.019 * width)
            picture += self.oval(hilum[0], hilum[1] + 4, 9, 17, -side * 12, 7) * np.float32(0.10)
        return picture

    def _branch(
        self, twigs: dict[int, list[Curve]], side: int, at: tuple[float, float], angle: float, length: float, width: int
    ) -> None:
        if width == 0:
            return
        bend = angle + float(self.random.uniform(-14, 14))
        middle = _walk(at, side, angle, length * 0.5)
        end = _walk(middle, side, bend, length * 0.5)
        twigs[width].append([at, middle, end])
        for turn in (-22, 20):
            shorter = length * float(self.random.uniform(0.55, 0.95))
            self._branch(twigs, side, end, bend + turn + float(self.random.uniform(-8, 8)), shorter, width - 1)

    def _marker(self) -> Array:
        """The lead letter of the right side, in French « D »."""
        image = Image.new("L", (COLUMNS, ROWS), 0)
        draw = ImageDraw.Draw(image)
        left, top = 62, 150
        draw.line([(left, top), (left, top + 44)], fill=255, width=8)
        draw.arc([left - 26, top, left + 26, top + 44], -90, 90, fill=255, width=8)
        return np.asarray(image, np.float32) * np.float32(0.9 / 255)

    def _tube(self, curves: list[Curve], width: float, strength: float) -> Array:
        """A hollow bone: its walls cast more shadow than its middle."""
        whole, hollow = self._strokes(curves, width), self._strokes(curves, width * 0.55)
        return np.asarray(strength * (whole - np.float32(0.38) * hollow), np.float32)

    def _strokes(self, curves: list[Curve], width: float) -> Array:
        """Soft lines of `width` mm through the points, 0 to 1."""
        image = Image.new("L", (COLUMNS, ROWS), 0)
        draw = ImageDraw.Draw(image)
        scale = COLUMNS / WIDTH * self.size
        thick = max(1, round(width * scale))
        for curve in curves:
            points = [(COLUMNS / 2 + px * scale, ROWS / 2 + py * scale) for px, py in _rounded(curve)]
            draw.line(points, fill=255, width=thick, joint="curve")
            for px, py in (points[0], points[-1]):
                draw.ellipse([px - thick / 2, py - thick / 2, px + thick / 2, py + thick / 2], fill=255)
        return np.asarray(image.filter(ImageFilter.GaussianBlur(1.1 + thick / 14)), np.float32) / np.float32(255)


def _walk(at: tuple[float, float], side: int, angle: float, length: float) -> tuple[float, float]:
    """One step sideways and downwards; 0 degrees points away from the spine, 90 down."""
    return at[0] + side * length * float(np.cos(np.radians(angle))), at[1] + length * float(np.sin(np.radians(angle)))


def _rounded(curve: Curve) -> Curve:
    """More points on the same way, without corners (Chaikin, three times)."""
    for _ in range(3):
        cut = [curve[0]]
        for (ax, ay), (bx, by) in itertools.pairwise(curve):
            cut += [(0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by), (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by)]
        curve = [*cut, curve[-1]]
    return curve
