"""The socket of the terminals: a thread accepts, each client has one thread that reads and acts and one that writes.

A client that does not read, sends rubbish or disappears costs its own two threads and a bounded queue, nothing else.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import BadMessage, OutOfResources
from core.i18n import _
from core.rpc import address, wire
from core.rpc import contract as c
from core.rpc.conversation import Conversation
from core.rpc.outgoing import Outgoing
from core.rpc.problems import problem_of
from core.rpc.verbs import VERBS, Verbs
from core.unfailing import keep_on

if TYPE_CHECKING:
    from core.services import Services

MAX_CLIENTS = 64
HELLO_SECONDS = 30.0  # a connection that never says hello is closed; afterwards silence is allowed
SESSIONS = "sessions"  # topic: the sessions of an account ended
FAREWELL_SECONDS = 2.0  # to read its last answer, for a client that only closed its sending side


class RpcServer:
    """Listens at `path` from `start()` to `stop()`. `verbs` is the table of `core.rpc.verbs`."""

    def __init__(self, services: Services, path: Path, *, verbs: Verbs = VERBS, max_clients: int = MAX_CLIENTS) -> None:
        self.path = path.absolute()
        self._services, self._verbs, self._max_clients = services, verbs, max_clients
        self._clients: set[_Client] = set()
        self._guard = threading.Lock()
        self._listening: socket.socket | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Raises `Conflict` when somebody already listens there."""
        self._listening = address.listen(self.path)
        self._stopping = threading.Event()
        self._made = address.identity(self.path)
        self._unsubscribe = self._services.events.subscribe(self._fan_out)
        self._acceptor = threading.Thread(
            target=self._accept, args=(self._listening, self._stopping), name="rpc-accept", daemon=True
        )
        self._acceptor.start()

    def stop(self) -> None:
        """Closes every connection; no thread of ours is left running a verb. A second call does nothing."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        self._stopping.set()
        self._unsubscribe()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        address.remove(self.path, self._made)
        self._acceptor.join()
        for client in self.clients():
            client.hang_up()
        for client in self.clients():
            client.join()

    def clients(self) -> list[_Client]:
        with self._guard:
            return list(self._clients)

    def _accept(self, listening: socket.socket, stopping: threading.Event) -> None:
        def turn() -> None:
            connection, _address = listening.accept()
            try:
                self._admit(connection)
            except Exception:
                connection.close()
                raise

        keep_on(turn, stopping, lambda what: self._services.devices.attempt("rpc", "", "", what))
        self._services.release_thread()

    def _admit(self, connection: socket.socket) -> None:
        with self._guard:
            full = len(self._clients) >= self._max_clients
            if not full:
                client = _Client(connection, self._services, self._verbs, self._leave)
                client.start()
                self._clients.add(client)
        if full:
            problem = problem_of(OutOfResources(_("Trop de terminaux sont ouverts : en fermer un.")))
            with suppress(OSError):
                connection.sendall(wire.refusal(None, problem))
            connection.close()

    def _leave(self, client: _Client) -> None:
        with self._guard:
            self._clients.discard(client)

    def _fan_out(self, events: Iterable[Any]) -> None:
        """Called after COMMIT by the writer: only queues, never waits."""
        clients = self.clients()
        for event in events:
            line = b""
            for client in clients:
                if event.topic == SESSIONS and client.conversation.login == str(event.key):
                    client.hang_up()  # it comes back, and is told that its session is no more
                if client.conversation.wants(event.topic):
                    line = line or wire.notification(c.EVENT, c.Change(event.id, event.topic, str(event.key)))
                    client.outgoing.push(line)


class _Client:
    """One connection with its two threads."""

    def __init__(self, connection: socket.socket, services: Services, verbs: Verbs, leave: Any) -> None:
        self._connection, self._services, self._leave = connection, services, leave
        self.conversation = Conversation(services, verbs, address.peer_uid(connection))
        self.outgoing = Outgoing(wire.notification(c.RELOAD, {}))
        self._reader = threading.Thread(target=self._read, name="rpc-read", daemon=True)
        self._writer = threading.Thread(target=self._write, name="rpc-write", daemon=True)

    def start(self) -> None:
        """Raises `RuntimeError` when there is no thread to be had."""
        self._writer.start()
        try:
            self._reader.start()
        except RuntimeError:
            self.outgoing.close()
            raise

    def _read(self) -> None:
        lines = wire.Lines()
        self._connection.settimeout(HELLO_SECONDS)
        try:
            while data := self._connection.recv(65_536):
                for line in lines.feed(data):
                    if (answer := self.conversation.handle(line)) is not None:
                        self.outgoing.answer(answer)
                    if self.conversation.ended:
                        return
                if self.conversation.greeted:
                    self._connection.settimeout(None)
        except BadMessage as error:
            self.outgoing.answer(wire.refusal(None, problem_of(error)))
        except OSError:
            pass  # the terminal is gone
        finally:
            self.outgoing.close()
            self._writer.join(FAREWELL_SECONDS)
            self.hang_up()
            self._connection.close()
            self._services.release_thread()
            self._leave(self)

    def _write(self) -> None:
        try:
            while (portion := self.outgoing.take()) is not None:
                self._connection.sendall(portion)
        except OSError:
            self.outgoing.close()
            self.hang_up()

    def hang_up(self) -> None:
        """Both threads find their socket shut and end."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        self.outgoing.close()
        if threading.current_thread() is not self._reader:
            self._reader.join()
