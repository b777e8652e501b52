"""A power cut before every operation of the disk, on every way in: big objects, quarantine, and what heals a damage.

What was acknowledged is there, whole; nothing lies without a row, no row names what is not there; sent again, the
object is kept once. The number of operations is not known beforehand: each story ends when it was not cut any more.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.archive.part10 import read_file_meta
from core.index.tables import Instance, Quarantine
from core.model.received import Arrival, Reason, Stored
from core.services import Ports, Services
from tests.archive.faulty_disk import Cut, FaultyDisk
from tests.people.hospital import hospital
from tests.people.images import arrival, read_header

PORTS = Ports(read_header=read_header)
FIRST, OTHER, UNREADABLE = arrival("1.2.3.1"), arrival("1.2.3.1", shade=1), replace(arrival("1.2.3.9"), header=None)
NEW_DAY = arrival("1.2.9.1", study="1.2.9")

Spooled = Callable[[Services, Arrival], Arrival]


@dataclass(frozen=True, slots=True)
class Story:
    """What is there, what arrives when the power goes, and where its bytes are in the end."""

    sent: Arrival
    outcome: Stored
    before: Callable[[Services], None] = lambda services: None
    operations: int = 5  # at least: create, write, sync, rename, sync the folder


def first_there(services: Services) -> None:
    services.ingest.store(FIRST)


def first_damaged(services: Services) -> None:
    first_there(services)
    file = services.kit.archive.absolute(Instance.get().path)
    file.write_bytes(file.read_bytes()[:-20])


def first_vanished(services: Services) -> None:
    first_there(services)
    services.kit.archive.absolute(Instance.get().path).unlink()


def conflict_vanished(services: Services) -> None:
    first_there(services)
    services.ingest.store(OTHER)
    services.kit.archive.absolute(Quarantine.get().path).unlink()


STORIES = {
    "a new study": Story(NEW_DAY, Stored.ARCHIVED, operations=7),
    "unreadable": Story(UNREADABLE, Stored.QUARANTINED),
    "a conflict": Story(OTHER, Stored.QUARANTINED, first_there),
    "a conflict whose file is no more": Story(OTHER, Stored.QUARANTINED, conflict_vanished),
    "what heals a damaged file": Story(FIRST, Stored.DUPLICATE, first_damaged, operations=6),
    "what takes the place of a lost file": Story(FIRST, Stored.DUPLICATE, first_vanished),
}


def in_memory(_services: Services, sent: Arrival) -> Arrival:
    return sent


def spooled(services: Services, sent: Arrival) -> Arrival:
    """As the door lays down what is too big for memory."""
    file = services.kit.archive.absolute("spool/0f.spool")
    file.write_bytes(sent.dataset)
    return replace(sent, dataset=b"", spooled=str(file))


@pytest.mark.parametrize("handed", [in_memory, spooled])
@pytest.mark.parametrize("name", STORIES)
def test_a_cut_anywhere_loses_nothing_acknowledged(tmp_path: Path, name: str, handed: Spooled) -> None:
    story = STORIES[name]
    for point in itertools.count():
        if cut_at(tmp_path / str(point), story, handed, point):
            break
    assert point >= story.operations


def cut_at(folder: Path, story: Story, handed: Spooled, point: int) -> bool:
    """Whether the story ended before the cut."""
    disk = FaultyDisk()
    with hospital(folder, disk=disk, ports=PORTS) as services:
        story.before(services)
        disk.stop_at = len(disk.log) + point
        acknowledged = False
        try:
            acknowledged = services.ingest.store(handed(services, story.sent)).what is story.outcome
            assert acknowledged
        except Cut:
            pass
        disk.stop_at = None
        disk.lose_power()
    with hospital(folder, ports=PORTS) as services:
        services.recover()
        assert not [*folder.rglob("*.part"), *folder.rglob("*.spool")]
        if acknowledged:
            assert times_kept(services, story.sent) == 1
        assert services.ingest.store(handed(services, story.sent)).what in (story.outcome, Stored.DUPLICATE)
        (folder / "spool" / "0f.spool").unlink(missing_ok=True)  # the door's own
        assert times_kept(services, story.sent) == 1
        check_files(services, folder)
    return acknowledged


def times_kept(services: Services, sent: Arrival) -> int:
    """Rows whose file is what they promise, and holds these bytes."""
    kept = 0
    for row in [*Instance.select(), *Quarantine.select()]:
        content = services.kit.archive.absolute(row.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row.sha256, row.path
        kept += content[read_file_meta(content).dataset_offset :] == bytes(sent.dataset)
    return kept


def check_files(services: Services, folder: Path) -> None:
    """Every file has its row, every row its file; what was received first is never another's."""
    named = [row.path for row in [*Instance.select(), *Quarantine.select()]]
    lying = [str(file.relative_to(folder)) for place in ("archive", "quarantine") for file in files(folder / place)]
    assert sorted(named) == sorted(lying)
    assert len(set(named)) == len(named)
    reasons = {str(Reason.DUPLICATE_CONFLICT), str(Reason.BAD_STRUCTURE)}
    assert {row.reason for row in Quarantine.select()} <= reasons


def files(place: Path) -> list[Path]:
    return list(place.rglob("*.dcm"))
