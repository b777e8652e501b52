"""How a command acts: through the socket while the box runs, else by itself with the lock and the writer.

Either way it says the same typed call, so no command is written twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from core.errors import Unreachable
from core.model.people import Actor, Role
from core.rpc import address
from core.rpc.contract import Call, LoginAsOwner
from install.place import Place

if TYPE_CHECKING:
    from core.config import Config
    from core.services import Services
    from install.verbs import Verbs

R = TypeVar("R")
PATIENCE_S = 30.0
ALL_NIGHT_S = 12 * 3600.0


class Reach(Protocol):
    """Whoever answers calls."""

    def ask(self, call: Call[R], timeout: float = PATIENCE_S) -> R: ...


class Direct:
    """The services of a stopped box, opened by this process."""

    def __init__(self, services: Services, verbs: Verbs) -> None:
        self._services, self._verbs = services, verbs
        self._actor = owner()

    def ask(self, call: Call[R], timeout: float = PATIENCE_S) -> R:
        result: Any = self._verbs[type(call)](self._services, self._actor, call)
        return cast(R, tuple(result) if isinstance(result, list) else result)


def owner() -> Actor:
    """The person at the machine's own console, as the socket would name them."""
    return Actor(f"uid:{os.geteuid()}", frozenset({Role.ADMINISTRATOR}), origin=f"commande uid={os.geteuid()}")


def is_running(config: Config) -> bool:
    """Whether the box listens. Raises `Unreachable` when it does and this account may not talk to it."""
    try:
        address.connect(config.socket, 2.0).close()
    except Unreachable as error:
        if isinstance(error.__cause__, PermissionError):
            raise
        return False
    return True


@contextmanager
def reach(place: Place) -> Iterator[Reach]:
    """Whoever can answer for this box. Raises `Conflict` when another command holds it."""
    config = place.config()
    if is_running(config):
        with _through_the_socket(config) as client:
            yield client
        return
    from install.house import open_house
    from install.verbs import verbs_of

    with open_house(config) as house:
        yield Direct(house.services, verbs_of(house))


@contextmanager
def _through_the_socket(config: Config) -> Iterator[Reach]:
    import threading

    from core.rpc.client import Client

    up = threading.Event()
    client = Client(
        config.socket, on_link=lambda link: up.set() if link.up or link.refused or link.why else None
    ).start()
    try:
        up.wait(PATIENCE_S)
        client.ask(LoginAsOwner())
        yield client
    finally:
        client.close()
