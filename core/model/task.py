"""A line for people: what somebody must look at, and until when it waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.model.people import Role


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One waiting line. ends_by_itself: it leaves with what it speaks of, nobody ticks it off."""

    id: int
    kind: str
    text: str
    role: Role
    asked_at: datetime
    step_id: int | None = None
    patient_id: int | None = None
    study_id: int | None = None
    ends_by_itself: bool = False
