"""The HL7 port: one blocking thread a connection, few connections, and a sweeper that cuts those that dawdle.

Rule 1: every message of a frame is answered before the next frame is read, so answers leave in order.
Rule 2: only the sweeper measures time, on the clock it is given; a connection that is being answered is left alone.
Rule 3: nothing that goes wrong at the port closes it: it is told, waited out, and the next caller is let in.
Rule 4: `stop` lets an answer under way leave, then closes; nothing that was not acknowledged was promised.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from core.clock import Clock
from core.errors import BadMessage
from core.hl7.framing import Deframer, Frame, frame
from core.hl7.receive import Answer
from core.hl7.sender import Sender, plain_address
from core.unfailing import keep_on

log = logging.getLogger(__name__)

CONNECTIONS = 32
PER_PEER = 4
_TICK = 0.25  # seconds between two sweeps
_CHUNK = 64 * 1024
_DRAIN_BYTES = 64 * 1024 * 1024
_DRAIN_SECONDS = 5.0


class Door(Protocol):
    """Who may call and what is answered: `core.hl7.receive.Receiver`."""

    def admit(self, address: str) -> Sender | None: ...
    def answer(self, frame: Frame, sender: Sender, address: str) -> Answer: ...
    def refuse(self, head: bytes, error: BadMessage, sender: Sender, address: str) -> Answer: ...
    def alert(self, address: str, what: str) -> None: ...


@dataclass(eq=False, slots=True)
class _Connection:
    sock: socket.socket
    address: str
    sender: Sender
    deadline: float | None = None  # of the clock; None while we are the ones who work
    late: bool = False
    mid_frame: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)

    def cut(self, how: int = socket.SHUT_RDWR) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(how)


class MllpServer:
    """Listens from construction; serves from `start` to `stop`."""

    def __init__(
        self,
        door: Door,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """port: 0 takes any free one. release: called at the end of each thread. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self._listener.settimeout(_TICK)
        self.port = int(self._listener.getsockname()[1])  # the one that is bound, also when 0 was asked for
        self._door = door
        self._clock = clock
        self._release = release
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, name="hl7-accept", daemon=True)

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._connections)

    def start(self) -> None:
        self._acceptor.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Close the port, let answers under way leave, and wait for the threads."""
        self._stopping.set()
        if self._acceptor.is_alive():
            self._acceptor.join(timeout)
        self._listener.close()
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            connection.cut(socket.SHUT_RD)
        for connection in open_connections:
            if connection.thread is not None:
                connection.thread.join(timeout)

    def _accept(self) -> None:
        keep_on(self._turn, self._stopping, lambda what: self._door.alert("", what))
        self._release()

    def _turn(self) -> None:
        self.sweep()
        try:
            sock, address = self._listener.accept()
        except TimeoutError:
            return
        try:
            self._welcome(sock, plain_address(address[0]))
        except Exception:
            sock.close()
            raise

    def sweep(self) -> None:
        """Cut every connection that has waited longer than its sender may."""
        now = self._clock.monotonic()
        with self._lock:
            late = [c for c in self._connections if c.deadline is not None and now >= c.deadline]
        for connection in late:
            connection.late = True
            connection.cut()

    def _welcome(self, sock: socket.socket, address: str) -> None:
        sender = self._door.admit(address) if self._has_room(address) else None
        if sender is None:
            sock.close()
            return
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = _Connection(sock, address, sender)
        self._wait(connection, sender.limits.idle_seconds)
        connection.thread = threading.Thread(target=self._serve, args=(connection,), name=f"hl7-{address}", daemon=True)
        with self._lock:
            self._connections.add(connection)
        try:
            connection.thread.start()
        except RuntimeError:  # no thread to be had
            self._forget(connection)
            raise

    def _has_room(self, address: str) -> bool:
        with self._lock:
            from_peer = sum(c.address == address for c in self._connections)
            full = len(self._connections) >= CONNECTIONS or from_peer >= PER_PEER
        if full:
            self._door.alert(address, "too many connections")
        return not full

    def _wait(self, connection: _Connection, seconds: float) -> None:
        connection.deadline = self._clock.monotonic() + seconds

    def _serve(self, connection: _Connection) -> None:
        try:
            self._converse(connection)
        except OSError as error:
            log.info("hl7 %s: connection lost (%s)", connection.address, type(error).__name__)
        except Exception:  # the door: no connection may take the others with it
            log.exception("hl7 %s: connection dropped", connection.address)
        finally:
            self._forget(connection)
        if connection.late and connection.mid_frame:
            self._door.alert(connection.address, "message too slow")
        self._release()

    def _forget(self, connection: _Connection) -> None:
        with self._lock:
            self._connections.discard(connection)
        connection.cut()
        connection.sock.close()

    def _converse(self, connection: _Connection) -> None:
        deframer = Deframer(connection.sender.limits)
        timed = -1  # the frame whose time is running
        while not self._stopping.is_set():
            data = connection.sock.recv(_CHUNK)
            deframer.receive(data) if data else deframer.end()
            if not self._answer_frames(connection, deframer) or not data:
                return
            if deframer.mid_frame and timed != deframer.frames:  # once a frame: dripping bytes does not move it
                timed = deframer.frames
                self._wait(connection, connection.sender.limits.frame_seconds)
            connection.mid_frame = deframer.mid_frame

    def _answer_frames(self, connection: _Connection, deframer: Deframer) -> bool:
        """Answer every complete frame; False when the connection has to end."""
        while True:
            try:
                complete = deframer.next_frame()
            except BadMessage as error:
                connection.deadline = None
                self._send(connection, self._door.refuse(deframer.head, error, connection.sender, connection.address))
                self._drain(connection)
                return False
            if complete is None:
                return True
            connection.deadline = None
            sender = self._door.admit(connection.address)  # its row may have changed since the last frame
            if sender is None:
                return False
            connection.sender = sender
            answer = self._door.answer(complete, sender, connection.address)
            self._send(connection, answer)
            if answer.close:
                self._drain(connection)
                return False

    def _send(self, connection: _Connection, answer: Answer) -> None:
        self._wait(connection, connection.sender.limits.idle_seconds)
        if answer.data:
            connection.sock.sendall(frame(answer.data))

    def _drain(self, connection: _Connection) -> None:
        """Throw away what the peer still sends: closing over unread bytes would destroy our last answer on its way."""
        connection.cut(socket.SHUT_WR)
        self._wait(connection, _DRAIN_SECONDS)
        left = _DRAIN_BYTES
        while left > 0 and (data := connection.sock.recv(_CHUNK)):
            left -= len(data)
