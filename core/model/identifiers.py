"""Identifiers: what is a valid UID, how ours are made, and lengths that machines can hold.

Sources: PS3.5 9.1 (UID), PS3.5 6.2 (SH 16 characters, LO 64), RFC 4122 UUID version 5 for `2.25.` UIDs.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_NAMESPACE = uuid.UUID("8a2f4f5e-7f0f-5c6e-9d57-0b6b1a3c2d10")


UNVERIFIED = "U"  # HL7 table 0203: a number that only a machine has said


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number with the authority that issues it, so that two hospitals' `0012` are two numbers.

    kind: HL7 table 0203 (`PI`, `NI`, …). `0012` and `12` are different values, kept verbatim.
    """

    value: str
    authority: str
    kind: str = "PI"


def is_uid(text: str) -> bool:
    """Digits and dots, 1 to 64 characters, no empty component. Leading zeros are tolerated (a field fault)."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def derived_uid(*parts: str) -> str:
    """A `2.25.` UID that is always the same for the same parts: replaying a message gives the same study."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}"


def random_uid() -> str:
    """A `2.25.` UID that nobody else has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def accession(year: int, number: int) -> str:
    """`27-000508`: our own accession number, 9 characters (SH holds 16)."""
    return f"{year % 100:02d}-{number:06d}"


def patient_number(prefix: str, number: int) -> str:
    """`CDG0012345`: prefix of the hospital and seven digits."""
    return f"{prefix}{number:07d}"
