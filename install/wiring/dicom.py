"""The DICOM door."""

from __future__ import annotations

from core.dicom.door import open_door
from core.dicom.secure import Secured
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


def secured_plan(house: House) -> Plan:
    """The same door over TLS. Raises `BadConfig` when it opens without a usable certificate."""

    def open_it() -> OpenDoor:
        config, services = house.config, house.services
        secured = Secured(
            config.data / "nginx" / "tls.crt",
            config.data / "secrets" / "tls.key",
            lambda: (device.certificate for device in services.devices.all() if device.active),
        )
        spool = config.data / "spool"
        server = open_door(
            services, config.dicom, config.site.timezone, spool, house.clock, services.release_thread, secured=secured
        )
        server.start()
        return OpenDoor("dicom-tls", server.stop, "{}:{}".format(*server.address))

    return Plan("dicom-tls", open_it, "dicom.tls_port")
