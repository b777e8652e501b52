"""kill -9 in full ingest, again and again on one data folder: four machines, every size, some objects sent twice.

What was acknowledged is there once, byte for byte, after every start; no row without its file, no file without its
row. Rounds are seeded: how many objects are acknowledged before the kill, and how long after the last of them it comes.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter as Tally
from pathlib import Path

import pytest

from core.rpc.contract import Status, VerifyAudit
from tests.crash.books import Books
from tests.crash.kill import leave_by_themselves
from tests.crash.machine import Counter, Machine
from tests.crash.mix import TITLES, Mix
from tests.days.site import Site

KILLS, SEED = 6, 20261124
MIX = Mix(ct_every=4, big_every=60)
OBJECTS = (2, 60)  # acknowledged before a kill
SPIN = (2.0, 5.7)  # power of ten of a loop of nothing after that: up to some 10 ms
WITHOUT_ORDERS = frozenset({"an exam without its birth"})
START_S = 60.0  # a start that takes longer hangs; the figure itself is printed


class Ingest:
    """The box, its machines and its books."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder).start().furnish()
        self.books = Books(self.site.data)
        self.counter = Counter()
        self.machines = [Machine(number, MIX, self.counter) for number in range(len(TITLES))]
        self.starts: list[float] = []
        self.found: Tally[str] = Tally()

    def killed(self, dice: random.Random) -> set[str]:
        """Everybody sends, and the box dies. The objects that were acknowledged meanwhile."""
        before = {uid for machine in self.machines for uid in machine.acknowledged}
        threads = [machine.start(("127.0.0.1", self.site.box.port("dicom"))) for machine in self.machines]
        self.counter.wait_for(self.counter.so_far + dice.randint(*OBJECTS))
        for _nothing in range(int(10 ** dice.uniform(*SPIN))):
            pass
        group = self.site.box.process.pid
        (self.site.box.cut if dice.random() < 0.5 else self.site.box.process.kill)()
        self.site.box.process.wait(30)
        for machine, thread in zip(self.machines, threads, strict=True):
            thread.join(30)
            assert machine.fault is None, machine.fault
        leave_by_themselves(group)
        return {uid for machine in self.machines for uid in machine.acknowledged} - before

    def restart(self) -> None:
        start = time.monotonic()
        self.site.start()
        self.starts.append(time.monotonic() - start)
        for line in self.site.ask(Status())["recovery"]:
            self.found[" ".join(word for word in line.split() if not word.isdigit())] += 1

    def check(self, uids: set[str]) -> None:
        """Nothing acknowledged is lost, nothing is there twice, and these objects are as they were sent."""
        self.books.check_files()
        acknowledged = self.acknowledged()
        rows = Tally(uid for (uid,) in self.books.ask("SELECT sop_instance_uid FROM instance"))
        assert not acknowledged.keys() - rows.keys()
        assert set(rows.values()) == {1}
        in_flight = {MIX.made(machine.number, machine.next).uid for machine in self.machines}
        assert rows.keys() <= acknowledged.keys() | in_flight
        assert self.books.one("SELECT COUNT(*) FROM quarantine") == 0
        for uid in uids:
            assert self.books.images(uid, MIX.made(*acknowledged[uid]).digest) == 1

    def acknowledged(self) -> dict[str, tuple[int, int]]:
        return {uid: (m.number, number) for m in self.machines for uid, number in m.acknowledged.items()}


@pytest.mark.parametrize("kills", [KILLS, pytest.param(200, marks=pytest.mark.full)])
def test_nothing_acknowledged_is_lost_however_often_the_box_is_killed(tmp_path: Path, kills: int) -> None:
    ingest = Ingest(tmp_path)
    try:
        for number in range(kills):
            fresh = ingest.killed(random.Random(f"{SEED} {number}"))
            ingest.restart()
            ingest.check(fresh)
        ingest.check(set(ingest.acknowledged()))
        ingest.books.check_once(but=WITHOUT_ORDERS)
        assert ingest.site.ask(VerifyAudit()).ok
    finally:
        ingest.site.close()
    starts, repeated = sorted(ingest.starts), sum(machine.repeated for machine in ingest.machines)
    print(
        f"\nseed {SEED}, {kills} kills, {ingest.counter.so_far} objects acknowledged and {repeated} sent again, 0 lost"
    )
    print(f"starts: median {statistics.median(starts):.2f} s, longest {starts[-1]:.2f} s; found: {dict(ingest.found)}")
    assert starts[-1] < START_S
