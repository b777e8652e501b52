"""A child's head, slice by slice: one anatomy, painted in Hounsfield units or in MR signal.

Heights are in mm from the skull base (0) to the vertex (about 126); x to the patient's left, y to the back.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from install.demo.anatomy.drawing import Array, both, ellipse, grid, inside, paint, resized, smooth

VERTEX = 126.0
FIELD = 205.0
"""Side of the square field of view, mm."""

HOUNSFIELD = {
    "air": -1000, "fat": -85, "skin": 30, "muscle": 55, "bone": 1150, "diploe": 620, "petrous": 1500, "cell": -650,
    "csf": 7, "grey": 39, "white": 27, "deep": 38, "falx": 62, "plexus": 48, "lens": 95, "vitreous": 10,
    "optic": 28, "cerebellum": 36, "stem": 31, "vessel": 46, "calcification": 150,
}  # fmt: skip
T2 = {
    "air": 4, "fat": 520, "skin": 210, "muscle": 150, "bone": 18, "diploe": 210, "petrous": 15, "cell": 30,
    "csf": 980, "grey": 520, "white": 330, "deep": 430, "falx": 120, "plexus": 640, "lens": 190, "vitreous": 960,
    "optic": 330, "cerebellum": 470, "stem": 370, "vessel": 25, "calcification": 60,
}  # fmt: skip
T1 = {
    "air": 4, "fat": 940, "skin": 360, "muscle": 330, "bone": 22, "diploe": 480, "petrous": 20, "cell": 25,
    "csf": 120, "grey": 430, "white": 600, "deep": 480, "falx": 300, "plexus": 330, "lens": 360, "vitreous": 140,
    "optic": 540, "cerebellum": 460, "stem": 560, "vessel": 90, "calcification": 150,
}  # fmt: skip


class Head:
    """One child's head. `random` decides its size, its folds and its asymmetries."""

    def __init__(self, random: np.random.Generator, size: float = 1.0) -> None:
        self.scale = size * float(random.uniform(0.97, 1.03))
        self.ventricles = float(random.uniform(0.9, 1.15))
        self.tilt = float(random.uniform(-3, 3))
        self._folds = smooth(random, (40, 64, 64), 1.5)
        self._grain = smooth(random, (40, 64, 64), 0.8)

    def slice(self, z: float, tissue: Mapping[str, float], matrix: int = 320) -> Array:
        """The slice at height `z`, painted with the values of `tissue`."""
        return _Slice(self, z, tissue, matrix).picture

    def fold(self, z: float, matrix: int) -> Array:
        """The field whose zero lines are the sulci."""
        return self._at(self._folds, z, matrix)

    def grain(self, z: float, matrix: int) -> Array:
        return self._at(self._grain, z, matrix)

    def _at(self, field: Array, z: float, matrix: int) -> Array:
        place = z / VERTEX * (len(field) - 2)
        low = int(np.clip(np.floor(place), 0, len(field) - 2))
        part = np.float32(np.clip(place - low, 0, 1))
        return resized(field[low] * (1 - part) + field[low + 1] * part, matrix, matrix)


