"""The kiosk."""

from __future__ import annotations

from install.doors import OpenDoor, Plan
from install.house import House
from kiosk.serve import KioskServer


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        web = house.config.web
        server = KioskServer(
            house.services, web.host, web.port, threads=web.threads, behind_proxy=web.behind_proxy
        ).start()
        return OpenDoor("http", server.stop, f"{server.host}:{server.port}")

    return Plan("http", open_it, "web.port")
