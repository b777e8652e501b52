"""Counts what browsers report against our Content-Security-Policy, per day; the administrator sees the counts."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from threading import Lock

DAYS = 30


class CspReports:
    def __init__(self) -> None:
        self._counts: OrderedDict[date, int] = OrderedDict()
        self._lock = Lock()

    def add(self, day: date) -> None:
        with self._lock:
            self._counts[day] = self._counts.get(day, 0) + 1
            while len(self._counts) > DAYS:
                self._counts.popitem(last=False)

    def on(self, day: date) -> int:
        return self._counts.get(day, 0)

    def total(self) -> int:
        with self._lock:
            return sum(self._counts.values())
