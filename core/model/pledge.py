"""Storage commitment the other way: an archive to which we sent images is asked to answer for them.

What it answers is kept with the study, and what it does not hold becomes a line for a person. Nothing is deleted here
because of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.model.commitment import Named

ANSWER_WITHIN = timedelta(hours=24)
MOST_PATIENCE = timedelta(days=3)  # with an archive that takes the question and never answers


@dataclass(frozen=True, slots=True)
class Pledge:
    """A question that waits to be asked, or for its answer."""

    id: int
    transaction_uid: str
    archive: str  # AE title
    images: tuple[Named, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What an archive said: SOP Instance UIDs that it answers for, and the others with (0008,1197)."""

    transaction_uid: str
    safe: tuple[str, ...]
    failed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PledgeLine:
    """A question as a list shows it. state: ASK, ASKED, ANSWERED, ABANDONED."""

    id: int
    archive: str
    study_id: int
    images: int
    failed: int
    state: str
    why: str
    asked_at: datetime | None
    answered_at: datetime | None
