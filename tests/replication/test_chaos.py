"""Kills at random moments, at every end of the line: nothing acknowledged is lost, and both buildings end up equal."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.config import Replica
from core.replication.inventory import inventory
from core.replication.sender import Replicator
from core.replication.verify import prove
from core.services import Services
from tests.peers.ports import free_port
from tests.people.hospital import hospital
from tests.people.images import arrival
from tests.replication.buildings import SecondBuilding, caught_up, hashes, until
from tests.replication.daemon import Daemon, daemon
from tests.replication.once import findings
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]
SEED = 20261124


def images(services: Services, first: int, count: int, chance: random.Random) -> None:
    for n in range(first, first + count):
        pixels = chance.randbytes(150_000)
        services.ingest.store(
            arrival(f"1.4.{n}", study="1.4", patient_id="E", name="BARRY^S", number=n, PixelData=pixels)
        )


def r1_and_r2(there: Path, before: dict[str, int]) -> dict[str, int]:
    """Every row has its file, no lane went back, nothing is said before it is so."""
    told = {lane: findings(there)["told"].get(lane, 0) for lane in ("small", "bulk")}
    found = findings(there)  # read after the state
    assert found["broken"] == []
    for lane in ("small", "bulk"):
        assert before.get(lane, 0) <= told[lane] <= found["applied"].get(lane, 0)
    return {lane: int(seq) for lane, seq in found["applied"].items() if lane in told}


def rounds(tmp_path: Path, seed: int, how_many: int) -> None:
    here, there, port = tmp_path / "a", tmp_path / "b", free_port()
    chance, applied = random.Random(seed), dict[str, int]()
    second, pause = SecondBuilding(there), threading.Event()
    second.start()
    with hospital(here, SystemClock()) as services, daemon(there, port) as line:
        settings = Replica(target=line.url, interval_s=1, bandwidth_kbps=3000)
        link = Replicator(services, settings, kept=0)
        link.start()
        for number in range(how_many):
            images(services, 20 * number, 20, chance)
            pause.wait(chance.uniform(0.2, 1.2))  # any moment will do
            chance.choice(KILLS)(second, line, link)
            applied = r1_and_r2(there, applied)
        until(lambda: caught_up(link), f"the second building has everything (seed {seed})")
        link.stop()
        second.stop()
        r1_and_r2(there, applied)
        verdict = prove(here, inventory(there))
        assert verdict.ok, (seed, verdict.lines)
        assert (verdict.files, hashes(here)) == (20 * how_many, hashes(there))


def kill_the_second_building(second: SecondBuilding, _line: Daemon, _link: Replicator) -> None:
    second.stop(signal.SIGKILL)
    second.start()


def kill_the_receivers(_second: SecondBuilding, line: Daemon, _link: Replicator) -> None:
    for receiver in line.receivers():
        _kill(receiver)


def kill_the_senders(_second: SecondBuilding, _line: Daemon, link: Replicator) -> None:
    for lane in link.lanes.values():
        running = lane.rsync._running
        if running is not None:
            _kill(running.pid)


def kill_everything(second: SecondBuilding, line: Daemon, link: Replicator) -> None:
    kill_the_senders(second, line, link)
    kill_the_receivers(second, line, link)
    kill_the_second_building(second, line, link)


KILLS: tuple[Callable[[SecondBuilding, Daemon, Replicator], None], ...] = (
    kill_the_second_building,
    kill_the_receivers,
    kill_the_senders,
    kill_everything,
)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    rounds(tmp_path, SEED, 4)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(8))
def test_many_kills_at_random_moments_lose_nothing(tmp_path: Path, seed: int) -> None:
    rounds(tmp_path, seed, 25)
