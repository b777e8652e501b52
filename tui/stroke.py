"""Keys as the screens see them, and type-ahead: what is typed before a screen is ready reaches that screen, in order.

Rule 1: while a screen waits for the core or for another screen, keys are queued, not handled by the old screen.
Rule 2: when the wait ends well the queue is replayed through the normal path; when it ends in a refusal the queue is
        thrown away with a beep, because half a sequence must not go on on the wrong screen.
Rule 3: F12 is never queued.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

PASTE_CAP = 65_536  # characters
QUEUE_CAP = 4_096  # strokes; a paste is one


@dataclass(frozen=True, slots=True)
class Stroke:
    """A key by its name, with the text it types ("" for function keys). A paste is one stroke."""

    key: str
    text: str = ""


_TWINS = {"f10": "escape", "ctrl+h": "backspace", "ctrl+m": "enter", "ctrl+j": "enter"}


def stroke_of(key: str, character: str | None) -> Stroke:
    """What Textual decoded: Escape does what F10 does, printable characters become text."""
    text = character if character is not None and character.isprintable() else ""
    return Stroke(_TWINS.get(key, key), text)


def paste_of(text: str) -> Stroke:
    """Pasted text on one line; a final line feed is the Enter that a bar-code reader sends."""
    text = unicodedata.normalize("NFC", text[:PASTE_CAP])
    return Stroke("paste", "".join(c if c.isprintable() else " " for c in text).strip())


class Keyboard:
    """The queue between the terminal and the screens."""

    def __init__(self, deliver: Callable[[Stroke], None], waits: Callable[[Stroke], bool]) -> None:
        self._deliver, self._waits = deliver, waits
        self._queue: deque[Stroke] = deque()
        self._draining = False

    @property
    def queued(self) -> int:
        return len(self._queue)

    def take(self, stroke: Stroke) -> None:
        if len(self._queue) < QUEUE_CAP:
            self._queue.append(stroke)
        self.drain()

    def drain(self) -> None:
        """Deliver what may be delivered now; called again whenever a wait ends."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._queue and not self._waits(self._queue[0]):
                self._deliver(self._queue.popleft())
        finally:
            self._draining = False

    def discard(self) -> None:
        self._queue.clear()
