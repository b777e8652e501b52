"""Studies on their way here from other archives."""

from __future__ import annotations

from core.dicom.fetcher import Fetcher
from install.doors import OpenDoor, Plan
from install.house import House


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        fetcher = Fetcher(house.services.fetching, house.clock, house.services.release_thread)
        fetcher.start()
        return OpenDoor("fetch", fetcher.stop)

    return Plan("fetch", open_it)
