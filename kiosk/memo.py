"""A value that may be a few seconds old, computed by one thread at a time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from core.clock import Clock

T = TypeVar("T")


class Memo(Generic[T]):
    def __init__(self, clock: Clock, seconds: float, make: Callable[[], T]) -> None:
        self._clock, self._seconds, self._make = clock, seconds, make
        self._lock = Lock()
        self._value: T | None = None
        self._until = 0.0

    def value(self) -> T:
        with self._lock:
            if self._value is None or self._clock.monotonic() >= self._until:
                self._value = self._make()
                self._until = self._clock.monotonic() + self._seconds
            return self._value
