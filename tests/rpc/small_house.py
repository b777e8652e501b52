"""A very small house behind the real socket: people, events and one counter, to test the door by itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from core.clock import SetClock
from core.errors import BadInput, IllegalTransition, NotAllowed
from core.model.people import Actor, Role
from core.rpc import contract as c
from core.rpc.verbs import Verbs


@dataclass(frozen=True)
class Site:
    hospital: str = "CHU pédiatrique Charles-de-Gaulle"
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Africa/Ouagadougou"))
    patient_prefix: str = "CDG"
    language: str = "fr"


class People:
    def __init__(self) -> None:
        self.sessions: dict[str, Actor] = {}

    def login(self, name: str, password: str, origin: str, post: str = "") -> Actor:
        if password != "cle":
            raise NotAllowed("Identifiant ou mot de passe inconnu.")
        return Actor(name, frozenset({Role.RECEPTION}), post, origin=origin, full_name=f"{name} complet")

    def confirm(self, actor: Actor, secret: str) -> None:
        if secret != "1234":
            raise NotAllowed("Code refusé.")

    def open_session(self, actor: Actor, origin: str) -> str:
        token = f"jeton-{len(self.sessions)}"
        self.sessions[token] = actor
        return token

    def idle_limit(self, roles: object) -> timedelta:
        return timedelta(minutes=10)

    def touch(self, token: str) -> None:
        pass

    def session(self, token: str) -> Actor | None:
        return self.sessions.get(token)

    def holder(self, token: str) -> Actor | None:
        return self.sessions.get(token)

    def close_session(self, token: str) -> None:
        self.sessions.pop(token, None)


@dataclass(frozen=True)
class Event:
    id: int
    topic: str
    key: str


class Events:
    def __init__(self) -> None:
        self.rows: list[Event] = []
        self._subscribers: list[Callable[[list[Event]], None]] = []

    def last_id(self) -> int:
        return len(self.rows)

    def since(self, last_id: int, topics: Iterable[str], limit: int) -> list[Event]:
        wanted = set(topics)
        return [e for e in self.rows if e.id > last_id and e.topic in wanted][:limit]

    def subscribe(self, callback: Callable[[list[Event]], None]) -> Callable[[], None]:
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def tell(self, *pairs: tuple[str, str]) -> None:
        fresh = [Event(len(self.rows) + i, topic, key) for i, (topic, key) in enumerate(pairs, 1)]
        self.rows += fresh
        for subscriber in list(self._subscribers):
            subscriber(fresh)


@dataclass(frozen=True)
class Configured:
    site: Site = field(default_factory=Site)


@dataclass
class Devices:
    """Strangers and faults that the door told."""

    told: queue.Queue[str] = field(default_factory=queue.Queue)

    def attempt(self, door: str, ae_title: str, address: str, result: str) -> None:
        self.told.put(f"{door} {result}")


@dataclass
class House:
    """What the door needs of the services. `acts` records who did what; `gate` holds the verb `wait`."""

    config: Configured = field(default_factory=lambda: Configured())
    clock: SetClock = field(default_factory=lambda: SetClock(datetime(2027, 1, 12, 8, 42, tzinfo=UTC)))
    people: People = field(default_factory=People)
    events: Events = field(default_factory=Events)
    devices: Devices = field(default_factory=Devices)
    acts: list[tuple[Actor, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def release_thread(self) -> None:
        """A thread of the door ended."""

    def say(self, actor: Actor, word: str) -> str:
        self.acts.append((actor, word))
        return word.upper()


class Say(c.Call[str], frozen=True):
    method: ClassVar[str] = "say"
    word: str


class Refuse(c.Call[None], frozen=True):
    method: ClassVar[str] = "refuse"
    how: str


class Wait(c.Call[None], frozen=True):
    method: ClassVar[str] = "wait"


def refuse(how: str) -> None:
    if how == "input":
        raise BadInput("Le nom de famille manque.", "family_name")
    if how == "transition":
        raise IllegalTransition("Impossible maintenant : l'examen est « fait ».", "COMPLETED", "CANCELED")
    raise RuntimeError("a fault of ours with a secret inside")


VERBS: Verbs = {
    Say: lambda s, a, p: s.say(a, p.word),  # type: ignore[attr-defined]
    Refuse: lambda _s, _a, p: refuse(p.how),
    Wait: lambda s, _a, _p: s.gate.wait(30),  # type: ignore[attr-defined]
}


def as_services(house: House) -> Any:
    return house
