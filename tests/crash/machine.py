"""A machine that sends one object after the other on one association, and knows which ones were acknowledged."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

from core.dicom import dimse
from tests.crash.mix import TITLES, Mix, Sent
from tests.dicom.modality import PATIENCE, Closed, Modality, request_command
from tests.people.images import CT_IMAGE, EXPLICIT

PDU = 131_072


class Counter:
    """How many objects all machines together were told are kept; somebody may wait for a number of them."""

    def __init__(self) -> None:
        self.so_far = 0
        self._more = threading.Condition()

    def one_more(self) -> None:
        with self._more:
            self.so_far += 1
            self._more.notify_all()

    def wait_for(self, number: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: self.so_far >= number, PATIENCE * 3), self.so_far


@dataclass
class Machine:
    """Its objects are numbered from 0; one that was not acknowledged is sent again on the next association.

    again: the share of its objects that it sends a second time, as machines do when they doubt.
    """

    number: int
    mix: Mix
    counter: Counter
    again: float = 0.1
    next: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict)  # SOP Instance UID: number
    repeated: int = 0
    fault: Exception | None = None

    def __post_init__(self) -> None:
        self._dice = random.Random(self.number)
        self._leaving = threading.Event()

    def start(self, address: tuple[str, int]) -> threading.Thread:
        """A thread that ends when the box is gone, or when it was asked to leave."""
        self._leaving.clear()
        thread = threading.Thread(target=self._run, args=(address,), daemon=True)
        thread.start()
        return thread

    def leave(self) -> None:
        self._leaving.set()

    def _run(self, address: tuple[str, int]) -> None:
        try:
            with Modality(address) as line:
                line.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=TITLES[self.number])
                while not self._leaving.is_set():
                    self._one(line)
                line.release()
        except (Closed, OSError):
            return
        except Exception as fault:
            self.fault = fault

    def _one(self, line: Modality) -> None:
        self._send(line, sent := self.mix.made(self.number, self.next))
        self.acknowledged[sent.uid] = self.next
        self.next += 1
        self.counter.one_more()
        if self._dice.random() < self.again:
            earlier = max(0, self.next - 1 - self._dice.randrange(100))
            self._send(line, self.mix.made(self.number, earlier))
            self.repeated += 1

    def _send(self, line: Modality, sent: Sent) -> None:
        command = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, sent.uid)
        status = line.ask(1, command, sent.content, PDU)
        assert status == 0, f"{sent.uid}: {status}"
