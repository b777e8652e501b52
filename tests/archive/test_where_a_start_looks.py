"""The notes of where files appeared: a start after a cut looks at those days, and only at those."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.archive.store import PAGE, Archive
from core.clock import SetClock
from tests.archive.faulty_disk import FaultyDisk
from tests.people.hospital import MORNING

TODAY, LONG_AGO, LONGER_AGO = date(2026, 11, 24), date(2026, 10, 1), date(2026, 9, 1)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


def archive_of(data: Path, clock: SetClock, disk: FaultyDisk | None = None) -> Archive:
    return Archive(data, b"secret", 1, clock, disk)


def keep(archive: Archive, study: str, day: date) -> str:
    folder = archive.folder_of(study, day)
    archive.store(folder, [b"an image"])
    return folder


def test_a_second_study_of_the_same_day_costs_no_note(tmp_path: Path, clock: SetClock) -> None:
    disk = FaultyDisk()
    archive = archive_of(tmp_path, clock, disk)
    keep(archive, "1.2.1", TODAY)
    before = len(disk.log)
    keep(archive, "1.2.2", TODAY)
    assert not [operation for operation in disk.log[before:] if operation.startswith("append")]


def test_a_start_looks_at_every_study_of_a_noted_day(tmp_path: Path, clock: SetClock) -> None:
    archive = archive_of(tmp_path, clock)
    folders = {keep(archive, "1.2.1", TODAY), keep(archive, "1.2.2", TODAY), keep(archive, "1.2.3", LONG_AGO)}
    archive.store("quarantine", [b"bytes"])
    assert set(archive_of(tmp_path, clock).touched()) == folders | {"quarantine"}


def test_after_two_pages_an_old_day_is_settled(tmp_path: Path, clock: SetClock) -> None:
    archive = archive_of(tmp_path, clock)
    archive.settled()
    old = keep(archive, "1.2.3", LONG_AGO)
    clock.advance(PAGE)
    new = keep(archive, "1.2.1", TODAY)
    assert set(archive.touched()) == {old, new}, "one page back, an image may still be on its way to its row"
    clock.advance(PAGE)
    keep(archive, "1.2.1", TODAY)
    assert archive.touched() == [new]


def test_what_an_earlier_run_left_is_kept_until_it_is_settled(tmp_path: Path, clock: SetClock) -> None:
    """A start on a full disk could not look: the notes of the run before stay however long this one lasts."""
    old = keep(archive_of(tmp_path, clock), "1.2.3", LONG_AGO)
    archive = archive_of(tmp_path, clock)
    for day in (LONGER_AGO, TODAY, TODAY):
        clock.advance(PAGE)
        keep(archive, "1.2.1", day)
    assert old in archive.touched()
