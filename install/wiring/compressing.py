"""The archive made smaller, in a thread of its own that gives way to everything else."""

from __future__ import annotations

import logging
import threading

from core.imaging.process import Cancellation
from install.doors import OpenDoor, Plan
from install.house import House

log = logging.getLogger(__name__)
AFTER_FAULT_S = 600.0
FIRST_S = 30.0  # a start has better things to do


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        stopping, cancel = threading.Event(), Cancellation()

        def run() -> None:
            pause = FIRST_S
            while not stopping.wait(pause):
                pause = _turn(house, cancel)
            house.services.release_thread()

        def stop() -> None:
            stopping.set()
            cancel.cancel()
            thread.join()

        thread = threading.Thread(target=run, name="compression", daemon=True)
        thread.start()
        return OpenDoor("compression", stop)

    return Plan("compression", open_it)


def _turn(house: House, cancel: Cancellation) -> float:
    """A fault of ours must not end it for good."""
    try:
        return house.services.compression.turn(cancel)
    except Exception:
        log.exception("compression")
        return AFTER_FAULT_S
