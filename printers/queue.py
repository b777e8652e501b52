"""Draining the durable print queue: one lane for each printer, one job under way in each lane.

The queue keeps the jobs and their states; a lane asks it for the printer's oldest open job, does the next thing
for that job's state, and tells what became of it. A step is whole: a job found `sending` at the start of one was
cut by a crash, so it becomes `unknown` and the printer is asked before anything is sent again.

One job at a time keeps the order whatever the printer answers: a busy printer delays the ones behind it, never
lets them pass.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from core.clock import Clock
from core.errors import YelenError
from core.i18n import _
from core.model.printing import PrintJob, PrintState
from printers.payload import checked
from printers.ports import Driver, Fate, News, PrinterState, PrintQueue

BACK_OFF_S = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
WATCH_S = 3.0  # a printer without paper is seen within 5 s
FOLLOW_S = 1.0
log = logging.getLogger(__name__)


class Lane:
    """One printer and its jobs. `step` does what is due and says in how many seconds to come back."""

    def __init__(self, printer: str, driver: Driver, queue: PrintQueue, clock: Clock) -> None:
        self.printer = printer
        self._driver = driver
        self._queue = queue
        self._clock = clock
        self._seen: PrinterState | None = None
        self._watch_at = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._waiting_for: tuple[int, PrintState] | None = None

    def step(self) -> float:
        self._watch()
        self._withdraw()
        job = self._queue.head(self.printer)
        if job is None:
            return self._until_watch()
        if self._waiting_for == (job.id, job.state) and self._clock.monotonic() < self._not_before:
            return min(self._not_before - self._clock.monotonic(), self._until_watch())
        return self._advance(job)

    def hurry(self) -> None:
        """A person asked for it now: the back-off is forgotten, the printer looked at again."""
        self._not_before = 0.0
        self._watch_at = 0.0
        self._failures = 0

    def _watch(self) -> None:
        if self._until_watch() > 0:
            return
        state = self._driver.state()
        self._watch_at = self._clock.monotonic() + WATCH_S
        if state != self._seen:
            self._queue.printer_is(self.printer, state)
            self._seen = state

    def _until_watch(self) -> float:
        return max(0.0, self._watch_at - self._clock.monotonic())

    def _withdraw(self) -> None:
        for job in self._queue.withdrawn(self.printer):
            news = self._driver.cancel(job)
            if news.fate is not Fate.DOUBTFUL:
                self._queue.told(job, news.reason)

    def _advance(self, job: PrintJob) -> float:
        """The next thing for a job in this state."""
        match job.state:
            case PrintState.QUEUED:
                return self._send(job)
            case PrintState.SENDING:
                self._queue.unknown(job, _("envoi interrompu"), for_a_person=False)
                return 0.0
            case PrintState.UNKNOWN:
                return self._heard(job, self._driver.find(job))
            case _:
                return self._heard(job, self._driver.follow(job))

    def _send(self, job: PrintJob) -> float:
        try:
            document = checked(self._queue.document(job), job.mime)
        except YelenError as error:
            self._queue.failed(job, str(error))
            return 0.0
        job = self._queue.sending(job)
        return self._heard(job, self._driver.send(job, document))

    def _heard(self, job: PrintJob, news: News) -> float:
        """Tells the queue, and says when to look again."""
        if news.fate in (Fate.NOT_TAKEN, Fate.DOUBTFUL):
            return self._try_later(job, news)
        self._failures = 0
        match news.fate:
            case Fate.TAKEN | Fate.PRINTING:
                return self._under_way(job, news)
            case Fate.DONE:
                self._queue.done(job, news.reason)
            case Fate.FAILED:
                self._queue.failed(job, news.reason)
            case Fate.CANCELLED:
                self._queue.cancelled(job, news.reason)
            case Fate.CANNOT_TELL:
                self._queue.unknown(job, news.reason, for_a_person=True)
        return 0.0

    def _under_way(self, job: PrintJob, news: News) -> float:
        if job.state in (PrintState.SENDING, PrintState.UNKNOWN):
            self._queue.taken(job, news.remote_job_id)
        reason = news.reason or (self._trouble() if news.fate is Fate.PRINTING else "")
        is_new = (job.state, job.reason) != (PrintState.PRINTING, reason)
        if is_new and (reason or news.fate is Fate.PRINTING):
            self._queue.printing(job, reason)
        return FOLLOW_S

    def _trouble(self) -> str:
        """Many printers say « papier vide » of themselves and not of the job that waits for it."""
        return self._seen.sentence if self._seen else ""

    def _try_later(self, job: PrintJob, news: News) -> float:
        never_came = news.fate is Fate.NOT_TAKEN
        if never_came and job.state is PrintState.UNKNOWN:
            self._queue.waiting(job, news.reason, 0.0)
            return 0.0
        delay = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        self._not_before = self._clock.monotonic() + delay
        if never_came:
            self._queue.waiting(job, news.reason, delay)
        elif job.state is PrintState.SENDING:
            self._queue.unknown(job, news.reason, for_a_person=False)
        self._waiting_for = (job.id, PrintState.QUEUED if never_came else PrintState.UNKNOWN)
        return min(delay, self._until_watch())


class PrintRunner:
    """A thread for each lane, so that a silent printer delays nobody else's sheets."""

    def __init__(self, drivers: Mapping[str, Driver], queue: PrintQueue, clock: Clock) -> None:
        self._lanes = {name: Lane(name, driver, queue, clock) for name, driver in drivers.items()}
        self._bells = {name: threading.Event() for name in drivers}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for name in self._lanes:
            thread = threading.Thread(target=self._run, args=(name,), name=f"print-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wake(self, printer: str) -> None:
        """A job was queued, resumed or withdrawn."""
        if printer in self._lanes:
            self._lanes[printer].hurry()
            self._bells[printer].set()

    def stop(self) -> None:
        """Returns when every lane has finished its step; nothing is left half sent."""
        self._stopping.set()
        for bell in self._bells.values():
            bell.set()
        for thread in self._threads:
            thread.join()

    def _run(self, name: str) -> None:
        while not self._stopping.is_set():
            delay = _stepped(self._lanes[name].step, name)
            self._bells[name].wait(delay)
            self._bells[name].clear()


def _stepped(step: Callable[[], float], name: str) -> float:
    """A fault of ours must not stop a printer for good: it is logged, and the lane comes back."""
    try:
        return step()
    except Exception:
        log.exception("print lane %s", name)
        return BACK_OFF_S[-1]
