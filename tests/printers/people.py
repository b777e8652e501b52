"""A print queue in memory that keeps every verb it was told, and jobs to put in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from core.model.printing import PaperKind, PrintJob, PrintState
from printers.ports import PrinterState

PDF = b"%PDF-1.4\n%fake\n%%EOF\n"
OVER = {PrintState.DONE, PrintState.FAILED, PrintState.CANCELLED}


class PowerCut(Exception):
    """The box dies here."""


class MemoryQueue:
    """What services keep in the index, kept in a dict. `dies_at` names the verb during which the box dies, once."""

    def __init__(self) -> None:
        self.jobs: dict[int, PrintJob] = {}
        self.told_of: list[tuple[int, str]] = []
        self.states: list[PrinterState] = []
        self.reasons: dict[int, str] = {}
        self.dies_at = ""
        self._documents: dict[int, bytes] = {}
        self._for_a_person: set[int] = set()
        self._withdrawn: set[int] = set()
        self._numbers = count(1201)

    def add(
        self,
        document: bytes = PDF,
        printer: str = "LASER1",
        paper: PaperKind = PaperKind.CONVOCATION,
        mime: str = "application/pdf",
        created_at: datetime | None = None,
    ) -> int:
        number = next(self._numbers)
        self._documents[number] = document
        self.jobs[number] = PrintJob(
            id=number,
            printer=printer,
            paper=paper,
            title="Convocation",
            patient="KABORE Fatou",
            state=PrintState.QUEUED,
            attempts=0,
            reason="",
            created_at=created_at or datetime.now(UTC),
            next_at=None,
            payload=f"spool/{number}",
            mime=mime,
        )
        return number

    def state_of(self, number: int) -> PrintState:
        return self.jobs[number].state

    def history(self, number: int) -> list[str]:
        return [verb for one, verb in self.told_of if one == number]

    def asks_a_person(self, number: int) -> bool:
        return number in self._for_a_person

    def resume(self, number: int) -> None:
        """A person presses « relancer »."""
        self.jobs[number] = replace(self.jobs[number], state=PrintState.QUEUED, next_at=None)

    def withdraw(self, number: int) -> None:
        """A person cancels it or diverts it elsewhere."""
        self._withdrawn.add(number)
        self.jobs[number] = replace(self.jobs[number], state=PrintState.CANCELLED)

    # The verbs of printers.ports.PrintQueue

    def head(self, printer: str) -> PrintJob | None:
        mine = [job for job in self.jobs.values() if job.printer == printer and job.state not in OVER]
        return next((job for job in sorted(mine, key=lambda job: job.id) if job.id not in self._for_a_person), None)

    def withdrawn(self, printer: str) -> list[PrintJob]:
        return [self.jobs[number] for number in sorted(self._withdrawn) if self.jobs[number].printer == printer]

    def document(self, job: PrintJob) -> bytes:
        return self._documents[job.id]

    def sending(self, job: PrintJob) -> PrintJob:
        self._set(job, "sending", PrintState.SENDING, attempts=job.attempts + 1)
        return self.jobs[job.id]

    def taken(self, job: PrintJob, remote_job_id: int | None) -> None:
        self._set(job, "taken", PrintState.SENT, remote_job_id=remote_job_id)

    def printing(self, job: PrintJob, reason: str) -> None:
        self._set(job, "printing", PrintState.PRINTING, reason)

    def done(self, job: PrintJob, reason: str) -> None:
        self._set(job, "done", PrintState.DONE, reason)

    def failed(self, job: PrintJob, reason: str) -> None:
        self._set(job, "failed", PrintState.FAILED, reason)

    def cancelled(self, job: PrintJob, reason: str) -> None:
        self._set(job, "cancelled", PrintState.CANCELLED, reason)

    def waiting(self, job: PrintJob, reason: str, retry_s: float) -> None:
        next_at = datetime.now(UTC) + timedelta(seconds=retry_s) if retry_s else None
        self._set(job, "waiting", PrintState.QUEUED, reason, next_at=next_at)

    def unknown(self, job: PrintJob, reason: str, for_a_person: bool) -> None:
        self._set(job, "unknown", PrintState.UNKNOWN, reason)
        if for_a_person:
            self._for_a_person.add(job.id)

    def told(self, job: PrintJob, reason: str) -> None:
        self._withdrawn.discard(job.id)
        self.told_of.append((job.id, "told"))
        self.reasons[job.id] = reason

    def printer_is(self, printer: str, state: PrinterState) -> None:
        self.states.append(state)

    def _set(self, job: PrintJob, verb: str, state: PrintState, reason: str = "", **changes: object) -> None:
        if verb == self.dies_at:
            self.dies_at = ""
            raise PowerCut(verb)
        self.jobs[job.id] = replace(self.jobs[job.id], state=state, reason=reason, **changes)  # type: ignore[arg-type]
        self.told_of.append((job.id, verb))
        self.reasons[job.id] = reason