class _Slice:
    """The painting of one slice: bones first, then brain, then what lies in it."""

    def __init__(self, head: Head, z: float, tissue: Mapping[str, float], matrix: int) -> None:
        self.head, self.z, self.tissue, self.matrix = head, z, tissue, matrix
        x, y = grid(matrix, matrix, FIELD / head.scale, FIELD / head.scale)
        turn = np.radians(head.tilt)
        c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        self.x, self.y = c * x + s * y, c * y - s * x
        self.picture = np.full((matrix, matrix), tissue["air"], np.float32)
        self.half_width, self.half_length = _outline(z)
        if self.half_width <= 4:
            return
        self._scalp_and_skull()
        if self.half_width > 12:
            self._brain()
        if z < 40:
            self._base()

    def put(self, mask: Array, tissue: str) -> None:
        paint(self.picture, mask, self.tissue[tissue])

    def oval(self, cx: float, cy: float, a: float, b: float, degrees: float = 0.0, soft: float = 1.2) -> Array:
        return inside(ellipse(self.x, self.y, cx, cy, a, b, degrees), soft)

    def pair(self, cx: float, cy: float, a: float, b: float, degrees: float = 0.0, soft: float = 1.2) -> Array:
        """The same oval on both sides, mirrored."""
        left, right = self.oval(cx, cy, a, b, degrees, soft), self.oval(-cx, cy, a, b, -degrees, soft)
        return np.maximum(left, right)

    def _rim(self, a: float, b: float) -> Array:
        """Distance outside the egg of half axes a, b: wider behind than in front."""
        egg = self.x / (1 + np.float32(0.075) * np.clip(self.y / np.float32(max(b, 1)), -1, 1))
        power = np.float32(2.25)
        round_ = (np.abs(egg / np.float32(a)) ** power + np.abs(self.y / np.float32(b)) ** power) ** (1 / power)
        return (round_ - 1) * np.float32(min(a, b))

    def _scalp_and_skull(self) -> None:
        a, b = self.half_width, self.half_length
        self.skin_rim = self._rim(a, b)
        self.put(inside(self.skin_rim), "skin")
        self.put(inside(self.skin_rim + 1.6), "fat")
        thick = 2.9 + 0.5 * np.sin(self.z / 17)
        self.outer = self._rim(a - 4.2, b - 4.4)
        self.put(inside(self.outer), "bone")
        if self.z > 38:
            self.put(both(inside(self.outer + 1.0), inside(-(self.outer + thick - 0.9))), "diploe")
        self.inner = self.outer + np.float32(thick)
        if 44 < self.z < 118:
            self._sutures()

    def _sutures(self) -> None:
        """Coronal and lambdoid sutures still open: thin gaps in the bone."""
        for angle in (-52, 52, 128, -128):
            direction = np.radians(angle + 12 * np.sin(self.z / 30) * np.sign(angle))
            across = self.x * np.float32(np.cos(direction)) + self.y * np.float32(np.sin(direction))
            along = self.y * np.float32(np.cos(direction)) - self.x * np.float32(np.sin(direction))
            gap = both(inside(np.abs(across) - 0.35, 0.8), inside(along), inside(self.outer - 0.2), inside(-self.inner))
            self.put(gap * np.float32(0.8), "muscle")

    def _brain(self) -> None:
        z, inner = self.z, self.inner
        skull = inside(inner, 1.4)
        self.put(skull, "csf")
        fold = self.head.fold(z, self.matrix) + np.float32(0.25) * self.head.grain(z, self.matrix)
        depth = -inner - np.float32(1.3)
        cortex = inside(-depth, 1.2)
        self.put(cortex, "white")
        reach = np.clip(1 - depth / np.float32(26), 0, 1)
        ridge = np.abs(fold)
        grey = np.clip((np.float32(0.62) - ridge) / np.float32(0.22), 0, 1) * np.clip(reach * 2.4 - 0.25, 0, 1)
        grey = np.maximum(grey, inside(depth - 3.6, 1.5))
        self.put(both(cortex, grey), "grey")
        sulci = np.clip((np.float32(0.13) - ridge) / np.float32(0.10), 0, 1) * np.clip(reach * 2.0 - 0.7, 0, 1)
        self.put(both(cortex, sulci * np.float32(0.9)), "csf")
        if z > 26:
            self._midline(skull)
        if z > 40:
            self._hemispheres(skull)
        if z < 48:
            self._posterior_fossa(skull)
        if z < 44:
            self._cisterns(skull)

    def _midline(self, skull: Array) -> None:
        """Interhemispheric fissure with the falx; whole above the ventricles, interrupted at their level."""
        z, length = self.z, self.half_length
        wander = np.float32(0.8) * np.sin(self.y / np.float32(19))
        line = np.abs(self.x - wander)
        if z < 84:
            front, back = -length * 0.50, length * (0.50 if z > 52 else 0.62)
            open_part = np.maximum(inside(self.y - front, 4), inside(back - self.y, 4))
        else:
            open_part = np.ones_like(self.y)
        self.put(both(skull, open_part, inside(line - 1.5, 1.8)), "csf")
        self.put(both(skull, open_part, inside(line - 0.45, 0.9)), "falx")
        if z > 40:
            sinus = self.oval(0, length - 12.5, 3.4, 3.8)
            self.put(both(skull, sinus), "vessel")

    def _hemispheres(self, skull: Array) -> None:
        z, v = self.z, self.head.ventricles
        if z < 76:
            self._sylvian(skull)
        if 46 < z < 74:
            self._basal_ganglia()
        if 48 < z < 66:
            third = 1.0 - abs(z - 56) / 11
            if third > 0:
                self.put(self.oval(0, 6, 1.9 * v * third + 0.3, 11 * third + 2), "csf")
        rise = 1 - ((z - 64) / 19) ** 2
        if rise > 0:
            self._lateral_ventricles(float(np.sqrt(rise)), v)
        if 43 < z < 56:
            self._quadrigeminal(skull)

    def _sylvian(self, skull: Array) -> None:
        strength = float(np.clip(1.2 - abs(self.z - 55) / 22, 0, 1))
        for side in (-1, 1):
            edge = side * (self.half_width - 10)
            bent = np.abs(self.y - np.float32(-7) - np.float32(7) * np.sin((self.x - edge) / np.float32(9)))
            reach = inside(np.abs(self.x - np.float32(edge - side * 9)) - 11, 3)
            fissure = both(skull, reach, inside(bent - 1.4 * strength, 1.6))
            around = both(skull, reach, inside(bent - 4.2, 2))
            self.put(around * np.float32(0.8 * strength), "grey")
            self.put(fissure * np.float32(strength), "csf")

    def _basal_ganglia(self) -> None:
        near = float(np.clip(1.3 - abs(self.z - 59) / 12, 0, 1))
        for mask in (
            self.pair(9.5, -17, 4.6, 7.5, 14),
            self.pair(10.5, 10, 7.2, 10.5, -24),
            self.pair(22.5, -3, 4.8, 13.5, -14),
        ):
            self.put(mask * np.float32(near), "deep")
        for mask in (self.pair(14.5, -8, 1.7, 12, -28, 1.5), self.pair(18.2, 8, 1.7, 10, 24, 1.5)):
            self.put(mask * np.float32(near * 0.8), "white")
        self.put(self.pair(28.3, -3, 1.0, 12, -14, 1.4) * np.float32(near * 0.7), "white")

    def _lateral_ventricles(self, size: float, v: float) -> None:
        z = self.z
        if z < 62:
            self.put(self.pair(6.4 * v, -25, 3.5 * v * size, 9.5 * size, 24), "csf")
            self.put(self.pair(21 * v, 30, 3.8 * v * size, 9 * size, -28), "csf")
            self.put(self.pair(22 * v, 29, 2.0, 4.2, -28), "plexus")
            self.put(self.pair(16.5 * v, 47, 2.1 * v * size, 8 * size, 10), "csf")
            self.put(self.oval(0, -16, 0.8, 8), "white")
        else:
            lift = (z - 62) / 22
            self.put(self.pair(7.5 * v + 4 * lift, -16, 4.2 * v * size, 14.5 * size, 18), "csf")
            self.put(self.pair(11.5 * v + 5 * lift, 10, 4.6 * v * size, 17 * size, -16), "csf")
            self.put(self.pair(18.5 * v + 3 * lift, 29, 3.6 * v * size, 7 * size, -22), "csf")
            self.put(self.pair(15.5 * v + 4 * lift, 19, 1.5, 5.5, -20) * np.float32(0.7), "plexus")
            self.put(self.oval(0, -8, 1.0, 17) * np.float32(size), "white")

    def _quadrigeminal(self, skull: Array) -> None:
        """The smile behind the midbrain."""
        smile = np.abs(ellipse(self.x, self.y, 0, 17, 12, 10)) - np.float32(1.3)
        self.put(both(skull, inside(smile, 1.4), inside(20 - self.y, 5)), "csf")
        self.put(self.oval(0, 27, 1.9, 2.4) * np.float32(0.8), "deep")

    def _posterior_fossa(self, skull: Array) -> None:
        z, b = self.z, self.half_length
        size = float(np.clip(1.15 - abs(z - 18) / 34, 0.25, 1))
        lobes = both(skull, self.pair(21 * size, b - 39, 27 * size, 22 * size, 12, 2))
        vermis = both(skull, self.oval(0, b - 41, 9 * size, 22 * size, 0, 2))
        whole = np.maximum(lobes, vermis)
        self.put(both(skull, self.oval(0, b - 38, 52 * size, 30 * size, 0, 2)), "csf")
        self.put(whole, "cerebellum")
        leaves = np.sin(np.sqrt((self.x * np.float32(1.1)) ** 2 + (self.y - np.float32(b - 62)) ** 2) * np.float32(1.5))
        self.put(whole * np.clip(leaves - np.float32(0.55), 0, 1) * np.float32(0.45), "csf")
        stem_y = b - 69 + (z - 20) * 0.12
        self.put(self.oval(0, stem_y - 3, 15, 12, 0, 2.5), "csf")
        self.put(both(skull, self.pair(11, stem_y + 9, 8, 7, 35, 2.5)) * np.float32(size), "stem")
        self.put(self.oval(0, stem_y, 11.5, 10.5, 0, 1.6), "stem")
        if 8 < z < 36:
            fourth = float(np.clip(1.2 - abs(z - 22) / 12, 0, 1))
            self.put(self.oval(0, stem_y + 13.5, 5.2 * fourth + 0.4, 3.2 * fourth + 0.3), "csf")

    def _cisterns(self, skull: Array) -> None:
        """The suprasellar star, above the sella; the temporal lobes lie beside it."""
        strength = float(np.clip(1.3 - abs(self.z - 37) / 7, 0, 1))
        if not strength:
            return
        cy = -12.0
        angle = np.arctan2(self.y - np.float32(cy), self.x)
        radius = np.hypot(self.x, self.y - np.float32(cy))
        star = inside(radius - (10.5 + 5.0 * np.cos(5 * angle + np.float32(np.pi / 2))), 2.5)
        self.put(both(skull, star * np.float32(strength)), "csf")
        for side in (-1, 1):
            bent = np.abs(self.y - np.float32(cy - 6) + np.float32(4) * np.cos(self.x / np.float32(12)))
            arm = both(inside(bent - 1.8, 2.2), inside(np.abs(self.x - np.float32(side * 26)) - 19, 6))
            self.put(both(skull, arm * np.float32(strength * 0.9)), "csf")
        self.put(self.pair(4.5, cy - 3, 1.6, 1.6), "vessel")
        self.put(self.oval(0, cy + 11, 1.7, 1.7), "vessel")

    def _base(self) -> None:
        z, a, b = self.z, self.half_width, self.half_length
        if z < 31:
            self._petrous(a, b)
        if z < 36:
            self._orbits(b)
        if z < 26:
            self._sinuses(b)

    def _petrous(self, a: float, b: float) -> None:
        near = float(np.clip(1.25 - abs(self.z - 15) / 15, 0, 1))
        skull = inside(self.outer, 1.4)
        self.put(both(skull, self.pair(a * 0.50, 3, a * 0.36, 6.5 * near + 0.6, 28, 1.5)) * np.float32(near), "petrous")
        self.put(both(skull, self.pair(a * 0.40, -22, a * 0.36, 2.6, -30, 1.5)) * np.float32(near), "bone")
        mastoid = both(inside(self.outer - 1.5), self.pair(a - 11, 14, 7, 9 * near + 0.5, 10))
        self.put(mastoid, "bone")
        cells = both(mastoid, np.clip(self.head.grain(self.z, self.matrix) * 2 + np.float32(0.4), 0, 1))
        self.put(cells, "cell")
        self.put(self.pair(a - 5, 4, 4.5, 1.9, 8), "air")
        self.put(self.pair(a * 0.46, 1, 2.2, 1.2, 28) * np.float32(near), "csf")

    def _orbits(self, b: float) -> None:
        near = float(np.clip(1.2 - abs(self.z - 20) / 15, 0, 1))
        if near < 0.38:
            return
        cx, cy = 26.5, -b + 24
        cone = self.pair(cx - 3, cy + 7, 15.5 * near, 23 * near, -14)
        self.put(self.pair(cx - 3, cy + 7, 17.5 * near, 25 * near, -14), "bone")
        self.put(cone, "fat")
        self.put(self.pair(cx - 5.5, cy + 18, 1.7, 12 * near, -22), "optic")
        for shift in (-11.5, 10.5):
            self.put(self.pair(cx - 4 + shift * near, cy + 10, 1.8, 13 * near, -14 - shift) * np.float32(0.9), "muscle")
        globe = 10.6 * near
        if globe > 3:
            self.put(self.pair(cx, cy - 3, globe + 0.9, globe + 0.9), "muscle")
            self.put(self.pair(cx, cy - 3, globe, globe), "vitreous")
            self.put(self.pair(cx, cy - 3 - globe * 0.72, 4.2 * near, 2.0 * near), "lens")

    def _sinuses(self, b: float) -> None:
        near = float(np.clip(1.2 - abs(self.z - 13) / 12, 0, 1))
        if near < 0.1:
            return
        self.put(self.oval(0, -b + 26, 10.5, 26 * near) * np.float32(near), "bone")
        wide = self.oval(0, -b + 26, 9.0, 24 * near)
        self.put(wide * np.float32(near), "air")
        plates = np.maximum(
            inside(np.abs(self.x) - 0.5, 0.9), inside(np.abs(np.abs(self.x) - np.float32(5)) - 0.4, 0.9)
        )
        septa = inside(np.abs(np.sin(self.y / np.float32(2.4))) - np.float32(0.10), 0.16)
        self.put(both(wide, np.maximum(plates, septa * np.float32(0.7))) * np.float32(0.7 * near), "bone")
        self.put(self.oval(0, -b + 1, 7, 8), "skin")
        self.put(self.pair(3.2, -b + 4, 2.0, 6), "air")


def _outline(z: float) -> tuple[float, float]:
    """Half width and half length of the head at height z, mm."""
    if z >= 55:
        part = 1 - ((z - 55) / (VERTEX - 55)) ** 2
        round_ = float(np.sqrt(max(0.0, part)))
    else:
        round_ = 1 - 0.12 * ((55 - z) / 55) ** 2
    return 70 * round_, 86 * round_
