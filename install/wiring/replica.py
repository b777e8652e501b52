"""The link to the second building, when the site has one."""

from __future__ import annotations

from core.replication.sender import Replicator
from install.doors import OpenDoor, Plan
from install.house import House


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        settings = house.config.replica
        if not settings.target:
            return OpenDoor("replica", _nothing)
        link = Replicator(house.services, settings)
        house.services.ports.replica = link.status
        link.start()
        return OpenDoor("replica", link.stop)

    return Plan("replica", open_it)


def _nothing() -> None:
    """A site of one building."""
