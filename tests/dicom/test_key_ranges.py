"""Date and time keys, one row for each spelling seen in the field."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from core.dicom.key_ranges import KeyRange, combine, date_range, time_range
from core.errors import BadInput

OUAGA = ZoneInfo("Africa/Ouagadougou")


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("20261122", "20261122", "20261122"),
        ("20261122-", "20261122", ""),
        ("-20261122", "", "20261122"),
        ("20261122-20261122", "20261122", "20261122"),
        ("20261122 - 20261124 ", "20261122", "20261124"),
        ("2026.11.22", "20261122", "20261122"),
        ("2026.11.22-2026.11.24", "20261122", "20261124"),
        ("", "", ""),
        ("*", "", ""),
        ("-", "", ""),
        ("202611*", "", ""),
    ],
)
def test_dates(key: str, low: str, high: str) -> None:
    found = date_range(key)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("0830", "0830", "0830"),
        ("120000-", "120000", ""),
        ("-12:00", "", "1200"),
        ("08:30:00-17:30:00.5", "083000", "173000.5"),
        ("*", "", ""),
    ],
)
def test_times(key: str, low: str, high: str) -> None:
    found = time_range(key)
    assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize("key", ["2026", "yesterday", "20261122-x", "1;DROP", "20261122-20261123-20261124"])
def test_what_is_no_date_is_said(key: str) -> None:
    with pytest.raises(BadInput):
        date_range(key)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=OUAGA)  # type: ignore[arg-type,misc]


def test_a_date_range_with_a_time_range_is_one_interval() -> None:
    when = combine(date_range("20261122-20261124"), time_range("0800-1700"), OUAGA)
    assert (when.start, when.end) == (at(2026, 11, 22, 8), at(2026, 11, 24, 17, 0, 59, 999_999))
    assert not when.daily


def test_one_date_with_a_time_is_within_that_day() -> None:
    when = combine(date_range("20261122"), time_range("08-"), OUAGA)
    assert (when.start, when.end) == (at(2026, 11, 22, 8), at(2026, 11, 22, 23, 59, 59, 999_999))


def test_a_time_range_without_a_date_applies_to_each_day() -> None:
    when = combine(KeyRange(), time_range("120000-"), OUAGA)
    assert (when.start, when.end, when.daily) == (None, None, KeyRange("120000", ""))


def test_a_date_range_with_one_time_applies_it_to_each_day() -> None:
    when = combine(date_range("20261122-20261124"), time_range("0800"), OUAGA)
    assert (when.start, when.end) == (at(2026, 11, 22), at(2026, 11, 24, 23, 59, 59, 999_999))
    assert when.daily == KeyRange("0800", "0800", True)


def test_an_impossible_date_is_said() -> None:
    with pytest.raises(BadInput):
        combine(date_range("20261322"), KeyRange(), OUAGA)
