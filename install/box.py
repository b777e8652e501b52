"""The box: open the house, open the doors, say `prêt`, wait for a signal, close in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from core.config import Config
from core.index.writer import Writer
from install.doors import OpenDoor, close_all, open_all
from install.house import House, open_house
from install.notify import notify, watchdog_seconds
from install.plans import plans

LISTENING = ("dicom", "dicom-tls", "hl7", "http", "rpc")


def run(config: Config, say: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT."""
    leaving = threading.Event()
    with _signals(leaving), open_house(config) as house:
        house.services.ports.leaving = leaving.is_set
        doors = open_all(plans(house), config)
        house.services.ports.doors = lambda: {door.name: door.address for door in doors if door.address}
        try:
            say(ready_line(doors))
            notify("READY=1")
            _wait(leaving, house)
        finally:
            notify("STOPPING=1")
            close_all(doors)


def ready_line(doors: list[OpenDoor]) -> str:
    """`prêt dicom=H:P hl7=H:P http=H:P rpc=PATH`: what scripts wait for. With `dicom-tls=H:P` where it is open."""
    addresses = {door.name: door.address for door in doors}
    return " ".join(["prêt", *(f"{name}={addresses[name]}" for name in LISTENING if name in addresses)])


def _wait(leaving: threading.Event, house: House) -> None:
    """Until asked to leave; systemd hears a beat only while the writer answers."""
    every = watchdog_seconds()
    while not leaving.wait(every):
        beat(house.services.kit.index.writer)


def beat(writer: Writer) -> None:
    """A sign of life when the writer answers. One that has died answers too, and only a new start brings it back."""

    def answered(_done: object) -> None:
        if writer.is_alive:
            notify("WATCHDOG=1")

    writer.submit(lambda unit: None).add_done_callback(answered)


@contextmanager
def _signals(leaving: threading.Event) -> Iterator[None]:
    def ask(_number: int, _frame: FrameType | None) -> None:
        leaving.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
