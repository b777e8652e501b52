"""The DICOM door."""

from __future__ import annotations

from core.dicom.door import open_door
from install.doors import OpenDoor, Plan
from install.house import House


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        config, services = house.config, house.services
        server = open_door(
            services, config.dicom, config.site.timezone, config.data / "spool", house.clock, services.release_thread
        )
        server.start()
        return OpenDoor("dicom", server.stop, "{}:{}".format(*server.address))

    return Plan("dicom", open_it, "dicom.port")
