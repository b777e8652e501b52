"""The DICOM door."""

from __future__ import annotations

from core.dicom.commitment_report import CommitmentReports
from core.dicom.door import open_door, open_reports
from core.dicom.pledge import PledgeAsker
from core.dicom.router import Router
from core.dicom.secure import Secured
from core.dicom.send import DicomSender
from install.doors import OpenDoor, Plan
from install.house import House


def reports(house: House) -> CommitmentReports:
    """Who brings the answers to storage commitment requests, for the plain port and the TLS one."""
    services = house.services
    return open_reports(services, house.config.dicom, house.clock, services.release_thread)


def reports_plan(made: CommitmentReports) -> Plan:
    """It stops after the ports: nothing is then waited for on an association."""

    def open_it() -> OpenDoor:
        made.start()
        return OpenDoor("commitment", made.stop)

    return Plan("commitment", open_it)


def router_plan(house: House) -> Plan:
    """Studies that go to other machines by themselves."""

    def open_it() -> OpenDoor:
        services, clock = house.services, house.clock
        store = DicomSender(house.config.dicom.ae_title, clock).store
        router = Router(services.routing, services.retrieval, services.devices, store, clock, services.release_thread)
        router.start()
        return OpenDoor("routing", router.stop)

    return Plan("routing", open_it)


def pledges_plan(house: House) -> Plan:
    """Archives are asked to answer for what they were sent."""

    def open_it() -> OpenDoor:
        services = house.services
        sender = DicomSender(house.config.dicom.ae_title, house.clock)
        asker = PledgeAsker(services.pledges, services.devices, sender, services.release_thread)
        asker.start()
        return OpenDoor("pledges", asker.stop)

    return Plan("pledges", open_it)


def plan(house: House, made: CommitmentReports) -> Plan:
    def open_it() -> OpenDoor:
        config, services = house.config, house.services
        zone, spool, leave = config.site.timezone, config.data / "spool", services.release_thread
        server = open_door(services, config.dicom, zone, spool, house.clock, leave, reports=made)
        server.start()
        return OpenDoor("dicom", server.stop, "{}:{}".format(*server.address))

    return Plan("dicom", open_it, "dicom.port")


def secured_plan(house: House, made: CommitmentReports) -> Plan:
    """The same door over TLS. Raises `BadConfig` when it opens without a usable certificate."""

    def open_it() -> OpenDoor:
        config, services = house.config, house.services
        secured = Secured(
            config.data / "nginx" / "tls.crt",
            config.data / "secrets" / "tls.key",
            lambda: (device.certificate for device in services.devices.all() if device.active),
        )
        zone, spool, leave = config.site.timezone, config.data / "spool", services.release_thread
        server = open_door(services, config.dicom, zone, spool, house.clock, leave, secured=secured, reports=made)
        server.start()
        return OpenDoor("dicom-tls", server.stop, "{}:{}".format(*server.address))

    return Plan("dicom-tls", open_it, "dicom.tls_port")
