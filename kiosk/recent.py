"""Which keys were seen lately, so that a hundred frames of one series are one write and not a hundred."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from core.clock import Clock


class Recent:
    """Bounded: the oldest key is forgotten first."""

    def __init__(self, clock: Clock, seconds: float, limit: int = 5000) -> None:
        self._clock, self._seconds, self._limit = clock, seconds, limit
        self._seen: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = Lock()

    def is_new(self, key: Hashable) -> bool:
        """True the first time, and again when `seconds` have passed since the last True."""
        now = self._clock.monotonic()
        with self._lock:
            last = self._seen.get(key)
            if last is not None and now - last < self._seconds:
                return False
            self._seen[key] = now
            self._seen.move_to_end(key)
            while len(self._seen) > self._limit:
                self._seen.popitem(last=False)
            return True
