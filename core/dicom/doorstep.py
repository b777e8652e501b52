"""Sockets that are not associations: those that have not asked yet, and those that are leaving.

One selector thread owns them all, so that a silent or slow peer costs no thread. A socket leaves this stage with its
complete A-ASSOCIATE-RQ, or is closed: after `request_time`, at once when its first PDU is impossible, and at accept
when its address or the whole stage holds too many. Beyond `pending_per_address` a newcomer still gets `BURST` seconds,
because ten machines behind one address may connect in the same millisecond. Whatever goes wrong with one socket costs
that socket alone; whatever goes wrong with the stage is noted and waited out, and the port stays open.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from core.clock import Clock
from core.dicom import upper_layer
from core.dicom.limits import Limits
from core.dicom.notes import Happened, Note, Notebook
from core.dicom.secure import PLAIN, Line, line_of
from core.dicom.upper_layer import BadPdu
from core.unfailing import keep_on, say

_log = logging.getLogger(__name__)

BURST: Final = 0.25
_BURST_FACTOR: Final = 4
_TICK: Final = 0.1  # how often the clock is looked at while somebody waits
_HEADER: Final = 6


@dataclass(slots=True)
class _Visitor:
    """A socket of this stage. `wanted`: bytes to the end of the A-ASSOCIATE-RQ; leaving ones are only drained."""

    connection: socket.socket
    address: str
    deadline: float
    leaving: bool = False
    wanted: int = _HEADER
    received: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Knock:
    """A complete A-ASSOCIATE-RQ: its body, the bytes that came after it, and what its line proves."""

    connection: socket.socket
    address: str
    body: bytes
    leftover: bytes
    line: Line = PLAIN


class Doorstep:
    """Accepts, waits for the request, hands over. `enter` is called in the stage's own thread and must be quick."""

    def __init__(
        self,
        listener: socket.socket,
        limits: Limits,
        clock: Clock,
        note: Notebook,
        enter: Callable[[Knock], None],
        secured: Callable[[socket.socket], socket.socket] | None = None,
    ) -> None:
        self._listener = listener
        self._limits = limits
        self._clock = clock
        self._note = note
        self._enter = enter
        self._secured = secured
        self._selector = selectors.DefaultSelector()
        self._waker, self._wake = socket.socketpair()
        self._visitors: dict[socket.socket, _Visitor] = {}
        self._handed_back: list[_Visitor] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._out_of_sockets = False
        self._scratch = bytearray(64 * 1024)
        self._thread = threading.Thread(target=self._run, name="dicom-doorstep", daemon=True)

    def start(self) -> None:
        self._listener.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Close the listener and everybody on the doorstep."""
        with self._lock:
            self._stopping.set()
        self._ring()
        self._thread.join()

    def see_out(self, connection: socket.socket, address: str) -> None:
        """Take back a socket that had its last word: closed when the peer closes, or after the ARTIM time."""
        visitor = _Visitor(connection, address, self._clock.monotonic() + self._limits.artim, leaving=True)
        with self._lock:
            stopping = self._stopping.is_set()
            if not stopping:
                self._handed_back.append(visitor)
        if stopping:
            _close(connection)
        else:
            self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b"!")

    # Everything below runs in the stage's thread.

    def _run(self) -> None:
        try:
            keep_on(self._turn, self._stopping, self._fault)
        finally:
            self._close_all()

    def _fault(self, what: str) -> None:
        self._note(Note(Happened.FAULT, "", reason=what.partition(": ")[2]))

    def _turn(self) -> None:
        ready = self._selector.select(_TICK if self._visitors or self._out_of_sockets else None)
        self._resume()
        newcomers = False
        for key, _ in ready:
            if key.fileobj is self._listener:
                newcomers = True
            elif key.fileobj is self._waker:
                self._take_back()
            else:
                self._attend(self._visitors[key.fileobj])  # type: ignore[index]
        if newcomers:  # after the reads, so that whoever has asked no longer counts
            self._accept()
        self._sweep()

    def _resume(self) -> None:
        if self._listener not in self._selector.get_map():
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _take_back(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._waker.recv(4096)
        with self._lock:
            visitors, self._handed_back = self._handed_back, []
        for visitor in visitors:
            if len(self._visitors) >= 2 * self._limits.pending or not self._keep(visitor):
                _close(visitor.connection)

    def _keep(self, visitor: _Visitor) -> bool:
        try:
            visitor.connection.setblocking(False)
            self._selector.register(visitor.connection, selectors.EVENT_READ)
        except (OSError, ValueError):
            return False
        self._visitors[visitor.connection] = visitor
        return True

    def _accept(self) -> None:
        try:
            connection, peer = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:  # no descriptor left: look again at the next tick, not in a hot loop
            if not self._out_of_sockets:
                _log.exception("the DICOM port cannot accept")
                say(self._fault, error)
            self._out_of_sockets = True
            self._selector.unregister(self._listener)
            return
        self._out_of_sockets = False
        address = str(peer[0])
        here = Counter(visitor.address for visitor in self._visitors.values() if not visitor.leaving)
        limit = self._limits.pending_per_address
        crowded = here[address] >= limit
        if here.total() >= self._limits.pending or here[address] >= limit * _BURST_FACTOR:
            _close(connection)
            self._note(Note(Happened.REFUSED, address, reason=f"{here[address]} silent connections"))
            return
        if self._secured is not None:
            try:
                connection = self._secured(connection)
            except (OSError, ValueError):  # gone already
                _close(connection)
                return
        patience = BURST if crowded else self._limits.request_time
        visitor = _Visitor(connection, address, self._clock.monotonic() + patience)
        if self._keep(visitor):
            self._attend(visitor)
        else:
            _close(connection)

    def _attend(self, visitor: _Visitor) -> None:
        try:
            self._read(visitor)
        except Exception as error:
            _log.exception("a visitor from %s was dropped", visitor.address)
            say(self._fault, error)
            if visitor.connection in self._visitors:
                self._forget(visitor)
            _close(visitor.connection)

    def _read(self, visitor: _Visitor) -> None:
        try:
            count = visitor.connection.recv_into(self._scratch)
        except BlockingIOError:
            return
        except ssl.SSLError as error:
            stranger = isinstance(error, ssl.SSLCertVerificationError)
            what, reason = (Happened.REJECTED, "CERTIFICATE") if stranger else (Happened.PROBE, f"TLS: {error.reason}")
            self._note(Note(what, visitor.address, reason=reason))
            count = 0
        except OSError:
            count = 0
        if not count:
            self._drop(visitor)
        elif not visitor.leaving:
            self._listen(visitor, count)

    def _listen(self, visitor: _Visitor, count: int) -> None:
        received = visitor.received
        received += memoryview(self._scratch)[:count]
        if visitor.wanted == _HEADER and len(received) >= _HEADER:
            try:
                visitor.wanted += upper_layer.request_length(received, self._limits.request_size)
            except BadPdu as error:
                self._refuse(visitor, error)
                return
        if visitor.wanted > _HEADER and len(received) >= visitor.wanted:
            self._forget(visitor)
            body, leftover = bytes(received[_HEADER : visitor.wanted]), bytes(received[visitor.wanted :])
            self._enter(Knock(visitor.connection, visitor.address, body, leftover, line_of(visitor.connection)))

    def _refuse(self, visitor: _Visitor, error: BadPdu) -> None:
        """Not DICOM, or a length nobody may claim: an abort, and the end of it."""
        self._note(Note(Happened.PROBE, visitor.address, reason=error.reason))
        with contextlib.suppress(OSError):
            visitor.connection.send(upper_layer.abort(error.abort_reason))
        self._drop(visitor)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for visitor in [visitor for visitor in self._visitors.values() if visitor.deadline <= now]:
            self._drop(visitor)
            if not visitor.leaving:
                self._note(Note(Happened.SILENT, visitor.address, reason=f"{len(visitor.received)} bytes received"))

    def _forget(self, visitor: _Visitor) -> None:
        self._selector.unregister(visitor.connection)
        del self._visitors[visitor.connection]

    def _drop(self, visitor: _Visitor) -> None:
        self._forget(visitor)
        _close(visitor.connection)

    def _close_all(self) -> None:
        self._take_back()
        for visitor in list(self._visitors.values()):
            self._drop(visitor)
        self._selector.close()
        for end in (self._listener, self._waker, self._wake):
            _close(end)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.close()
