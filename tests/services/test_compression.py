"""The archive grows smaller at night: nothing is lost, nothing is touched that may not be, whatever cuts it short."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.archive.part10 import read_file_meta
from core.clock import SetClock
from core.config import Archive, Config, Replica
from core.imaging.imaging import Imaging
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.process import Cancellation
from core.index.journal import note
from core.index.tables import Audit, Compression, Instance, Original, Quarantine, Step, Study
from core.model.people import Actor
from core.model.received import Arrival, Stored
from core.services import Ports, Services
from core.services.compression import IDLE_S, LATER_S, TARGETS
from core.services.originals import DELAY
from tests.archive.faulty_disk import Cut, FaultyDisk
from tests.people.descriptors import no_descriptor_left
from tests.people.hospital import MORNING, hospital, site_config
from tests.people.images import EXPLICIT, read_header, slice_of

PORTS = Ports(read_header=read_header)
NIGHT = MORNING + timedelta(hours=14)  # 22:30
CHILD = {"study": "1.2.3", "patient_id": "EXT-1", "name": "BARRY^Salif"}
DAY_S = DELAY.total_seconds() + 1


@pytest.fixture(scope="module")
def imaging() -> Iterator[Imaging]:
    room = Imaging(deadline_s=120)
    yield room
    room.close()


def always(folder: Path, **sections: object) -> Config:
    return site_config(folder, **{"archive": Archive("always"), **sections})


def turns(services: Services, most: int = 50) -> int:
    """Work until there is nothing to do; how many turns did something."""
    for done in range(most):
        if services.compression.turn() >= LATER_S:
            return done
    raise AssertionError("never ends")


def row(uid: str) -> Any:
    return Instance.get(Instance.sop_instance_uid == uid)


def pixels_of(services: Services, imaging: Imaging, uid: str) -> Any:
    return imaging.pixels(services.kit.archive.absolute(row(uid).path)).array()


def files(folder: Path) -> list[Path]:
    return sorted((folder / "archive").rglob("*.dcm"))


def change(services: Services, act: Callable[[], object]) -> None:
    services.kit.index.writer.do(lambda unit: act())


def rested(services: Services, uids: tuple[str, ...] = ("1.2.3.1", "1.2.3.2")) -> list[Arrival]:
    """Images of one known child, stored and left alone for two hours."""
    sent = [slice_of(uid, number=n, shade=n, **CHILD) for n, uid in enumerate(uids)]
    for each in sent:
        assert services.ingest.store(each).what is Stored.ARCHIVED
    clock = services.clock
    assert isinstance(clock, SetClock)
    clock.advance(7200)
    services.acquisition.settle(Actor.system("timer"))
    return sent


@pytest.fixture
def box(tmp_path: Path, imaging: Imaging) -> Iterator[Services]:
    with hospital(tmp_path, SetClock(NIGHT), PORTS, always(tmp_path), imaging=imaging) as services:
        yield services


def test_a_study_at_rest_is_compressed_without_losing_a_value(box: Services, imaging: Imaging, tmp_path: Path) -> None:
    sent = rested(box)
    before = {uid: pixels_of(box, imaging, uid).copy() for uid in ("1.2.3.1", "1.2.3.2")}
    bytes_before = Study.get().bytes
    old = {uid: row(uid) for uid in before}
    assert turns(box) == 2
    for uid, pixels in before.items():
        new = row(uid)
        assert new.transfer_syntax == TARGETS[0]
        assert (new.key, new.id) == (old[uid].key, old[uid].id), "the image is the same image"
        assert new.path != old[uid].path
        assert new.size < old[uid].size / 2
        assert np.array_equal(pixels_of(box, imaging, uid), pixels)
        assert box.kit.archive.absolute(old[uid].path).exists(), "the original is still there"
        meta = read_file_meta(box.kit.archive.absolute(new.path).read_bytes())
        assert (meta.transfer_syntax, meta.sop_instance_uid, meta.source_ae) == (TARGETS[0], uid, "SCANNER1")
    assert Study.get().bytes == sum(i.size for i in Instance.select())
    told = box.status()["compression"]
    assert (told["compressed"], told["gained_bytes"]) == (2, bytes_before - Study.get().bytes)
    assert told["originals_bytes"] == bytes_before
    assert Audit.select().where(Audit.action == "transcode").count() == 2
    assert len(sent) == 2


def test_the_same_object_sent_again_is_a_success_without_a_new_file(box: Services, tmp_path: Path) -> None:
    first, _second = rested(box)
    turns(box)
    there = files(tmp_path)
    assert box.ingest.store(first).what is Stored.DUPLICATE
    box.clock.advance(DAY_S)  # type: ignore[attr-defined]
    turns(box)
    assert box.ingest.store(first).what is Stored.DUPLICATE, "also when the original is gone"
    assert len(files(tmp_path)) == len(there) - 2
    assert Quarantine.select().count() == 0


def test_another_image_under_the_same_uid_is_a_conflict_as_ever(box: Services) -> None:
    rested(box)
    turns(box)
    assert box.ingest.store(slice_of("1.2.3.1", shade=9)).what is Stored.QUARANTINED


def test_originals_go_after_a_day_and_leave_their_tombstone(box: Services, imaging: Imaging, tmp_path: Path) -> None:
    rested(box)
    turns(box)
    assert len(files(tmp_path)) == 4
    box.clock.advance(DAY_S)  # type: ignore[attr-defined]
    turns(box)
    assert {str(f.relative_to(tmp_path)) for f in files(tmp_path)} == {i.path for i in Instance.select()}
    assert all(original.removed_at is not None for original in Original.select())
    assert Audit.select().where(Audit.action == "remove_original").count() == 2
    assert box.status()["compression"]["originals_bytes"] == 0
    assert pixels_of(box, imaging, "1.2.3.2").shape == (64, 64)


def test_originals_wait_until_the_second_building_has_the_new_file(tmp_path: Path, imaging: Imaging) -> None:
    config = always(tmp_path, replica=Replica(target="/nowhere"))
    with hospital(tmp_path, SetClock(NIGHT), PORTS, config, imaging=imaging) as box:
        rested(box)
        turns(box)
        box.clock.advance(DAY_S)  # type: ignore[attr-defined]
        turns(box)
        assert len(files(tmp_path)) == 4, "nobody has acknowledged anything"
        first, second = Original.select().order_by(Original.id)
        box.kit.index.writer.do(lambda unit: note(unit, "bulk", 1, first.after_seq))
        turns(box)
        assert not box.kit.archive.absolute(first.file).exists()
        assert box.kit.archive.absolute(second.file).exists()
        box.kit.index.writer.do(lambda unit: note(unit, "seeding", 1, 0))
        box.kit.index.writer.do(lambda unit: note(unit, "bulk", 1, second.after_seq))
        turns(box)
        assert box.kit.archive.absolute(second.file).exists(), "a new copy is being made"


def test_an_original_takes_its_place_again_when_the_new_file_is_damaged(
    box: Services, imaging: Imaging, tmp_path: Path
) -> None:
    rested(box)
    before = pixels_of(box, imaging, "1.2.3.1").copy()
    turns(box)
    damaged = box.kit.archive.absolute(row("1.2.3.1").path)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    box.clock.advance(DAY_S)  # type: ignore[attr-defined]
    turns(box)
    assert row("1.2.3.1").transfer_syntax == EXPLICIT
    assert np.array_equal(pixels_of(box, imaging, "1.2.3.1"), before)
    assert row("1.2.3.2").transfer_syntax == TARGETS[0]
    assert Study.get().bytes == sum(i.size for i in Instance.select())


def test_the_original_sent_again_heals_a_compressed_file_that_is_damaged(box: Services, imaging: Imaging) -> None:
    first, _second = rested(box)
    before = pixels_of(box, imaging, "1.2.3.1").copy()
    turns(box)
    box.clock.advance(DAY_S)  # type: ignore[attr-defined]
    turns(box)
    damaged = box.kit.archive.absolute(row("1.2.3.1").path)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert box.ingest.store(first).what is Stored.DUPLICATE
    assert Study.get().bytes == sum(i.size for i in Instance.select())
    assert row("1.2.3.1").transfer_syntax == EXPLICIT
    assert np.array_equal(pixels_of(box, imaging, "1.2.3.1"), before)


def test_an_original_that_is_damaged_already_is_said_and_not_copied(box: Services) -> None:
    rested(box)
    damaged = box.kit.archive.absolute(row("1.2.3.1").path)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    turns(box)
    assert row("1.2.3.1").damaged_at is not None
    assert row("1.2.3.1").transfer_syntax == EXPLICIT
    assert row("1.2.3.2").transfer_syntax == TARGETS[0]


def test_a_box_without_a_free_descriptor_takes_no_file_for_damaged(box: Services) -> None:
    rested(box)
    with no_descriptor_left():
        assert box.compression.turn() == LATER_S
    assert Instance.select().where(Instance.damaged_at.is_null(False)).count() == 0
    assert turns(box) == 2


def test_an_image_too_big_for_the_worker_holds_up_no_other(box: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    rested(box)
    imaging = box.compression._imaging
    assert imaging is not None
    true, first = imaging.transcode, box.kit.archive.absolute(row("1.2.3.1").path)

    def too_big(file: Path, *rest: Any, **more: Any) -> Any:
        if file == first:
            raise NotDisplayable(Reason.NO_MEMORY)
        return true(file, *rest, **more)

    monkeypatch.setattr(imaging, "transcode", too_big)
    turns(box)
    assert (row("1.2.3.1").transfer_syntax, row("1.2.3.2").transfer_syntax) == (EXPLICIT, TARGETS[0])
    assert box.status()["compression"]["left_as_received"] == 1


def test_a_box_that_leaves_takes_the_image_up_again(box: Services) -> None:
    rested(box)
    leaving = Cancellation()
    leaving.cancel()
    box.compression.turn(leaving)
    assert row("1.2.3.1").transfer_syntax == EXPLICIT
    assert turns(box) == 2


DOUBTS: dict[str, Callable[[], object]] = {
    "unreconciled": lambda: Study.update(match="unreconciled").execute(),
    "another's exam": lambda: Study.update(suspect_step_id=7).execute(),
    "an image just came": lambda: Study.update(last_image_at=NIGHT + timedelta(seconds=7100)).execute(),
    "a damaged image": lambda: Instance.update(damaged_at=NIGHT).execute(),
    "an incomplete image": lambda: Instance.update(incomplete=True).execute(),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_study_in_doubt_is_left_alone(box: Services, doubt: str) -> None:
    rested(box)
    change(box, DOUBTS[doubt])
    turns(box)
    assert {i.transfer_syntax for i in Instance.select()} == {EXPLICIT}


@pytest.mark.parametrize(
    ("status", "flags", "taken"),
    [("STARTED", (), False), ("COMPLETED", ("identity_doubtful",), False), ("COMPLETED", (), True)],
)
def test_an_exam_under_way_or_in_doubt_is_left_alone(
    box: Services, status: str, flags: tuple[str, ...], taken: bool
) -> None:
    rested(box)
    change(box, Step.update(status=status, flags=flags).where(Step.id == Study.get().step_id).execute)
    turns(box)
    assert ({i.transfer_syntax for i in Instance.select()} == {TARGETS[0]}) is taken


def test_it_works_in_the_night_of_the_site_only(tmp_path: Path, imaging: Imaging) -> None:
    clock = SetClock(MORNING)
    config = site_config(tmp_path, archive=Archive("night", 20, 6))
    with hospital(tmp_path, clock, PORTS, config, imaging=imaging) as box:
        rested(box)
        assert box.compression.turn() == LATER_S
        assert row("1.2.3.1").transfer_syntax == EXPLICIT
        clock.advance(12 * 3600)
        assert turns(box) == 2


@pytest.mark.parametrize("why", ["off", "battery", "arrivals", "disk"])
def test_it_gives_way(tmp_path: Path, imaging: Imaging, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ports = SetClock(NIGHT), replace(PORTS, on_battery=lambda: why == "battery")
    config = always(tmp_path, archive=Archive("off" if why == "off" else "always"))
    with hospital(tmp_path, clock, ports, config, imaging=imaging) as box:
        rested(box)
        if why == "arrivals":
            box.ingest.store(slice_of("1.9.9", study="1.9", patient_id="EXT-2"))
        if why == "disk":
            monkeypatch.setattr(box.kit.archive, "free_percent", lambda: -1.0)
        assert box.compression.turn() == LATER_S
        assert row("1.2.3.1").transfer_syntax == EXPLICIT
        clock.advance(20)
        if why == "arrivals":
            assert turns(box) == 2


def test_what_cannot_be_smaller_is_left_once_and_looked_at_again_when_more_comes(
    box: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(1).integers(0, 65536, 4096).astype("<u2").tobytes()
    box.ingest.store(slice_of("1.2.3.1", PixelData=noise, BitsStored=16, HighBit=15, **CHILD))
    rested(box, ("1.2.3.2",))
    asked: list[object] = []
    imaging = box.compression._imaging
    assert imaging is not None
    true = imaging.transcode
    monkeypatch.setattr(imaging, "transcode", lambda *a, **k: (asked.append(a[0]), true(*a, **k))[1])
    turns(box)
    turns(box)
    assert len(asked) == 2
    looked = Compression.get_by_id(Study.get().id)
    assert (looked.kept, looked.files, looked.instances) == (1, 1, 2)
    rested(box, ("1.2.3.3",))
    turns(box)
    assert row("1.2.3.3").transfer_syntax == TARGETS[0]
    assert box.status()["compression"]["left_as_received"] == 1


def test_a_full_disk_in_the_middle_leaves_nothing_behind(
    box: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested(box)
    there = files(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(box.kit.archive.disk, "write", full)
    assert box.compression.turn() == LATER_S
    assert files(tmp_path) == there
    assert not list(tmp_path.rglob("*.part")) + list(tmp_path.rglob("*.spool"))
    monkeypatch.undo()
    assert turns(box) == 2


def test_a_patient_whose_identity_comes_into_doubt_meanwhile_keeps_the_file(
    box: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested(box)
    there = files(tmp_path)
    true = box.kit.archive.store_spooled

    def in_doubt(*args: Any) -> Any:
        stored = true(*args)
        box.kit.index.writer.do(lambda unit: Study.update(match="unreconciled").execute())
        return stored

    monkeypatch.setattr(box.kit.archive, "store_spooled", in_doubt)
    turns(box)
    assert files(tmp_path) == there
    assert Original.select().count() == 0


def operations(tmp_path: Path, imaging: Imaging, act: Callable[[Services], object]) -> int:
    """How many operations of the disk the act makes."""
    disk = FaultyDisk()
    with hospital(tmp_path, SetClock(NIGHT), PORTS, always(tmp_path), disk, imaging) as box:
        rested(box)
        before = len(disk.log)
        act(box)
        return len(disk.log) - before


def compress_all(box: Services) -> None:
    turns(box)


def remove_all(box: Services) -> None:
    turns(box)
    box.clock.advance(DAY_S)  # type: ignore[attr-defined]
    turns(box)


@pytest.mark.parametrize("act", [compress_all, remove_all])
def test_a_power_cut_at_any_point_loses_no_image_and_doubles_none(
    tmp_path: Path, imaging: Imaging, act: Callable[[Services], object]
) -> None:
    points = operations(tmp_path / "count", imaging, act)
    assert points >= 10
    for point in range(points):
        folder, disk = tmp_path / str(point), FaultyDisk()
        with hospital(folder, SetClock(NIGHT), PORTS, always(folder), disk, imaging) as box:
            sent = rested(box)
            before = {uid: pixels_of(box, imaging, uid).copy() for uid in ("1.2.3.1", "1.2.3.2")}
            disk.stop_at = len(disk.log) + point
            with pytest.raises(Cut):
                act(box)
            disk.stop_at = None
            disk.lose_power()
        later = SetClock(NIGHT + timedelta(hours=3))
        with hospital(folder, later, PORTS, always(folder), imaging=imaging) as box:
            found = box.recover()
            assert (found.missing, found.conflicts, found.unreadable, found.damaged) == ([], 0, [], []), point
            for uid, pixels in before.items():
                assert np.array_equal(pixels_of(box, imaging, uid), pixels), point
            remove_all(box)
            assert {i.transfer_syntax for i in Instance.select()} == {TARGETS[0]}, point
            assert {str(f.relative_to(folder)) for f in files(folder)} == {i.path for i in Instance.select()}, point
            assert [box.ingest.store(each).what for each in sent] == [Stored.DUPLICATE] * 2, point
            assert Quarantine.select().count() == 0
            for uid, pixels in before.items():
                assert np.array_equal(pixels_of(box, imaging, uid), pixels), point


def test_an_index_made_anew_from_the_files_still_knows_the_original(tmp_path: Path, imaging: Imaging) -> None:
    with hospital(tmp_path, SetClock(NIGHT), PORTS, always(tmp_path), imaging=imaging) as box:
        first, second = rested(box)
        turns(box)
    (tmp_path / "index.sqlite").unlink()
    with hospital(tmp_path, SetClock(NIGHT), PORTS, always(tmp_path), imaging=imaging) as box:
        found = box.reindex()
        assert (found.adopted, found.conflicts) == (2, 0), "originals and copies are one image each"
        assert len(files(tmp_path)) == 4, "and nothing was deleted"
        for each in (first, second):
            assert box.ingest.store(each).what is Stored.DUPLICATE
        assert Quarantine.select().count() == 0


def test_a_backup_from_before_finds_its_images_under_their_new_names(tmp_path: Path, imaging: Imaging) -> None:
    with hospital(tmp_path, SetClock(NIGHT), PORTS, always(tmp_path), imaging=imaging) as box:
        first, _second = rested(box)
        before = pixels_of(box, imaging, "1.2.3.1").copy()
        with sqlite3.connect(tmp_path / "index.sqlite") as live, sqlite3.connect(tmp_path / "backup") as copy:
            live.backup(copy)
        live.close()
        copy.close()
        remove_all(box)
    for left in ("index.sqlite-wal", "index.sqlite-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    (tmp_path / "backup").rename(tmp_path / "index.sqlite")
    with hospital(tmp_path, SetClock(NIGHT), PORTS, always(tmp_path), imaging=imaging) as box:
        assert not box.kit.archive.absolute(row("1.2.3.1").path).exists()
        assert box.reindex().conflicts == 0
        assert np.array_equal(pixels_of(box, imaging, "1.2.3.1"), before)
        assert box.ingest.store(first).what is Stored.DUPLICATE
        assert turns(box) == 0
        assert IDLE_S > LATER_S
