"""What the queue's runner needs from its two neighbours: the durable queue behind it and the printer before it.

A job goes `queued -> sending -> sent -> printing -> done | failed | cancelled | unknown`. The queue keeps
those states; the runner only tells it what became of the job.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.model.printing import PrintJob


def name_at_printer(job: PrintJob) -> str:
    """The job's name at the printer, one for each attempt: ours alone, without a word about the patient.

    The moment of creation keeps it apart from a job of the same number in a restored backup.
    """
    return f"yelen-{job.id}.{job.attempts}-{job.created_at:%y%m%d%H%M%S}"


class Fate(StrEnum):
    """What a printer, or its silence, says about a job."""

    NOT_TAKEN = "not_taken"  # not a byte was kept there: it can be sent again
    TAKEN = "taken"
    PRINTING = "printing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DOUBTFUL = "doubtful"  # bytes left and no answer came: ask before sending again
    CANNOT_TELL = "cannot_tell"  # the printer has no memory of it that we could trust: a person decides


@dataclass(frozen=True)
class News:
    """A job's fate, with the reason in French for the screen."""

    fate: Fate
    reason: str = ""
    remote_job_id: int | None = None


class Condition(StrEnum):
    """A printer's health, as the screen sums it up."""

    OK = "ok"
    BUSY = "busy"
    WARNING = "warning"  # it prints, and somebody should come soon
    STOPPED = "stopped"  # paper, jam, cover: it waits for a hand
    AWAY = "away"


@dataclass(frozen=True)
class PrinterState:
    """What a printer says of itself. `reasons` are IPP keywords, `sentence` is French for the screen."""

    condition: Condition
    reasons: tuple[str, ...] = ()
    sentence: str = ""
    media_ready: tuple[str, ...] = ()


class Driver(Protocol):
    """One printer. No method raises for what the printer does: silence, refusal and nonsense are news."""

    def state(self) -> PrinterState: ...
    def send(self, job: PrintJob, document: bytes) -> News: ...
    def follow(self, job: PrintJob) -> News:
        """What became of a job that it has taken."""

    def find(self, job: PrintJob) -> News:
        """Whether a doubtful job ever came: its fate, `NOT_TAKEN`, or `CANNOT_TELL`."""

    def cancel(self, job: PrintJob) -> News: ...


class PrintQueue(Protocol):
    """The durable queue. Every verb is one committed transaction; the document was fsynced before `queued`."""

    def head(self, printer: str) -> PrintJob | None:
        """The printer's oldest job that is neither over nor waiting for a person's decision."""

    def withdrawn(self, printer: str) -> list[PrintJob]:
        """Jobs cancelled or diverted by a person that this printer has taken and was not yet told about."""

    def document(self, job: PrintJob) -> bytes: ...
    def sending(self, job: PrintJob) -> PrintJob:
        """Begins an attempt, writes the audit row; the job as it is now, its attempt counted."""

    def taken(self, job: PrintJob, remote_job_id: int | None) -> None: ...
    def printing(self, job: PrintJob, reason: str) -> None: ...
    def done(self, job: PrintJob, reason: str) -> None: ...
    def failed(self, job: PrintJob, reason: str) -> None: ...
    def cancelled(self, job: PrintJob, reason: str) -> None: ...
    def waiting(self, job: PrintJob, reason: str, retry_s: float) -> None:
        """Back to `queued`; tried again by itself in `retry_s` seconds."""

    def unknown(self, job: PrintJob, reason: str, for_a_person: bool) -> None:
        """It may have been printed. `for_a_person`: nothing will be done until somebody decides."""

    def told(self, job: PrintJob, reason: str) -> None:
        """The printer knows that this job is withdrawn, or had printed it already; `reason` says which."""

    def printer_is(self, printer: str, state: PrinterState) -> None: ...
