"""Reading every file again: what the index promises is on the disk, byte for byte, and nothing else is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from core.index.tables import Instance, Quarantine
from core.index.writer import Unit
from core.model.people import Actor
from install.calls import Checked, FileFault
from install.house import House

MOST_FAULTS = 1000
PIECE = 1 << 20


def verify_files(house: House, actor: Actor) -> Checked:
    """Compare every file with its row; the verdict is audited. At most `MOST_FAULTS` faults are listed."""
    faults: list[FileFault] = []
    files = size = 0
    for path, expected_size, sha256 in _promised():
        files, size = files + 1, size + expected_size
        if (what := _fault(house.services.kit.archive.absolute(path), expected_size, sha256)) and len(
            faults
        ) < MOST_FAULTS:
            faults.append(FileFault(path, what))
    known = {path for path, _size, _sha256 in _promised()}
    for path in house.services.kit.archive.walk():
        if path not in known and not _arrived_since(path) and len(faults) < MOST_FAULTS:
            faults.append(FileFault(path, "unknown"))

    def act(unit: Unit) -> None:
        unit.audit(
            actor, "verify_files", "archive", outcome="failed" if faults else "ok", files=files, faults=len(faults)
        )

    house.services.kit.index.writer.do(act)
    return Checked(files, size, tuple(faults))


def _promised() -> Iterator[tuple[str, int, str]]:
    for table in (Instance, Quarantine):
        yield from table.select(table.path, table.size, table.sha256).order_by(table.id).tuples().iterator()


def _fault(path: Path, size: int, sha256: str) -> str:
    """`missing`, `changed`, or "" for a file that is right."""
    try:
        with path.open("rb") as file:
            digest, read = hashlib.sha256(), 0
            while piece := file.read(PIECE):
                digest.update(piece)
                read += len(piece)
    except OSError:
        return "missing"
    return "" if (read, digest.hexdigest()) == (size, sha256) else "changed"


def _arrived_since(path: str) -> bool:
    """A file of the box's own that was stored while we read."""
    return Instance.select().where(Instance.path == path).exists()
