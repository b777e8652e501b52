"""What is open behind the doors: the lock, the imaging workers, the services with what leaves the box plugged in.

The box opens doors on it; a command that works while the box is stopped uses it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from core.clock import Clock, SystemClock
from core.config import Config
from core.dicom import rejection_note
from core.dicom.header import walk
from core.dicom.peer_archive import PeerArchives
from core.dicom.send import DicomSender
from core.imaging.imaging import Imaging
from core.model.received import ReceivedHeader
from core.services import Services, open_services
from core.services.ports import Ports
from install import one_server
from install.power import on_battery
from printers.pages.press import Press

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class House:
    """Everything a door may need; built once, passed in, never a global."""

    config: Config
    clock: Clock
    services: Services


@contextmanager
def open_house(config: Config, clock: Clock | None = None) -> Iterator[House]:
    """Hold the data folder and open what is in it. Raises `Conflict` when another process holds it."""
    clock = clock or SystemClock()
    with ExitStack() as stack:
        stack.enter_context(one_server.hold(config.data))
        imaging = _imaging(config)
        stack.callback(imaging.close)
        services = open_services(config, _ports(config, clock), clock, imaging)
        stack.callback(services.close)
        services.recover()
        yield House(config, clock, services)


def _imaging(config: Config) -> Imaging:
    return Imaging(
        config.data / "cache",
        disk_cache_bytes=config.imaging.cache_mb * MIB,
        memory_bytes=config.imaging.memory_mb * MIB,
        deadline_s=config.imaging.deadline_s,
    )


def _ports(config: Config, clock: Clock) -> Ports:
    """What leaves the box: implemented on the floors above the services."""
    sender = DicomSender(config.dicom.ae_title, clock)
    return Ports(
        echo=sender.echo,
        store=sender.store,
        archives=PeerArchives(sender, config.dicom.ae_title),
        read_header=_header,
        read_note=rejection_note.read,
        write_note=rejection_note.write,
        pages=Press(config.site),
        on_battery=on_battery,
    )


def _header(dataset: bytes | memoryview, transfer_syntax: str, size: int | None = None) -> ReceivedHeader:
    return walk(dataset, transfer_syntax, size)
