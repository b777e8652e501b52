"""The outbox on its way: one thread a destination, order kept for each patient, refusals retried, silence endured.

Rule 1: a message is written once; what is sent again has the same bytes and the same MSH-10.
Rule 2: AR is final at once; AE is final the fifth time; a link that is down is never final.
Rule 3: a patient whose message waits blocks no other patient (the lanes are the outbox's own).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from core.clock import Clock
from core.errors import BadMessage, Unreachable, YelenError
from core.hl7.client import MllpClient, Reply
from core.i18n import _
from core.model.device import Destination
from core.model.outbox import Letter

log = logging.getLogger(__name__)

REFUSALS = 5
_FIRST_PAUSE = 5.0  # seconds
_LONGEST_PAUSE = 600.0
_LOOK_AGAIN = 1.0  # seconds between two looks at an outbox that nobody woke us for


class Outbox(Protocol):
    """The rows, as `core.services.outbox` keeps them: every method that changes one is one committed act."""

    def destinations(self) -> Sequence[Destination]: ...

    def resume(self) -> None:
        """At start: rows SENT without answer wait again."""

    def due(self, destination: str, now: datetime) -> Letter | None:
        """The oldest letter that heads its lane and whose time has come."""

    def sending(self, letter: Letter, payload: bytes) -> None:
        """State SENT, with the bytes that leave."""

    def accepted(self, letter: Letter, answer: str) -> None: ...

    def retry(self, letter: Letter, at: datetime, refused: bool, answer: str) -> None:
        """Waits again until `at`. refused: by the receiver (AE), not by the link."""

    def dead(self, letter: Letter, answer: str) -> None:
        """Needs a person."""


def pause(failures: int) -> timedelta:
    """5 s, 10 s, 20 s … at most 10 min."""
    return timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(failures, 20), _LONGEST_PAUSE))


class Route:
    """One destination: its connection, and how long its link has been down."""

    def __init__(
        self, destination: Destination, outbox: Outbox, write: Callable[[Letter, Destination], bytes], clock: Clock
    ) -> None:
        self.destination = destination
        self._outbox = outbox
        self._write = write
        self._clock = clock
        self.client = MllpClient(destination.host, destination.port, clock)
        self._failures = 0
        self._quiet_until: datetime | None = None

    def deliver(self) -> bool:
        """Send the next letter that is due; False when there is none, or the link is being left alone."""
        now = self._clock.now()
        if self._quiet_until is not None and now < self._quiet_until:
            return False
        letter = self._outbox.due(self.destination.name, now)
        if letter is None:
            return False
        payload = letter.payload or self._written(letter)
        if payload:
            self._send(letter, payload)
        return True

    def _written(self, letter: Letter) -> bytes:
        """The bytes of a new letter; one that cannot be written needs a person."""
        try:
            return self._write(letter, self.destination)
        except YelenError as error:
            self._outbox.dead(letter, str(error))
        except Exception:  # the door: a fault in one message must not stop the others
            log.exception("hl7 %s: message not written", self.destination.name)
            self._refused(letter, _("Message impossible à écrire (voir le journal)"))
        return b""

    def _send(self, letter: Letter, payload: bytes) -> None:
        self._outbox.sending(letter, payload)
        try:
            reply = self.client.exchange(payload, letter.control_id)
        except (Unreachable, BadMessage) as error:
            self._link_down(letter, str(error))
            return
        self._failures, self._quiet_until = 0, None
        self._settle(letter, reply)

    def _settle(self, letter: Letter, reply: Reply) -> None:
        log.info("hl7 %s: %s", self.destination.name, reply.code)
        if reply.code == "AA":
            self._outbox.accepted(letter, reply.text)
        elif reply.code == "AR":
            self._outbox.dead(letter, reply.text or reply.code)
        else:
            self._refused(letter, reply.text or reply.code)

    def _refused(self, letter: Letter, answer: str) -> None:
        if letter.refusals + 1 >= REFUSALS:
            self._outbox.dead(letter, answer)
        else:
            self._outbox.retry(letter, self._clock.now() + pause(letter.refusals), True, answer)

    def _link_down(self, letter: Letter, answer: str) -> None:
        log.warning("hl7 %s: no answer", self.destination.name)
        self._quiet_until = self._clock.now() + pause(self._failures)
        self._failures += 1
        self._outbox.retry(letter, self._quiet_until, False, answer)


class _Runner(threading.Thread):
    """The thread of one route."""

    def __init__(self, route: Route, office: OutboxSender) -> None:
        super().__init__(name=f"hl7-to-{route.destination.name}", daemon=True)
        self.route = route
        self.retired = threading.Event()
        self._office = office

    def run(self) -> None:
        while not self._office.stopping and not self.retired.is_set():
            news = self._office.news
            if not self._delivered():
                self._office.rest(news)
        self.route.client.close()
        self._office.release()

    def _delivered(self) -> bool:
        try:
            return self.route.deliver()
        except Exception:  # the door: the row stays, and is tried again
            log.exception("hl7 %s: outbox not drained", self.route.destination.name)
            return False

    def dismiss(self) -> None:
        self.retired.set()
        self.route.client.interrupt()


class OutboxSender:
    """Keeps one thread for each active destination, following the rows of the registry."""

    def __init__(
        self,
        outbox: Outbox,
        write: Callable[[Letter, Destination], bytes],
        clock: Clock,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """release: called at the end of each thread."""
        self.release = release
        self._outbox = outbox
        self._write = write
        self._clock = clock
        self._runners: dict[str, _Runner] = {}
        self._stopping = threading.Event()
        self._bell = threading.Condition()
        self.news = 0  # how often the bell rang
        self._keeper = threading.Thread(target=self._keep, name="hl7-outbox", daemon=True)

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        self._outbox.resume()
        self._keeper.start()

    def wake(self) -> None:
        """Something new is in the outbox, or in the registry."""
        with self._bell:
            self.news += 1
            self._bell.notify_all()

    def rest(self, news: int) -> None:
        """Until something newer than `news` happens, or it is time to look again."""
        with self._bell:
            self._bell.wait_for(lambda: self.news != news or self.stopping, _LOOK_AGAIN)

    def stop(self, timeout: float = 10.0) -> None:
        """End at once: a message whose answer has not come is sent again after the next start."""
        self._stopping.set()
        self.wake()
        if self._keeper.is_alive():
            self._keeper.join(timeout)
        for runner in self._runners.values():
            runner.dismiss()
        for runner in self._runners.values():
            runner.join(timeout)

    def _keep(self) -> None:
        while not self.stopping:
            news = self.news
            try:
                self._match({d.name: d for d in self._outbox.destinations() if d.active})
            except Exception:  # the door: the registry will be asked again
                log.exception("hl7 outbox: destinations not read")
            self.rest(news)
        self.release()

    def _match(self, wanted: dict[str, Destination]) -> None:
        """A thread for every destination, a new one when its row changed."""
        for name, runner in list(self._runners.items()):
            if wanted.get(name) != runner.route.destination:
                self._runners.pop(name).dismiss()
        for name in wanted.keys() - self._runners.keys():
            self._runners[name] = _Runner(Route(wanted[name], self._outbox, self._write, self._clock), self)
            self._runners[name].start()
