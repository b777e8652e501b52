"""Studies that go to another machine by themselves: the rules, and one study on its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

STABLE: Final = timedelta(seconds=60)  # without a new image, before a study leaves
GIVE_UP: Final = timedelta(days=7)  # a machine that is off that long
MOST_REFUSALS: Final = 5  # attempts at objects that a machine does not take
_PAUSES: Final = (1, 5, 15, 60)  # minutes; hourly from then on


@dataclass(frozen=True, slots=True)
class Route:
    """Every new study of this modality that this machine sent goes to `destination`; "" is any."""

    destination: str
    source: str = ""
    modality: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """One study on its way to one machine. only: what is left after a partial attempt, empty = everything."""

    id: int
    study_id: int
    destination: str
    above: int
    upto: int
    attempts: int
    created_at: datetime
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TransferLine:
    """A transfer as a list shows it."""

    id: int
    study_instance_uid: str
    destination: str
    state: str
    sent: int
    attempts: int
    why: str
    next_at: datetime


def pause(attempts: int) -> timedelta:
    """How long after the attempt of this number (from 1) comes the next."""
    return timedelta(minutes=_PAUSES[min(max(attempts, 1), len(_PAUSES)) - 1])
