"""The HL7 port, and the threads that send results."""

from __future__ import annotations

from core.hl7.door import open_door, open_sender
from install.doors import OpenDoor, Plan
from install.house import House


def plan_in(house: House) -> Plan:
    def open_it() -> OpenDoor:
        server = open_door(house.services)
        return OpenDoor("hl7", server.stop, f"{house.config.hl7.host}:{server.port}")

    return Plan("hl7", open_it, "hl7.port")


def plan_out(house: House) -> Plan:
    return Plan("hl7-out", lambda: OpenDoor("hl7-out", open_sender(house.services).stop))
