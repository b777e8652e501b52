"""The process of the second building: `yelen replica apply`. It opens the index as a replica and applies what comes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from core.archive.disk import Disk
from core.clock import Clock
from core.config import Config
from core.errors import Conflict, Unreachable
from core.i18n import _
from core.index.opening import open_index
from core.replication.apply import Applier
from core.replication.inventory import read_only
from core.replication.pairing import take_keys
from core.replication.state import STATE, State, read_state

INDEX = ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm")


def run_replica(
    config: Config,
    clock: Clock,
    ready: Callable[[Applier], object],
    beat: Callable[[], object] = lambda: None,
    disk: Disk | None = None,
) -> None:
    """Apply until the applier is stopped; `ready` receives it once it can work, `beat` is called at every look.

    The caller holds the data folder. Raises `Conflict` when it is that of a primary.
    """
    check_is_copy(config.data)
    index = open_index(config.data, clock, "replica")
    try:
        applier = Applier(config.data, index, clock, disk)
        ready(applier)
        applier.run(beat)
    finally:
        index.close()


def check_is_copy(data: Path) -> None:
    """Raises `Conflict` when the folder is a primary's: a site that has patients of its own never becomes a copy."""
    if (data / INDEX[0]).exists() and _role(data) == "primary":
        raise Conflict(_("%s est un site principal : il ne peut pas recevoir la copie d'un autre.") % data)


def _role(data: Path) -> str:
    with closing(read_only(data)) as index:
        known = index.execute("SELECT 1 FROM sqlite_master WHERE name = 'node'").fetchone()
        row = index.execute("SELECT role FROM node").fetchone() if known else None
    return str(row[0]) if row else ""


def own_state(data: Path) -> State:
    """What the copy in this folder last said of itself. Raises `Unreachable` when nothing ever ran here."""
    try:
        return read_state((data / STATE).read_bytes())
    except FileNotFoundError:
        raise Unreachable(_("Aucune copie n'a encore été reçue dans %s.") % data) from None


def adopt_keys(data: Path, source: Path) -> str:
    """Carry a primary's keys into the folder of its copy; the fingerprint of that site."""
    check_is_copy(data)
    return take_keys(data, source)


def reset(data: Path) -> Path:
    """Start the copy's index anew; the old one is put aside and its files stay, so that they need not travel again.

    The caller holds the data folder. The folder with the old index.
    """
    check_is_copy(data)
    number = 1
    while (aside := data / "replica" / f"old-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700, parents=True)
    for name in (*INDEX, STATE):
        if (data / name).exists():
            os.replace(data / name, aside / Path(name).name)
    return aside
