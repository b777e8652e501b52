"""Two buildings: this process is the first, a process of its own the second; rsync runs between them."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.clock import SystemClock
from core.config import Replica
from core.replication.sender import Replicator
from core.services import Services

SECOND = """
import signal, sys
from pathlib import Path
from core.clock import SystemClock
from core.replication.service import run_replica
from tests.people.hospital import site_config

def ready(applier):
    signal.signal(signal.SIGTERM, lambda *_: applier.stop())
    print("prêt", flush=True)

run_replica(site_config(Path(sys.argv[1])), SystemClock(), ready)
"""
PATIENCE_S = 60.0
ROOT = Path(__file__).parents[2]


class SecondBuilding:
    """The replica's process on its own data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "secrets").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SECOND, str(self.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "prêt"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def rows(self, table: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(f"file:{self.folder / 'index.sqlite'}?mode=ro", uri=True) as index:
            return index.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()

    def state(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "replica" / "state.json").read_text())
        return found

    def hashes(self) -> dict[str, str]:
        return hashes(self.folder)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every archived and quarantined file, by its path."""
    files = [*(folder / "archive").rglob("*.dcm"), *(folder / "quarantine").rglob("*.dcm")]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@contextmanager
def second_building(folder: Path) -> Iterator[SecondBuilding]:
    building = SecondBuilding(folder)
    building.start()
    try:
        yield building
    finally:
        building.stop()


@contextmanager
def linked(services: Services, target: str, kept: int = 0, bandwidth_kbps: int = 0) -> Iterator[Replicator]:
    """The line to the second building. kept: acknowledged rows that stay in the journal."""
    link = Replicator(services, Replica(target=target, interval_s=1, bandwidth_kbps=bandwidth_kbps), kept)
    link.start()
    try:
        yield link
    finally:
        link.stop()


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for something another process does; the deadline only guards against hanging."""
    clock, pause = SystemClock(), threading.Event()
    end = clock.monotonic() + PATIENCE_S
    while not done():
        assert clock.monotonic() < end, f"never happened: {what}"
        pause.wait(0.05)


def caught_up(link: Replicator) -> bool:
    """Everything journalled is acknowledged."""
    status = link.status()
    return status["up"] is True and not status["error"] and status["lag_seq"] == 0


def apply_once(folder: Path) -> None:
    """The second building takes what lies in its inbox, and ends. A new folder becomes one."""
    (folder / "secrets").mkdir(parents=True, exist_ok=True, mode=0o700)
    subprocess.run([sys.executable, "-m", "tests.replication.once", str(folder)], cwd=ROOT, check=True, timeout=60)


def ship(services: Services, target: str, *lanes: str) -> Replicator:
    """One round of the line in this thread: what there is goes, nobody answers. All lanes, unless some are named."""
    link = Replicator(services, Replica(target=target))
    for name, lane in link.lanes.items():
        if not lanes or name in lanes:
            lane.remember()
            lane.round()
    return link


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "inbox").glob("seg-*.ndjson"))
