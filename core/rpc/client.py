"""The terminal's end of the socket: typed calls, pushes, and a link that comes back by itself.

One thread connects, says hello, resumes the session, watches the topics again, and reads. Calls may be made from any
thread. Imports neither the server nor the services.
"""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from core.clock import Clock, SystemClock
from core.errors import BadMessage, Conflict, NotAllowed, OutOfResources, Unreachable, YelenError
from core.i18n import _
from core.rpc import address, wire
from core.rpc import contract as c
from core.rpc.problems import error_of

R = TypeVar("R")

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0)  # seconds; the last one for ever, with jitter
ANSWER_SECONDS = 5.0
MAX_WAITING = 256  # calls without an answer yet


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of the other end. since: monotonic seconds of the last change.

    refused: why we may never talk; why: what the other end said of the line it cut, "" when nobody listens.
    """

    up: bool
    since: float
    welcome: c.Welcome | None = None
    person: c.Person | None = None
    refused: str = ""
    session_lost: bool = False
    why: str = ""


class Client:
    """A connection to the core, for as long as `start()` to `close()`.

    on_changes(changes): pushes, in order; None means: read again whatever is shown. on_link(link): up or down. Both are
    called from the client's own thread.
    """

    def __init__(
        self,
        path: Path,
        post: str = "",
        *,
        clock: Clock | None = None,
        on_changes: Callable[[tuple[c.Change, ...] | None], None] = lambda changes: None,
        on_link: Callable[[Link], None] = lambda link: None,
    ) -> None:
        self._path, self._clock = path.absolute(), clock or SystemClock()
        self._hello = c.Hello(post=post)
        self._on_changes, self._on_link = on_changes, on_link
        self._guard = threading.Lock()
        self._waiting: dict[int, tuple[Any, Future[Any]]] = {}
        self._number = 0
        self._connection: socket.socket | None = None
        self._closing = threading.Event()
        self._up = threading.Event()
        self._topics: tuple[str, ...] = ()
        self._last_event = 0
        self._token = ""
        self._locked = False
        self.ahead = timedelta(0)  # of the core's wall clock before ours
        self.link = Link(False, self._clock.monotonic())
        self._thread = threading.Thread(target=self._run, name="rpc-client", daemon=True)

    def start(self) -> Client:
        self._thread.start()
        return self

    def wait_until_up(self, seconds: float) -> bool:
        """For a program that starts: whether the core answered in this time."""
        return self._up.wait(seconds)

    def close(self) -> None:
        self._closing.set()
        self._hang_up()
        if self._thread.is_alive():
            self._thread.join()

    # Calls.

    def submit(self, call: c.Call[R]) -> Future[R]:
        """The answer to come; a refusal of the core is raised by the future as the error it was there."""
        future: Future[R] = Future()
        with self._guard:
            connection = self._connection
            if connection is None or not self.link.up:
                future.set_exception(Unreachable(self.link.refused or self.link.why or _("Serveur arrêté.")))
                return future
            return self._send(connection, call, future)

    def ask(self, call: c.Call[R], timeout: float = ANSWER_SECONDS) -> R:
        """The answer, waited for. Raises `Unreachable` when none comes."""
        try:
            return self.submit(call).result(timeout)
        except TimeoutError:
            raise Unreachable(_("Pas de réponse du serveur.")) from None

    def login(self, name: str, password: str) -> c.Person:
        return self.entered(self.ask(c.Login(name, password)))

    def entered(self, person: c.Person) -> c.Person:
        """Remembers who is in, so that the session survives a restart of the core."""
        self._token, self._locked = person.token, False
        return person

    def left(self) -> None:
        self._token, self._locked, self._topics = "", False, ()

    def lock(self) -> Future[None]:
        """Locked from now on, also after a reconnection."""
        self._locked = True
        return self.submit(c.Lock())

    def watch(self, topics: Iterable[str]) -> Future[c.Missed]:
        """Pushes of these topics from now on, and after each reconnection those that were missed."""
        self._topics = tuple(topics)
        return self.submit(c.Watch(self._topics, self._last_event))

    def _send(self, connection: socket.socket, call: c.Call[R], future: Future[R]) -> Future[R]:
        if len(self._waiting) >= MAX_WAITING:
            future.set_exception(Unreachable(_("Pas de réponse du serveur.")))
            return future
        self._number += 1
        self._waiting[self._number] = (c.gives(type(call)), future)
        try:
            connection.sendall(wire.call(self._number, call.method, call))
        except OSError:
            self._waiting.pop(self._number, None)
            future.set_exception(Unreachable(_("Serveur arrêté.")))
        return future

    # The link.

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            if self._converse():
                failures = 0
            if self.link.refused:
                return
            pause = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            failures += 1
            self._closing.wait(pause * random.uniform(0.8, 1.2))

    def _converse(self) -> bool:
        """One connection from hello to its loss; whether it ever was up."""
        was_up, why = False, ""
        try:
            connection = address.connect(self._path, ANSWER_SECONDS)
        except YelenError:
            self._tell(Link(False, self._down_since()))
            return False
        try:
            lines = _Reader(connection)
            link, missed = self._introduce(connection, lines)
            connection.settimeout(None)
            with self._guard:
                self._connection = connection
                self.link = link
            was_up = True
            self._up.set()
            self._on_link(link)
            if missed is not None:
                self._caught_up(missed)
            self._listen(lines)
        except Conflict as error:
            self._tell(Link(False, self._clock.monotonic(), refused=str(error)))
        except OutOfResources as full:
            why = str(full)
        except (OSError, YelenError):
            pass
        finally:
            with self._guard:
                self._connection = None
            connection.close()
            self._abandon()
            self._up.clear()
            if not self.link.refused and not self._closing.is_set():
                self._tell(Link(False, self._down_since(), why=why))
        return was_up

    def _introduce(self, connection: socket.socket, lines: _Reader) -> tuple[Link, c.Missed | None]:
        """Hello, the session again, the topics again: before any other call is let through."""
        welcome = self._exchange(connection, lines, self._hello)
        self.ahead = welcome.now - self._clock.now()
        person, missed, lost = None, None, False
        if self._token:
            try:
                person = self._exchange(connection, lines, c.Resume(self._token, self._locked))
                if self._topics and not self._locked:
                    missed = self._exchange(connection, lines, c.Watch(self._topics, self._last_event))
            except NotAllowed:
                self._token, lost = "", True
        return Link(True, self._clock.monotonic(), welcome, person, session_lost=lost), missed

    def _exchange(self, connection: socket.socket, lines: _Reader, call: c.Call[R]) -> R:
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # a house that is full says so and hangs up before it has read anything
            connection.sendall(wire.call(0, call.method, call))
        while True:
            message = lines.next()
            if message.method:
                self._pushed(message)
            elif message.error is not None:
                raise error_of(message.error)
            else:
                return _decoded(message.result, c.gives(type(call)))  # type: ignore[no-any-return]

    def _listen(self, lines: _Reader) -> None:
        while True:
            message = lines.next()
            if message.method:
                self._pushed(message)
            elif message.id is not None:
                self._answered(message)

    def _answered(self, message: wire.Message) -> None:
        with self._guard:
            wanted, future = self._waiting.pop(message.id or 0, (None, None))
        if future is None or not future.set_running_or_notify_cancel():
            return
        try:
            if message.error is not None:
                raise error_of(message.error)
            result = _decoded(message.result, wanted)
        except YelenError as error:
            future.set_exception(error)
            return
        if isinstance(result, c.Missed):
            self._last_event = max(self._last_event, result.last_event)
        future.set_result(result)

    def _pushed(self, message: wire.Message) -> None:
        if message.method == c.RELOAD:
            self._on_changes(None)
        elif message.method == c.EVENT:
            change = _decoded(message.params, c.Change)
            self._last_event = max(self._last_event, change.id)
            self._on_changes((change,))

    def _caught_up(self, missed: c.Missed) -> None:
        self._last_event = missed.last_event
        if missed.reload:
            self._on_changes(None)
        elif missed.events:
            self._on_changes(missed.events)

    def _tell(self, link: Link) -> None:
        with self._guard:
            changed = (self.link.up, self.link.refused, self.link.why) != (link.up, link.refused, link.why)
            self.link = link
        if changed:
            self._on_link(link)

    def _down_since(self) -> float:
        return self._clock.monotonic() if self.link.up else self.link.since

    def _abandon(self) -> None:
        with self._guard:
            waiting, self._waiting = self._waiting, {}
        for _wanted, future in waiting.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(Unreachable(_("Liaison coupée avant la réponse du serveur.")))

    def _hang_up(self) -> None:
        with self._guard:
            if self._connection is not None:
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)


class _Reader:
    """Messages of a connection, one at a time. Raises `Unreachable` at its end, `BadMessage` for rubbish."""

    CAP = 64 << 20  # answers are ours: long, but not without end

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lines = connection, wire.Lines(self.CAP)
        self._ready: list[bytes] = []

    def next(self) -> wire.Message:
        while not self._ready:
            data = self._connection.recv(65_536)
            if not data:
                raise Unreachable(_("Serveur arrêté."))
            self._ready = self._lines.feed(data)[::-1]
        return wire.message(self._ready.pop())


def _decoded(raw: msgspec.Raw, wanted: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadMessage(_("Réponse illisible du serveur."), "parse") from error
