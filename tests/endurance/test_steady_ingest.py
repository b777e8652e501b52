"""Four machines send for minutes on end while a stranger knocks: the box grows in nothing and loses nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.dicom import dimse, upper_layer
from tests.crash.books import Books
from tests.crash.machine import Counter, Machine
from tests.crash.mix import TITLES, Mix
from tests.days.site import Site
from tests.dicom.modality import Closed, Modality, associate_request, request_command
from tests.endurance.watched import Watched
from tests.people.images import CT_IMAGE, EXPLICIT

MIX = Mix(ct_every=40, big_every=1200)  # some 25 kB an object: ten minutes fit on a disk
DRIFT = 0.05
WAL_CAP = 64 << 20
READ_AGAIN_EVERY = 20  # at the end, of the files
# Seconds: of the run, until it is settled, of a window. SQLite's page caches, 16 MB a connection, take minutes to fill.
SHORT, LONG = (14, 5, 4), (600, 240, 60)


class Stranger:
    """Nobody knows it: it is rejected; and it comes as a machine that hangs up in the middle of an object."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._leaving = threading.Event()
        self.knocked = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._leaving.wait(0.2):
            with contextlib.suppress(Closed, OSError), Modality(self._address) as line:
                self._rejected(line) if self.knocked % 2 else self._hangs_up(line)
            self.knocked += 1

    def _rejected(self, line: Modality) -> None:
        line.send(associate_request(calling=b"PERSONNE"))
        assert line.pdu()[0] == upper_layer.ASSOCIATE_RJ

    def _hangs_up(self, line: Modality) -> None:
        line.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=TITLES[0])
        message = upper_layer.message(
            1, request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, "1.2.3"), bytes(100_000), 16_384
        )
        line.send(message[:60_000])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path).start().furnish()
    yield site
    site.close()


@pytest.mark.parametrize(
    ("seconds", "settled", "window"), [SHORT, pytest.param(*LONG, marks=pytest.mark.full)], ids=["short", "long"]
)
def test_a_box_that_ingests_without_end_grows_in_nothing(site: Site, seconds: int, settled: int, window: int) -> None:
    address, counter = ("127.0.0.1", site.box.port("dicom")), Counter()
    machines = [Machine(number, MIX, counter) for number in range(len(TITLES))]
    threads = [machine.start(address) for machine in machines]
    stranger, watched = Stranger(address), Watched(site.box.process.pid, site.data)
    threading.Event().wait(seconds)
    stranger.stop()
    watched.stop()
    for machine, thread in zip(machines, threads, strict=True):
        machine.leave()
        thread.join(60)
        assert machine.fault is None, machine.fault
    _report(watched, machines, stranger, seconds, settled, window)
    _check_growth(watched, settled, window, long=seconds == LONG[0])
    _check_books(site, machines)


def _report(
    watched: Watched, machines: list[Machine], stranger: Stranger, seconds: int, settled: int, window: int
) -> None:
    acknowledged, repeated = sum(len(m.acknowledged) for m in machines), sum(m.repeated for m in machines)
    print(f"\n{seconds} s: {acknowledged} objects, {repeated} sent again, {stranger.knocked} knocks of a stranger")
    for name in ("resident", "descriptors", "threads", "wal"):
        early, late = watched.drift(lambda sample, name=name: getattr(sample, name), settled, window)  # type: ignore[misc]
        highest = max(getattr(sample, name) for sample in watched.samples)
        print(f"{name:<12} settled {early:>14,.0f}   at the end {late:>14,.0f}   highest {highest:>14,}")
    every_minute = [f"{sample.resident / 1e6:.0f}" for sample in watched.samples[::60]]
    print("resident, MB, each minute:", " ".join(every_minute))


def _check_growth(watched: Watched, settled: int, window: int, long: bool) -> None:
    def flat(of: str, room: float) -> bool:
        early, late = watched.drift(lambda sample: int(getattr(sample, of)), settled, window)
        return late <= early * (1 + DRIFT) + room

    assert flat("descriptors", 1)
    assert flat("threads", 1)
    assert max(sample.wal for sample in watched.samples) <= WAL_CAP
    if long:  # a short run still warms its caches
        assert flat("resident", 0)


def _check_books(site: Site, machines: list[Machine]) -> None:
    """Everything acknowledged is there once; of the files, some are read again."""
    books = Books(site.data)
    books.check_files()
    rows = {uid for (uid,) in books.ask("SELECT sop_instance_uid FROM instance")}
    for machine in machines:
        assert machine.acknowledged.keys() <= rows
        for uid, number in list(machine.acknowledged.items())[::READ_AGAIN_EVERY]:
            assert books.images(uid, MIX.made(machine.number, number).digest) == 1
