"""The terminals' socket."""

from __future__ import annotations

import shutil

from core.rpc.server import RpcServer
from install.doors import OpenDoor, Plan
from install.house import House
from install.verbs import verbs_of


def plan(house: House) -> Plan:
    def open_it() -> OpenDoor:
        config = house.config
        server = RpcServer(house.services, config.socket, verbs=verbs_of(house))
        server.start()
        if config.rpc.group:
            shutil.chown(config.socket, group=config.rpc.group)
        else:
            config.socket.chmod(0o600)
        return OpenDoor("rpc", server.stop, str(config.socket))

    return Plan("rpc", open_it)
