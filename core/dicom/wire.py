"""A connected socket as the association uses it: blocking, with a clock instead of socket timeouts.

TCP_NODELAY both ways; TCP_QUICKACK re-armed after each receive, because a sender with Nagle's algorithm on
waits for our acknowledgement (40 ms per image without it).
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

from core.dicom.secure import SecureSocket

_MORE = getattr(socket, "MSG_MORE", 0)
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class PeerGone(Exception):
    """The connection is closed or broken."""


class FileShort(Exception):
    """A file ended before what was promised of it: the message cannot be finished."""


class TimeLimit(Exception):
    """The peer used up a time limit."""


def prepare(connection: socket.socket, tick: float) -> None:
    """Blocking, no Nagle, waking up every `tick` seconds to look at the clock."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(connection, SecureSocket):
        connection.settimeout(tick)
        return
    connection.setblocking(True)
    seconds = int(tick)
    wake = struct.pack("@ll", seconds, int((tick - seconds) * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wake)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wake)


class Wire:
    """Receives into a buffer and sends whole messages. `wake` is called at each tick of waiting and may raise."""

    def __init__(self, connection: socket.socket, wake: Callable[[], None]) -> None:
        self.socket = connection
        self.sent = 0  # bytes, so that a slow peer can be told from one that takes nothing
        self._wake = wake

    def receive(self, space: memoryview) -> int:
        """At least one byte. Raises `PeerGone`, and whatever `wake` raises."""
        while True:
            try:
                count = self.socket.recv_into(space)
            except BlockingIOError:
                self._wake()
                continue
            except OSError as error:
                raise PeerGone(str(error)) from error
            if not count:
                raise PeerGone("closed by the peer")
            if _QUICKACK is not None:
                self.socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            return count

    def glance(self, space: memoryview) -> int:
        """What has already arrived, 0 when nothing."""
        try:
            count = self.socket.recv_into(space, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise PeerGone(str(error)) from error
        if not count:
            raise PeerGone("closed by the peer")
        return count

    def send(self, data: bytes | memoryview, blocked: Callable[[], None], more: bool = False) -> None:
        """All of `data`. `blocked` is called at each tick in which the peer takes nothing, and may raise.

        more: the rest of the message follows at once, so the kernel may wait for it.
        """
        view = memoryview(data)
        flags = _MORE if more else 0
        while view:
            try:
                sent = self.socket.send(view, flags)
            except BlockingIOError:
                blocked()
                continue
            except OSError as error:
                raise PeerGone(str(error)) from error
            self.sent += sent
            view = view[sent:]

    def try_send(self, data: bytes) -> None:
        """A last word (abort, rejection): sent if it fits, never waited for."""
        with contextlib.suppress(OSError):
            self.socket.send(data, socket.MSG_DONTWAIT)
