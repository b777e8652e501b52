"""What four machines send all day, made anew from its number: CT slices, tiny objects, an object too big for memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from tests.people.images import dataset, encoded

ROOT = "1.2.826.0.1.3680043.10.77"
TITLES = (b"SCANNER1", b"RADIO1", b"ECHO1", b"IRM1")
FROM_ALL = 9  # instead of a machine's number: an object that every machine sends, at about the same time
SHARED_EVERY, SLICES = 25, 50
SIZES = {"tiny": (20, 25), "ct": (512, 512), "big": (2048, 2304)}  # rows and columns of 16 bits
_STUDY, _UID = f"{ROOT}.8.10000000".encode(), f"{ROOT}.8.0.10000000".encode()


@dataclass(frozen=True, slots=True)
class Sent:
    uid: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Mix:
    """One object in so many is a CT slice, is too big for memory; the rest is tiny."""

    ct_every: int
    big_every: int

    def made(self, machine: int, number: int) -> Sent:
        """The object number `number` of a machine; one in 25 is the same for every machine."""
        shared = number % SHARED_EVERY == 1
        whose = FROM_ALL if shared else machine
        study, uid = f"{ROOT}.{whose}.{10_000_000 + number // SLICES}", f"{ROOT}.{whose}.0.{10_000_000 + number}"
        template = _template("tiny" if shared else self._kind(number))
        return Sent(uid, template.replace(_STUDY, study.encode()).replace(_UID, uid.encode()))

    def _kind(self, number: int) -> str:
        if number % self.big_every == 0:
            return "big"
        return "ct" if number % self.ct_every == 0 else "tiny"


@cache
def _template(kind: str) -> bytes:
    """Encoded once: only the identifiers change, and never their length."""
    rows, columns = SIZES[kind]
    pixels = bytes(2 * rows * columns)
    return encoded(dataset(_UID.decode(), _STUDY.decode(), Rows=rows, Columns=columns, PixelData=pixels))
