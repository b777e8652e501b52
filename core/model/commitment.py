"""Storage commitment (PS3.4 annex J): a machine asks us to answer for its images before it deletes its own copy.

Rule 1: « safe » means safe on this box; also in the second building where the site says so.
Rule 2: an image is only answered for when its row, its class and every byte of its file are as they should be.
Rule 3: a doubt is a failure: the machine keeps its copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum


class Doubt(IntEnum):
    """(0008,1197) Failure Reason, PS3.3 C.14.1.1."""

    NO_SUCH_INSTANCE = 0x0112  # not here, set aside, or rejected
    CLASS_CONFLICT = 0x0119
    PROCESSING_FAILURE = 0x0110  # its file is damaged, incomplete, or not yet in the second building


@dataclass(frozen=True, slots=True)
class Named:
    """An image of a request: what the machine believes it sent."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """One N-ACTION: (0008,1195) and (0008,1199)."""

    transaction_uid: str
    calling_ae: str
    address: str
    images: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Commitment:
    """A request that waits: for its images, or for its machine to take the answer."""

    id: int
    transaction_uid: str
    calling_ae: str
    requested_at: datetime
    attempts: int
    judged_at: datetime | None

    @property
    def judged(self) -> bool:
        return self.judged_at is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the machine is told: the images we answer for, and the others with the reason."""

    transaction_uid: str
    calling_ae: str
    safe: tuple[Named, ...]
    failed: tuple[tuple[Named, Doubt], ...]


ARRIVING = timedelta(minutes=10)  # images may still be on their way
GIVE_UP = timedelta(hours=24)
_PAUSES = (1, 5, 15, 60)  # minutes; hourly from then on


def pause(attempts: int) -> timedelta:
    """How long after the attempt of this number (from 1) comes the next."""
    return timedelta(minutes=_PAUSES[min(attempts, len(_PAUSES)) - 1])
