"""Date and time keys of a query: single values, ranges, and the spellings seen in the field.

`20261122`, `20261122-`, `-20261122`, `2026.11.22`, `08:30-`, `*`. Source: PS3.4 C.2.2.2.5, PS3.5 6.2 (DA, TM).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from core.errors import BadInput
from core.i18n import _

_DATE: Final = re.compile(r"\d{8}")
_TIME: Final = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Bounds as DICOM spells them, "" = open. Both empty: universal. single: both bounds are one value."""

    low: str = ""
    high: str = ""
    single: bool = False

    def __bool__(self) -> bool:
        return bool(self.low or self.high)


def date_range(key: str) -> KeyRange:
    """A DA key. Raises `BadInput`."""
    return _range(key.replace(".", ""), _DATE, "StudyDate")


def time_range(key: str) -> KeyRange:
    """A TM key. Raises `BadInput`."""
    return _range(key.replace(":", ""), _TIME, "StudyTime")


def _range(key: str, shape: re.Pattern[str], name: str) -> KeyRange:
    text = key.replace(" ", "")
    if not text.strip("*-") or "*" in text or "?" in text:
        return KeyRange()  # a wildcard has no meaning here: universal
    low, dash, high = text.partition("-")
    if not dash:
        high = low
    if not all(shape.fullmatch(bound) for bound in (low, high) if bound):
        raise BadInput(_("Date ou heure illisible : %s") % key[:40], name)
    return KeyRange(low, high, not dash)


@dataclass(frozen=True, slots=True)
class When:
    """Date and time keys together. start, end: moments, None = open; daily: bounds of every day's time."""

    start: datetime | None = None
    end: datetime | None = None
    daily: KeyRange = KeyRange()


def combine(day: KeyRange, hour: KeyRange, zone: ZoneInfo) -> When:
    """One date, or a date range with a time range: d1 t1 to d2 t2. Otherwise the time applies to each day."""
    joined = day.single or bool(hour and not hour.single)
    if not day or not joined:
        return When(_moment(day.low, "", zone), _moment(day.high, "", zone, end=True), hour)
    return When(_moment(day.low, hour.low, zone), _moment(day.high, hour.high, zone, end=True))


def _moment(day: str, hour: str, zone: ZoneInfo, end: bool = False) -> datetime | None:
    if not day:
        return None
    try:
        return datetime.combine(_date(day), _time(hour, end), zone)
    except ValueError as error:
        raise BadInput(_("Date ou heure impossible : %s") % f"{day} {hour}".strip(), "StudyDate") from error


def _date(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _time(text: str, end: bool) -> time:
    """A TM value as the first or the last moment it covers: `08` ends at 08:59:59.999999."""
    whole, _dot, fraction = text.partition(".")
    digits = whole + ("235959" if end else "000000")[len(whole) :]
    micro = int(fraction.ljust(6, "0")) if fraction else (999_999 if end else 0)
    return time(int(digits[:2]), int(digits[2:4]), min(int(digits[4:6]), 59), micro)
