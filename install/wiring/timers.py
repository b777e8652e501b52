"""What happens because time passes: exams whose images have stopped coming are done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from core.model.people import Actor
from install.doors import OpenDoor, Plan
from install.house import House

log = logging.getLogger(__name__)
EVERY_S = 5.0
TIMER = Actor.system("timer")


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        stopping = threading.Event()
        acts: tuple[Callable[[], object], ...] = (lambda: house.services.acquisition.settle(TIMER),)
        thread = threading.Thread(target=_run, args=(stopping, acts), name="timers", daemon=True)
        thread.start()

        def stop() -> None:
            stopping.set()
            thread.join()

        return OpenDoor("timers", stop)

    return Plan("timers", open_it)


def _run(stopping: threading.Event, acts: tuple[Callable[[], object], ...]) -> None:
    while not stopping.wait(EVERY_S):
        for act in acts:
            try:
                act()
            except Exception:
                log.exception("timer")
