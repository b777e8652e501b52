"""What happens because time passes: exams whose images have stopped coming are done; old events are forgotten."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable

from core.model.people import Actor
from install.doors import OpenDoor, Plan
from install.house import House

log = logging.getLogger(__name__)
EVERY_S = 5.0
TIDY_EVERY = 720  # times EVERY_S: hourly
TIMER = Actor.system("timer")


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        stopping = threading.Event()
        services = house.services
        acts: tuple[tuple[int, Callable[[], object]], ...] = (
            (1, lambda: services.acquisition.settle(TIMER)),
            (1, services.reports.release_expired),
            (TIDY_EVERY, services.housekeeping.tidy),
        )
        thread = threading.Thread(target=_run, args=(stopping, acts), name="timers", daemon=True)
        thread.start()

        def stop() -> None:
            stopping.set()
            thread.join()

        return OpenDoor("timers", stop)

    return Plan("timers", open_it)


def _run(stopping: threading.Event, acts: tuple[tuple[int, Callable[[], object]], ...]) -> None:
    for turn in itertools.count(1):
        if stopping.wait(EVERY_S):
            return
        for every, act in acts:
            if turn % every:
                continue
            try:
                act()
            except Exception:
                log.exception("timer")
