"""A morning of the demo begins once a day, and says the same whenever it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from install.demo.his import letters_of
from install.demo.morning import Morning, morning_of

EIGHT = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def test_a_second_start_of_the_day_goes_on_with_its_morning(tmp_path: Path) -> None:
    assert morning_of(tmp_path, EIGHT) == Morning(EIGHT, True)
    assert morning_of(tmp_path, EIGHT + timedelta(hours=3)) == Morning(EIGHT, False)
    assert morning_of(tmp_path, EIGHT + timedelta(days=1)) == Morning(EIGHT + timedelta(days=1), True)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"began": 3}', '{"began": "hier"}'])
def test_a_morning_that_cannot_be_read_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "demo.json").write_text(text)
    assert morning_of(tmp_path, EIGHT).is_new


def test_the_letters_of_a_morning_are_the_same_each_time() -> None:
    letters = letters_of(EIGHT)
    assert letters == letters_of(EIGHT)
    assert len({number for number, _letter in letters}) == len(letters)
    assert all(f"|{number}|P|2.5".encode() in letter for number, letter in letters)
    assert not {letter for _n, letter in letters} & {letter for _n, letter in letters_of(EIGHT + timedelta(days=1))}
