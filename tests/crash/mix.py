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
_STUDY, _UID, _CHILD = f"{ROOT}.8.10000000".encode(), f"{ROOT}.8.0.10000000".encode(), b"CDG8-10000000"


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
        """The object number `number` of a machine; one in 25 is the same for every machine. Each study is a child's."""
        shared = number % SHARED_EVERY == 1
        whose = FROM_ALL if shared else machine
        exam, uid = 10_000_000 + number // SLICES, f"{ROOT}.{whose}.0.{10_000_000 + number}"
        content = _template("tiny" if shared else self._kind(number))
        for sample, own in ((_STUDY, f"{ROOT}.{whose}.{exam}"), (_UID, uid), (_CHILD, f"CDG{whose}-{exam}")):
            content = content.replace(sample, own.encode())
        return Sent(uid, content)

    def _kind(self, number: int) -> str:
        if number % self.big_every == 0:
            return "big"
        return "ct" if number % self.ct_every == 0 else "tiny"


@cache
def _template(kind: str) -> bytes:
    """Encoded once: only the identifiers change, and never their length."""
    rows, columns = SIZES[kind]
    pixels = bytes(2 * rows * columns)
    child = _CHILD.decode()
    sample = dataset(_UID.decode(), _STUDY.decode(), patient_id=child, name=f"ENFANT^{child}", PixelData=pixels)
    sample.Rows, sample.Columns = rows, columns
    return encoded(sample)
