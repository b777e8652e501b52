"""An act that is asked for twice (double click, cut line) is done once and answered twice.

The form carries a random key. The first request runs the act; a second one with the same key waits for it and gets
the same answer. A refusal is not kept: the person corrects and sends the same form again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from core.clock import Clock


@dataclass(slots=True)
class _Entry:
    at: float
    lock: Lock = field(default_factory=Lock)
    answer: str | None = None


class Once:
    """Answers are kept for `seconds`, at most `limit` of them. An answer is where to send the browser next."""

    def __init__(self, clock: Clock, seconds: float = 600, limit: int = 2000) -> None:
        self._clock, self._seconds, self._limit = clock, seconds, limit
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._lock = Lock()

    def run(self, person: str, key: str, act: Callable[[], str]) -> str:
        """The answer of `act`, or of the earlier run with this key. A form without a key always acts."""
        if not key:
            return act()
        entry = self._entry((person, key))
        with entry.lock:
            if entry.answer is None:
                entry.answer = act()
            return entry.answer

    def _entry(self, key: tuple[str, str]) -> _Entry:
        now = self._clock.monotonic()
        with self._lock:
            for old in [k for k, e in self._entries.items() if now - e.at > self._seconds]:
                del self._entries[old]
            while len(self._entries) >= self._limit:
                self._entries.popitem(last=False)
            return self._entries.setdefault(key, _Entry(now))
