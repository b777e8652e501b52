"""What waits to be written to one client, bounded: a stopped terminal never slows the core nor fills its memory.

Answers are kept and their caller waits; pushes beyond the bound are dropped, and the client is told once, when it reads
again, to reload what it shows.
"""

from __future__ import annotations

from collections import deque
from threading import Condition

MAX_ANSWERS = 16
MAX_PUSHES = 256
PORTION = 65_536


class Outgoing:
    """A queue between the threads that speak and the one thread that writes."""

    def __init__(self, reload: bytes, max_pushes: int = MAX_PUSHES) -> None:
        self._reload, self._max_pushes = reload, max_pushes
        self._ready = Condition()
        self._answers: deque[bytes] = deque()
        self._pushes: deque[bytes] = deque()
        self._overflowed = False
        self._closed = False

    def answer(self, line: bytes) -> None:
        """Waits while the client does not read its answers: only that client's own thread is held."""
        with self._ready:
            self._ready.wait_for(lambda: len(self._answers) < MAX_ANSWERS or self._closed)
            self._answers.append(line)
            self._ready.notify_all()

    def push(self, line: bytes) -> None:
        """Never waits."""
        with self._ready:
            if len(self._pushes) >= self._max_pushes:
                self._pushes.clear()
                self._overflowed = True
            elif not self._overflowed:
                self._pushes.append(line)
                self._ready.notify_all()

    def take(self) -> bytes | None:
        """The next bytes to write, waiting for them; None once closed and empty."""
        with self._ready:
            self._ready.wait_for(lambda: self._answers or self._pushes or self._overflowed or self._closed)
            portion = bytearray()
            for queue in (self._answers, self._pushes):
                while queue and len(portion) < PORTION:
                    portion += queue.popleft()
            if self._overflowed:
                portion += self._reload
                self._overflowed = False
            self._ready.notify_all()
            return bytes(portion) or None

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()
