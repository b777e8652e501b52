"""Lists of images in one column: UIDs of a request are nearly the same, 3,000 of them take some 30 kB."""

from __future__ import annotations

import zlib

from core.model.commitment import Named


def packed(images: tuple[Named, ...]) -> bytes:
    return zlib.compress("\n".join(f"{i.sop_class_uid} {i.sop_instance_uid}" for i in images).encode("ascii"))


def unpacked(content: bytes) -> tuple[Named, ...]:
    return tuple(Named(*line.split(" ")) for line in zlib.decompress(content).decode("ascii").splitlines())
