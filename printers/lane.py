"""One printer's lane through the durable print queue: one job under way, in the queue's order.

The queue keeps the jobs and their states; a lane asks it for the printer's oldest open job, does the next thing
for that job's state, and tells what became of it. A step is whole: a job found `sending` at the start of one was
cut by a crash, so it becomes `unknown` and the printer is asked before anything is sent again.

One job at a time keeps the order whatever the printer answers: a busy printer delays the ones behind it, never
lets them pass. Waits are counted on the monotonic clock: the wall clock of a small board may jump by years.
"""

from __future__ import annotations

from core.clock import Clock
from core.errors import YelenError
from core.i18n import _
from core.model.printing import PrintJob, PrintState
from printers.payload import checked
from printers.ports import Condition, Driver, Fate, News, PrinterState, PrintQueue

BACK_OFF_S = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
WATCH_S = 3.0  # a printer without paper is seen within 5 s
FOLLOW_S = 1.0


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
        if (wait := self._must_wait(job)) > 0:
            return min(wait, self._until_watch())
        return self._advance(job)

    def _must_wait(self, job: PrintJob) -> float:
        """Seconds of back-off left for this job; none for another one, or when a person asked for it again."""
        resumed = job.state is PrintState.QUEUED and job.next_at is None
        if resumed or self._waiting_for != (job.id, job.state):
            return 0.0
        return self._not_before - self._clock.monotonic()

    def _watch(self) -> None:
        if self._until_watch() > 0:
            return
        state = self._driver.state()
        self._watch_at = self._clock.monotonic() + WATCH_S
        if state != self._seen:
            self._queue.printer_is(self.printer, state)
            self._seen = state
            self._not_before = 0.0
            self._failures = 0

    def _until_watch(self) -> float:
        return max(0.0, self._watch_at - self._clock.monotonic())

    def _is_away(self) -> bool:
        return self._seen is not None and self._seen.condition is Condition.AWAY

    def _withdraw(self) -> None:
        for job in () if self._is_away() else self._queue.withdrawn(self.printer):
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
        if self._seen is not None and self._is_away():
            return self._try_later(job, News(Fate.NOT_TAKEN, self._seen.sentence))
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
        seen = self._seen
        return seen.sentence if seen and seen.condition not in (Condition.OK, Condition.BUSY) else ""

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
