"""One client's conversation: lines in, lines out, who is logged in, which changes it wants. No socket here.

Rule 1: `hello` comes first; a client of another major version is told so and gets nothing else.
Rule 2: the actor of every verb is the person logged in on this connection, from the uid the kernel vouches for.
Rule 3: while locked, only `unlock`, `login`, `resume` and `logout` are answered.
Rule 4: a session is asked for again at every line; once it is revoked or too old the conversation has `ended`.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from core.errors import BadMessage, Conflict, NotAllowed, YelenError
from core.i18n import _
from core.model.people import Actor, Role
from core.rpc import contract as c
from core.rpc import wire
from core.rpc.problems import internal, problem_of
from core.rpc.verbs import Verbs

if TYPE_CHECKING:
    from core.services import Services

log = logging.getLogger(__name__)

MAX_MISSED = 500  # more than this is cheaper to read again
MAX_TOPICS = 200


class Conversation:
    """What one connection may say next."""

    def __init__(self, services: Services, verbs: Verbs, uid: int) -> None:
        self._services, self._uid = services, uid
        self.origin = f"rpc uid={uid}"
        self.post = ""
        self.topics: frozenset[str] = frozenset()
        self._actor: Actor | None = None
        self._token = ""
        self.greeted = self.ended = self._locked = False
        self._verbs = {call.method: (call, verb) for call, verb in verbs.items()}
        own: list[tuple[type[c.Call[Any]], Callable[[Any], Any]]] = [
            (c.Hello, self._hello),
            (c.Login, self._login),
            (c.LoginAsOwner, self._login_as_owner),
            (c.Resume, self._resume),
            (c.Lock, self._lock),
            (c.Unlock, self._unlock),
            (c.Logout, self._logout),
            (c.Watch, self._watch),
        ]
        self._own = {call.method: (call, act) for call, act in own}

    @property
    def login(self) -> str:
        """Whose session this is; "" when nobody logged in."""
        actor = self._actor
        return actor.name if actor is not None and self._token else ""

    def wants(self, topic: str) -> bool:
        return topic in self.topics and self._actor is not None

    def handle(self, line: bytes) -> bytes | None:
        """The answer to a line; None for a notification. Never raises."""
        number: int | None = None
        try:
            request = wire.request(line)
            number = request.id
            result = self._do(request)
        except YelenError as error:
            return wire.refusal(number, problem_of(error))
        except Exception:
            reference = secrets.token_hex(3)
            log.exception("rpc: reference %s", reference)
            return wire.refusal(number, internal(reference))
        return None if number is None else wire.answer(number, result)

    def _do(self, request: wire.Request) -> Any:
        if not self.greeted and request.method != c.Hello.method:
            raise NotAllowed(_("La première ligne doit être « hello »."))
        if request.method in self._own:
            own, act = self._own[request.method]
            return act(_params(request, own))
        if request.method in self._verbs:
            call, verb = self._verbs[request.method]
            result = verb(self._services, self._present(), _params(request, call))
            return None if c.gives(call) is type(None) else result
        raise BadMessage(_("Verbe inconnu : %s") % request.method[:64], "method")

    def _present(self) -> Actor:
        actor = self._known()
        if self._locked:
            raise NotAllowed(_("Poste verrouillé."))
        if self._token:
            self._services.people.touch(self._token)
        return actor

    def _known(self) -> Actor:
        """The person of this connection, with the rights of this very moment."""
        if self._actor is None:
            raise NotAllowed(_("Personne n'est connecté sur ce poste."))
        if self._token:
            holder = self._services.people.holder(self._token)
            if holder is None:
                self._actor, self._token, self.topics, self.ended = None, "", frozenset(), True
                raise NotAllowed(_("Session expirée : identifiez-vous."))
            self._actor = self._here(holder)
        return self._actor

    def _here(self, actor: Actor) -> Actor:
        return replace(actor, post=self.post or actor.post, origin=self.origin)

    def _hello(self, p: c.Hello) -> c.Welcome:
        if c.major(p.protocol) != c.major(c.PROTOCOL):
            raise Conflict(_("Yelen a été mis à jour : relancez le terminal."))
        site, self.post, self.greeted = self._services.config.site, p.post, True
        return c.Welcome(
            protocol=c.PROTOCOL,
            version=version("yelen"),
            hospital=site.hospital,
            timezone=str(site.timezone),
            language=site.language,
            patient_prefix=site.patient_prefix,
            now=self._services.clock.now(),
            last_event=self._services.events.last_id(),
        )

    def _login(self, p: c.Login) -> c.Person:
        self._forget()
        actor = self._services.people.login(p.name, p.password, self.origin, self.post)
        return self._enter(actor, self._services.people.open_session(actor, self.origin))

    def _login_as_owner(self, _p: c.LoginAsOwner) -> c.Person:
        if self._uid not in (0, os.geteuid()):
            raise NotAllowed(_("Réservé à l'administrateur de la machine."))
        self._forget()
        return self._enter(Actor(f"uid:{self._uid}", frozenset({Role.ADMINISTRATOR})), "")

    def _resume(self, p: c.Resume) -> c.Person:
        actor = self._services.people.session(p.token) if p.token else None
        if (
            actor is None or actor.origin != self.origin
        ):  # a browser's cookie, or another account's token, is nothing here
            raise NotAllowed(_("Session expirée : identifiez-vous."))
        person = self._enter(actor, p.token)
        self._locked = p.locked
        return person

    def _enter(self, actor: Actor, token: str) -> c.Person:
        self._actor = self._here(actor)
        self._token, self._locked = token, False
        return self._person()

    def _person(self) -> c.Person:
        actor = self._actor
        if actor is None:
            raise NotAllowed(_("Personne n'est connecté sur ce poste."))
        idle = self._services.people.idle_limit(actor.roles).total_seconds() if self._token else 0.0
        return c.Person(actor.name, actor.full_name, actor.roles, self._token, actor.ward, idle)

    def _lock(self, _p: c.Lock) -> None:
        self._locked = self._actor is not None

    def _unlock(self, p: c.Unlock) -> c.Person:
        self._services.people.confirm(self._known(), p.secret)
        self._locked = False
        return self._person()

    def _logout(self, _p: c.Logout) -> None:
        self._forget()

    def _forget(self) -> None:
        """The session ends: nobody can resume it."""
        token, self._token, self._actor, self._locked = self._token, "", None, False
        self.topics = frozenset()
        if token:
            self._services.people.close_session(token)

    def _watch(self, p: c.Watch) -> c.Missed:
        self._present()
        # Topics first, then the question: a change in between is told twice rather than never.
        self.topics = frozenset(p.topics[:MAX_TOPICS])
        newest = self._services.events.last_id()
        if not p.since:
            return c.Missed((), False, newest)
        missed = self._changes(self._services.events.since(p.since, sorted(self.topics), MAX_MISSED))
        too_old = p.since > newest or len(missed) >= MAX_MISSED
        return c.Missed(() if too_old else missed, too_old, newest)

    @staticmethod
    def _changes(events: Iterable[Any]) -> tuple[c.Change, ...]:
        return tuple(c.Change(e.id, e.topic, str(e.key)) for e in events)


def _params(request: wire.Request, call: type[c.Call[Any]]) -> Any:
    try:
        return msgspec.json.decode(request.params, type=call)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadMessage(_("Paramètres refusés pour %s.") % request.method, "params") from error
