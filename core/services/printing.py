"""The durable print queue: a document is on disk before its job is queued; every attempt and its outcome is a row."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from core.archive.store import StoredFile
from core.errors import BadInput, Conflict, NotFound
from core.i18n import _
from core.index.tables import Printer as PrinterRow
from core.index.tables import PrintJob as JobRow
from core.index.tables import Step
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.printing import PaperKind, Printer, PrintJob, PrintState
from core.services.access import DEPARTMENT, hidden, require
from core.services.kit import Kit, scoped
from core.services.new_file import dropped_unless_named

OVER = (PrintState.DONE, PrintState.FAILED, PrintState.CANCELLED)
DOCUMENT_CAP = 50_000_000  # bytes
FOR_A_PERSON = "?"  # first character of the stored reason of an unknown job that a person must decide
SYSTEM = Actor.system("printing")


class Said(Protocol):
    """What a printer says of itself, one French sentence."""

    @property
    def sentence(self) -> str: ...


class Printing:
    """Verbs of people on the queue, and of the runner that drains it."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._lock = threading.Lock()
        self._wakes: list[Callable[[str], None]] = []

    def on_work(self, wake: Callable[[str], None]) -> None:
        """Call `wake(printer)` whenever a printer has something new to do."""
        with self._lock:
            self._wakes.append(wake)

    # Printers

    def printers(self) -> list[Printer]:
        return [printer_of(p) for p in PrinterRow.select().order_by(PrinterRow.name)]

    def save_printer(self, actor: Actor, printer: Printer) -> None:
        require(actor, Role.ADMINISTRATOR)
        if printer.kind not in ("ipp", "raw", "folder"):
            raise BadInput(_("Une imprimante est ipp, raw ou folder."), "kind")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,16}", printer.name):
            raise BadInput(_("Nom d'imprimante : 1 à 16 lettres, chiffres ou tirets."), "name")

        def act(unit: Unit) -> None:
            PrinterRow.insert(
                name=printer.name, kind=printer.kind, uri=printer.uri, takes=printer.takes, active=printer.active
            ).on_conflict_replace().execute()
            unit.audit(actor, "save_printer", f"printer:{printer.name}", uri=printer.uri)
            unit.event("print", printer.name)

        self._kit.act(actor, "save_printer", act)

    def remove_printer(self, actor: Actor, name: str) -> None:
        require(actor, Role.ADMINISTRATOR)

        def act(unit: Unit) -> None:
            if not PrinterRow.delete().where(PrinterRow.name == name).execute():
                raise NotFound(_("Aucune imprimante %s.") % name)
            unit.audit(actor, "remove_printer", f"printer:{name}")
            unit.event("print", name)

        self._kit.act(actor, "remove_printer", act)

    def default_printer(self, paper: PaperKind) -> str:
        """The site's printer for a kind of paper, else the first active one that can take it."""
        chosen = getattr(self._kit.config.printing, f"{paper}_printer", "")  # wristbands have no printer of their own
        if chosen:
            return str(chosen)
        active = [p for p in self.printers() if p.active]
        zpl = [p.name for p in active if p.takes == "zpl"] if paper is PaperKind.LABEL else []
        names = zpl + [p.name for p in active if p.takes == "pdf"]
        if not names:
            raise NotFound(_("Aucune imprimante n'est déclarée : voir « yelen printer add »."))
        return names[0]

    # The queue, for people

    def enqueue(
        self,
        actor: Actor,
        printer: str,
        paper: PaperKind,
        title: str,
        patient: str,
        document: bytes,
        mime: str,
        copies: int = 1,
        pages: int = 1,
        step_id: int | None = None,
        idempotency_key: str = "",
        replaces: int | None = None,
    ) -> PrintJob:
        """A job for a printer. The same key twice is the same job. Raises `NotFound` for an unknown printer.

        replaces: a job that is withdrawn in the same act, unless it is already over.
        """
        if len(document) > DOCUMENT_CAP:
            raise BadInput(_("Document trop gros pour l'impression (50 Mo)."), "document")
        if PrinterRow.get_or_none(PrinterRow.name == printer) is None:
            raise NotFound(_("Aucune imprimante %s.") % printer)
        wish = scoped(str(paper), idempotency_key) if idempotency_key else ""
        known = JobRow.get_or_none(JobRow.idempotency_key == wish) if wish else None
        if known is not None:
            return job_of(known, self._kit)
        kept = self._kit.archive.keep_paper(document, ".pdf" if mime == "application/pdf" else ".bin")

        def act(unit: Unit) -> int:
            again = JobRow.get_or_none(JobRow.idempotency_key == wish) if wish else None
            if again is not None:
                return int(again.id)
            if replaces is not None and _row(replaces).state not in OVER:
                self._withdraw(unit, actor, replaces)
            job = JobRow.create(
                idempotency_key=wish or kept.key,
                printer=printer,
                paper=str(paper),
                title=title,
                patient=patient,
                step_id=step_id,
                payload=kept.path,
                payload_sha256=kept.sha256,
                mime=mime,
                copies=max(1, min(copies, 20)),
                pages=pages,
                actor=actor.name,
                created_at=unit.now,
            )
            unit.audit(actor, "print", f"job:{job.id}", printer=printer, paper=str(paper), title=title, step=step_id)
            self._changed(unit, printer)
            return int(job.id)

        with dropped_unless_named(self._kit, kept, lambda: _waiting(kept)):
            job = self.job(self._kit.act(actor, "print", act))
        if job.payload != kept.path:
            self._kit.archive.drop(kept)  # the same wish came first on another connection
        return job

    def job(self, job_id: int) -> PrintJob:
        row = JobRow.get_or_none(JobRow.id == job_id)
        if row is None:
            raise NotFound(_("Aucun travail d'impression de ce numéro."))
        return job_of(row, self._kit)

    def jobs(self, actor: Actor, limit: int = 200) -> list[PrintJob]:
        """The queue, newest first: all of it for the department, elsewhere the papers of the own ward, or one's own."""
        rows = JobRow.select().where(_concerning(actor)).order_by(JobRow.id.desc()).limit(limit)
        return [job_of(j, self._kit) for j in rows]

    def retry(self, actor: Actor, job_id: int) -> PrintJob:
        """Send a failed, cancelled or doubtful job again: a person has looked."""

        def act(unit: Unit) -> None:
            row = _row_for(actor, job_id)
            if row.state in (PrintState.SENDING, PrintState.SENT, PrintState.PRINTING):
                raise Conflict(_("Ce travail est en cours d'impression."))
            if row.state == str(PrintState.DONE):
                raise Conflict(_("Déjà imprimé : pour une feuille de plus, demandez une réimpression."))
            if row.state == str(PrintState.CANCELLED) and row.remote_job_id is not None:
                raise Conflict(_("L'imprimante n'a pas encore oublié ce travail : réessayez dans un instant."))
            self._set(unit, job_id, state=PrintState.QUEUED, reason="", next_at=None, remote_job_id=None)
            unit.audit(actor, "print_again", f"job:{job_id}")

        self._kit.act(actor, "print_again", act)
        return self.job(job_id)

    def reprint(self, actor: Actor, job_id: int) -> PrintJob:
        """The same document once more, as a job of its own."""
        job = job_of(_row_for(actor, job_id), self._kit)
        return self._once_more(actor, job, job.printer)

    def _once_more(self, actor: Actor, job: PrintJob, printer: str, replaces: int | None = None) -> PrintJob:
        document = self.document(job)
        return self.enqueue(
            actor,
            printer,
            job.paper,
            job.title,
            job.patient,
            document,
            job.mime,
            job.copies,
            job.pages,
            job.step_id,
            replaces=replaces,
        )

    def cancel(self, actor: Actor, job_id: int) -> PrintJob:
        """No more: a job that the printer has already taken is withdrawn there too."""

        def act(unit: Unit) -> None:
            if _row_for(actor, job_id).state in OVER:
                raise Conflict(_("Ce travail est déjà terminé."))
            self._withdraw(unit, actor, job_id)

        self._kit.act(actor, "cancel_print", act)
        return self.job(job_id)

    def divert(self, actor: Actor, job_id: int, printer: str) -> PrintJob:
        """The job goes to another printer and the first one is told to forget it: both, or neither."""
        return self._once_more(actor, job_of(_row_for(actor, job_id), self._kit), printer, replaces=job_id)

    def _withdraw(self, unit: Unit, actor: Actor, job_id: int) -> None:
        self._set(unit, job_id, state=PrintState.CANCELLED, reason=_("annulé par %s") % actor.name)
        unit.audit(actor, "cancel_print", f"job:{job_id}")

    # The runner

    def head(self, printer: str) -> PrintJob | None:
        """The printer's oldest job that is neither over nor waiting for a person's decision.

        Its `next_at` is for the screen only: the runner counts its waits on the monotonic clock.
        """
        open_jobs = JobRow.state.not_in([str(s) for s in OVER])
        decided = ~((JobRow.state == str(PrintState.UNKNOWN)) & JobRow.reason.startswith(FOR_A_PERSON))
        row = JobRow.select().where(JobRow.printer == printer, open_jobs, decided).order_by(JobRow.id).first()
        return None if row is None else job_of(row, self._kit)

    def withdrawn(self, printer: str) -> list[PrintJob]:
        """Cancelled jobs that this printer has taken and was not told about."""
        rows = JobRow.select().where(
            JobRow.printer == printer, JobRow.state == str(PrintState.CANCELLED), JobRow.remote_job_id.is_null(False)
        )
        return [job_of(j, self._kit) for j in rows]

    def document(self, job: PrintJob) -> bytes:
        """Raises `NotFound` when the file has been cleared away."""
        path = self._kit.archive.absolute(job.payload)
        if not path.exists():
            raise NotFound(_("Le document de ce travail n'existe plus."))
        return path.read_bytes()

    def sending(self, job: PrintJob) -> PrintJob:
        """Begins an attempt; each sheet with a patient on it is an audit row at this moment."""

        def act(unit: Unit) -> None:
            self._set(unit, job.id, state=PrintState.SENDING, attempts=job.attempts + 1, reason="")
            unit.audit(SYSTEM, "print_send", f"job:{job.id}", printer=job.printer, attempt=job.attempts + 1)

        self._kit.index.writer.do(act)
        return self.job(job.id)

    def taken(self, job: PrintJob, remote_job_id: int | None) -> None:
        self._tell(job, PrintState.SENT, "", remote_job_id=remote_job_id)

    def printing(self, job: PrintJob, reason: str) -> None:
        self._tell(job, PrintState.PRINTING, reason)

    def done(self, job: PrintJob, reason: str) -> None:
        self._tell(job, PrintState.DONE, reason)

    def failed(self, job: PrintJob, reason: str) -> None:
        self._tell(job, PrintState.FAILED, reason)

    def cancelled(self, job: PrintJob, reason: str) -> None:
        self._tell(job, PrintState.CANCELLED, reason, remote_job_id=None)

    def waiting(self, job: PrintJob, reason: str, retry_s: float) -> None:
        """Back to the queue; tried again by itself in `retry_s` seconds."""
        next_at = self._kit.now() + timedelta(seconds=retry_s) if retry_s > 0 else None
        self._tell(job, PrintState.QUEUED, reason, next_at=next_at)

    def unknown(self, job: PrintJob, reason: str, for_a_person: bool) -> None:
        """It may have been printed. `for_a_person`: nothing happens until somebody decides."""
        self._tell(job, PrintState.UNKNOWN, (FOR_A_PERSON if for_a_person else "") + reason)

    def told(self, job: PrintJob, reason: str) -> None:
        """The printer knows that this job is withdrawn."""
        self._tell(job, PrintState.CANCELLED, reason or job.reason, remote_job_id=None)

    def printer_is(self, printer: str, state: Said) -> None:
        """What the printer says of itself; the screens show it with the time."""

        def act(unit: Unit) -> None:
            PrinterRow.update(state=state.sentence, state_at=unit.now).where(PrinterRow.name == printer).execute()
            unit.event("print", printer)

        self._kit.index.writer.do(act)

    def _tell(self, job: PrintJob, state: PrintState, reason: str, **columns: Any) -> None:
        """The outcome of an attempt; a job that a person has cancelled meanwhile stays cancelled."""

        def act(unit: Unit) -> None:
            row = _row(job.id)
            if row.state == str(PrintState.CANCELLED) and state is not PrintState.CANCELLED:
                JobRow.update(
                    **{k: v for k, v in columns.items() if k == "remote_job_id"} or {"reason": row.reason}
                ).where(JobRow.id == job.id).execute()
                return
            self._set(unit, job.id, state=state, reason=reason, **columns)

        self._kit.index.writer.do(act)

    def _set(self, unit: Unit, job_id: int, state: PrintState, **columns: Any) -> None:
        JobRow.update(state=str(state), **columns).where(JobRow.id == job_id).execute()
        self._changed(unit, _row(job_id).printer)

    def _changed(self, unit: Unit, printer: str) -> None:
        unit.event("print", printer)
        unit.after_commit(lambda: self._wake(printer))

    def _wake(self, printer: str) -> None:
        with self._lock:
            wakes = list(self._wakes)
        for wake in wakes:
            wake(printer)


