"""The second building for a moment: applies what lies in its inbox and ends, or dies before a chosen disk operation.

`python -m tests.replication.once FOLDER` applies once. `… FOLDER WORK` works on copies of FOLDER in WORK: it dies
before operation 0 of the disk, then of another copy before operation 1, and so on until nothing is left to die in;
after each death it says what it finds there and applies again. One JSON value a line.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from core.archive.disk import Disk
from core.clock import SystemClock
from core.replication.apply import Applier
from core.replication.service import run_replica
from tests.archive.faulty_disk import Cut, FaultyDisk
from tests.people.hospital import site_config


class DyingDisk(FaultyDisk):
    """Also syncs what rsync wrote, and gives back a file that an unsynced rename had replaced."""

    def __init__(self, stop_at: int | None) -> None:
        super().__init__(stop_at)
        self._replaced: dict[Path, bytes] = {}

    def sync(self, descriptor: int) -> None:
        self._open.setdefault(descriptor, Path())
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        before = target.read_bytes() if target.exists() else None
        super().rename(source, target)
        if before is not None:
            self._replaced[target] = before

    def lose_power(self) -> None:
        super().lose_power()
        for path, before in self._replaced.items():
            if not path.exists():
                path.write_bytes(before)


def apply_once(folder: Path, disk: Disk | None = None) -> None:
    def all_at_once(applier: Applier) -> None:
        while applier.round():
            pass
        applier.stop()

    run_replica(site_config(folder), SystemClock(), all_at_once, disk=disk)


def findings(folder: Path) -> dict[str, Any]:
    """applied: by the index. told: by the state. broken: paths of rows whose file is not here as it should be (R1)."""
    with closing(sqlite3.connect(f"file:{folder / 'index.sqlite'}?mode=ro", uri=True)) as index:
        applied = dict(index.execute("SELECT lane, seq FROM replica_state").fetchall())
        files = index.execute("SELECT path, sha256 FROM instance UNION SELECT path, sha256 FROM quarantine").fetchall()
    broken = [path for path, sha256 in files if not _is(folder / path, sha256)]
    told = json.loads((folder / "replica" / "state.json").read_text())["applied"]
    return {"applied": applied, "told": told, "broken": broken, "files": len(files)}


def _is(path: Path, sha256: str) -> bool:
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _dies(folder: Path, number: int | None) -> str:
    """Apply in a child of its own, which dies before a disk operation; the operation, or "" when it came through."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        disk = DyingDisk(number)
        code = 1
        try:
            apply_once(folder, disk)
            code = 0
        except Cut as cut:
            os.write(writing, str(cut).encode())
            disk.lose_power()
            code = 9
        finally:
            os._exit(code)
    os.close(writing)
    _pid, status = os.waitpid(child, 0)
    said = os.read(reading, 100).decode()
    os.close(reading)
    assert os.waitstatus_to_exitcode(status) == (9 if said else 0), os.waitstatus_to_exitcode(status)
    return said


def die_everywhere(folder: Path, work: Path) -> None:
    for number in itertools.count():
        copy = Path(shutil.copytree(folder, work / str(number)))
        cut = _dies(copy, number)
        found = findings(copy)
        _dies(copy, None)
        print(json.dumps({"cut": cut, "then": found, "again": findings(copy)}), flush=True)
        if not cut:
            return


if __name__ == "__main__":
    if len(sys.argv) == 2:
        apply_once(Path(sys.argv[1]))
    else:
        die_everywhere(Path(sys.argv[1]), Path(sys.argv[2]))
