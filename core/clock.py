"""The one place where Yelen reads the time, so that tests can turn the hands.

Wall time is shown and recorded, never used for ordering: order is the index's sequence number.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time in UTC and a monotonic counter of seconds."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SetClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs a time zone")
        self._now = start.astimezone(UTC)
        self._ticks = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._ticks

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._ticks += seconds

    def jump(self, seconds: float) -> None:
        """The wall clock is set wrong or corrected; monotonic time does not move."""
        self._now += timedelta(seconds=seconds)


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, the one spelling of a moment in the index."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(stamped: str) -> datetime:
    """The moment of a `stamp`."""
    return datetime.fromisoformat(stamped)