def _waiting(document: StoredFile) -> bool:
    return JobRow.select().where(JobRow.payload == document.path).exists()


def _row(job_id: int) -> Any:
    row = JobRow.get_or_none(JobRow.id == job_id)
    if row is None:
        raise NotFound(_("Aucun travail d'impression de ce numéro."))
    return row


def _row_for(actor: Actor, job_id: int) -> Any:
    """The row of a job that concerns this actor. Raises `NotFound` otherwise, the same as for no job at all."""
    row = _row(job_id)
    if not JobRow.select().where(JobRow.id == job_id, _concerning(actor)).exists():
        raise hidden(_("Aucun travail d'impression de ce numéro."), f"job:{job_id}")
    return row


def _concerning(actor: Actor) -> Any:
    """Which papers are this actor's business: as with the exams that they are of."""
    if actor.is_any(*DEPARTMENT):
        return JobRow.id > 0
    mine = JobRow.actor == actor.name
    if actor.is_any(Role.CLINICIAN) and actor.ward:
        mine |= JobRow.step_id.in_(Step.select(Step.id).where(Step.ward == actor.ward))
    return mine


def printer_of(row: Any) -> Printer:
    return Printer(row.name, row.kind, row.uri, row.takes, row.active, row.state, row.state_at)


def job_of(row: Any, kit: Kit) -> PrintJob:
    return PrintJob(
        id=row.id,
        printer=row.printer,
        paper=PaperKind(row.paper),
        title=row.title,
        patient=row.patient,
        state=PrintState(row.state),
        attempts=row.attempts,
        reason=row.reason.removeprefix(FOR_A_PERSON),
        created_at=row.created_at,
        next_at=row.next_at,
        payload=row.payload,
        mime=row.mime,
        copies=row.copies,
        pages=row.pages,
        remote_job_id=row.remote_job_id,
        step_id=row.step_id,
    )
