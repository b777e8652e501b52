"""What is open behind the doors: the lock, the index, the archive, the imaging workers, the services.

The box opens doors on it; a command that works while the box is stopped uses it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from core.archive.store import Archive
from core.clock import Clock, SystemClock
from core.config import Config
from core.imaging.imaging import Imaging
from core.index.audit import load_key
from core.index.opening import Index, open_index
from core.services import Services
from core.services.ports import Ports
from install import one_server

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class House:
    """Everything a door may need; built once, passed in, never a global."""

    config: Config
    clock: Clock
    index: Index
    archive: Archive
    imaging: Imaging
    ports: Ports
    services: Services


@contextmanager
def open_house(config: Config, clock: Clock | None = None) -> Iterator[House]:
    """Hold the data folder and open what is in it. Raises `Conflict` when another process holds it."""
    clock = clock or SystemClock()
    with ExitStack() as stack:
        stack.enter_context(one_server.hold(config.data))
        index = open_index(config.data, clock, config.replica.role)
        stack.callback(index.close)
        archive = Archive(config.data, load_key(config.data / "secrets" / "archive.key"), index.epoch, clock)
        imaging = open_imaging(config)
        stack.callback(imaging.close)
        ports = Ports()
        services = Services.open(index, archive, imaging, clock, config, ports)
        yield House(config, clock, index, archive, imaging, ports, services)


def open_imaging(config: Config) -> Imaging:
    return Imaging(
        config.data / "cache",
        disk_cache_bytes=config.imaging.cache_mb * MIB,
        memory_bytes=config.imaging.memory_mb * MIB,
        deadline_s=config.imaging.deadline_s,
    )
