"""What we ask on an association that a peer opened: put there by any thread, sent while the peer says nothing."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from core.dicom.dimse import Command
from core.dicom.negotiation import Context
from core.errors import Unreachable
from core.i18n import _


@dataclass(frozen=True, slots=True)
class Question:
    """A request of ours. elements: its command set without the message id, in ascending order."""

    context: Context
    elements: tuple[tuple[int, int | str], ...]
    data_set: bytes
    answer: Future[Command] = field(default_factory=Future, compare=False)


class Questions:
    """Those of one association, one at a time. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Question] = []
        self._asked: tuple[int, Question] | None = None
        self._number = 0
        self._over = False

    def ask(self, question: Question) -> Future[Command]:
        """The peer's response, or `Unreachable` when the association ends first."""
        with self._lock:
            if not self._over:
                self._waiting.append(question)
                return question.answer
        question.answer.set_exception(_gone())
        return question.answer

    # In the association's thread.

    def next(self) -> tuple[int, Question] | None:
        """The next question to send, with its message id; None while one waits for its answer."""
        with self._lock:
            if self._asked is not None or not self._waiting:
                return None
            self._number += 1
            self._asked = (self._number, self._waiting.pop(0))
            return self._asked

    def answered(self, response: Command) -> bool:
        """Whether this response is the answer to what we asked."""
        with self._lock:
            if self._asked is None or response.responded_to != self._asked[0]:
                return False
            question, self._asked = self._asked[1], None
        question.answer.set_result(response)
        return True

    def close(self) -> None:
        """The association is over: whoever waits is told."""
        with self._lock:
            self._over = True
            left = [*([self._asked[1]] if self._asked else []), *self._waiting]
            self._asked, self._waiting = None, []
        for question in left:
            question.answer.set_exception(_gone())


def _gone() -> Unreachable:
    return Unreachable(_("L'association est finie."))
