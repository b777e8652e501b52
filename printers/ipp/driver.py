"""One paper printer that speaks IPP, as the queue's runner sees it.

Invariants kept here: a sheet is never sent twice without asking (P3), a refusal names what was refused (P4),
the paper is one that the printer knows and nothing is scaled (P6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from core.clock import Clock
from core.errors import PeerError, Unreachable
from core.i18n import _
from core.model.printing import PrintJob
from printers.ipp import words
from printers.ipp.client import IppClient
from printers.ipp.message import Attribute, Group, GroupTag, Message, Tag
from printers.ports import Condition, Fate, News, PrinterState, name_at_printer

STATE = (
    "printer-state",
    "printer-state-reasons",
    "printer-state-message",
    "printer-is-accepting-jobs",
    "printer-uri-supported",
    "media-ready",
)
ABILITIES = (*STATE, "media-supported", "document-format-supported", "print-scaling-supported", "printer-up-time")
JOB = ("job-id", "job-name", "job-state", "job-state-reasons", "job-printer-state-reasons", "time-at-completed")

# job-state, RFC 8011 5.3.7
FATES = {
    3: Fate.TAKEN,  # pending
    4: Fate.TAKEN,  # pending-held
    5: Fate.PRINTING,
    6: Fate.PRINTING,  # processing-stopped: paper, jam
    7: Fate.CANCELLED,
    8: Fate.FAILED,  # aborted
    9: Fate.DONE,
}


class IppPrinter:
    """A printer at `uri`; `media` is the PWG 5101.1 name of the paper it should use."""

    def __init__(
        self,
        uri: str,
        clock: Clock,
        media: str = "iso_a4_210x297mm",
        timeout_s: float = 10.0,
        answer_s: float = 30.0,
    ) -> None:
        self._client = IppClient(uri, timeout_s=timeout_s, answer_s=answer_s)
        self._clock = clock
        self._media = media
        self._sent_at = (0, 0)  # our number of the last job sent, the printer's up-time then

    def state(self) -> PrinterState:
        try:
            printer = self._printer(STATE)
            state = words.printer_state(printer)
            return state if state.condition is Condition.STOPPED else self._wrong_address(printer) or state
        except PeerError as error:
            return PrinterState(Condition.AWAY, ("unreachable",), str(error))

    def send(self, job: PrintJob, document: bytes) -> News:
        try:
            printer = self._printer(ABILITIES)
            line = self._client.open()
        except PeerError as error:
            return News(Fate.NOT_TAKEN, str(error))
        if refused := self._cannot_print(job, printer):
            line.close()
            return News(Fate.FAILED, refused)
        self._sent_at = (job.id, _up_time(printer))
        try:
            template = self._template(job, printer)
            answer = self._client.print_job(name_at_printer(job), job.mime, template, document, line)
        except PeerError as error:
            return News(Fate.DOUBTFUL, str(error))
        return self._taken(answer, printer)

    def follow(self, job: PrintJob) -> News:
        if job.remote_job_id is None:
            return self.find(job)
        try:
            answer = self._client.job_attributes(job.remote_job_id, JOB)
            if answer.code == words.NOT_FOUND:
                return self._forgotten(job)
        except PeerError as error:
            return News(Fate.TAKEN, str(error), job.remote_job_id)
        if answer.code >= 0x0400:
            return News(Fate.TAKEN, words.refusal(answer), job.remote_job_id)
        return _news(answer.group(GroupTag.JOB))

    def find(self, job: PrintJob) -> News:
        """Not in its lists means "never came" only when they hold something older: many printers forget at once."""
        try:
            known = list(self._known_jobs())
            found = next((one for one in known if name_at_printer(job) in one.words("job-name")), None)
            if found:
                return _news(found)
            sent_s = self._sending_time(job)
        except Unreachable as error:
            return News(Fate.DOUBTFUL, str(error))
        except PeerError as error:
            return News(Fate.CANNOT_TELL, str(error))
        if sent_s is not None and any(0 < (one.number("time-at-completed") or 0) <= sent_s for one in known):
            return News(Fate.NOT_TAKEN, _("l'imprimante ne l'a jamais reçu"))
        return News(Fate.CANNOT_TELL, _("l'imprimante ne sait plus si elle l'a imprimé"))

    def cancel(self, job: PrintJob) -> News:
        if job.remote_job_id is None:
            return News(Fate.CANNOT_TELL, _("l'imprimante n'avait pas donné de numéro"))
        try:
            answer = self._client.cancel_job(job.remote_job_id)
        except PeerError as error:
            return News(Fate.DOUBTFUL, str(error))
        if answer.code in (words.NOT_FOUND, words.NOT_POSSIBLE):
            return News(Fate.DONE, _("déjà sorti de l'imprimante, ou oublié par elle"))
        return News(Fate.CANCELLED) if answer.code < 0x0400 else News(Fate.DOUBTFUL, words.refusal(answer))

    def _printer(self, names: Sequence[str]) -> Group:
        """What the printer at this address says of itself. Raises `PeerError` when there is none here."""
        answer = self._client.printer_attributes(names)
        if answer.code >= 0x0400:
            raise PeerError(_("Pas d'imprimante à cette adresse : %s") % words.refusal(answer))
        printer = answer.group(GroupTag.PRINTER)
        if printer.number("printer-state") is None:
            raise PeerError(_("Pas d'imprimante à cette adresse : elle ne dit pas son état"))
        return printer

    def _wrong_address(self, printer: Group) -> PrinterState | None:
        """Some answer for any path: the queue they name is not the one that was declared. Source: RFC 8011 5.4.1."""
        named = [uri for uri in printer.words("printer-uri-supported") if urlsplit(uri).scheme in ("ipp", "ipps")]
        if not named or self._client.path.strip("/") in {urlsplit(uri).path.strip("/") for uri in named}:
            return None
        sentence = _("adresse à vérifier : l'imprimante qui répond se nomme %s") % named[0]
        return PrinterState(Condition.WARNING, ("address",), sentence, printer.words("media-ready"))

    def _cannot_print(self, job: PrintJob, printer: Group) -> str:
        """A printer that lists nothing is believed to take anything."""
        formats = printer.words("document-format-supported")
        if formats and job.mime not in formats:
            return _("cette imprimante ne lit pas %s") % job.mime
        media = printer.words("media-supported")
        if media and self._media not in media:
            return _("cette imprimante ne connaît pas le papier %s") % self._media
        return ""

    def _template(self, job: PrintJob, printer: Group) -> list[Attribute]:
        template = [Attribute("copies", Tag.INTEGER, (job.copies,))] if job.copies > 1 else []
        if printer.words("media-supported"):
            template.append(Attribute("media", Tag.KEYWORD, (self._media,)))
        if "none" in printer.words("print-scaling-supported"):
            template.append(Attribute("print-scaling", Tag.KEYWORD, ("none",)))
        return template

    def _taken(self, answer: Message, printer: Group) -> News:
        if answer.code == words.DEVICE_ERROR:
            number = answer.group(GroupTag.JOB).number("job-id")
            return News(Fate.DOUBTFUL if number is None else Fate.TAKEN, words.refusal(answer), number)
        if answer.code in words.NOT_NOW:
            return News(Fate.NOT_TAKEN, words.refusal(answer))
        if answer.code >= 0x0400:
            return News(Fate.FAILED, words.refusal(answer))
        return News(Fate.TAKEN, self._paper_warning(printer), answer.group(GroupTag.JOB).number("job-id"))

    def _paper_warning(self, printer: Group) -> str:
        ready = printer.words("media-ready")
        if ready and self._media not in ready:
            return _("le papier %s n'est pas chargé") % self._media
        return ""

    def _known_jobs(self) -> Iterator[Group]:
        for which in ("not-completed", "completed"):
            answer = self._client.jobs(which, JOB)
            if answer.code >= 0x0400:
                raise PeerError(words.refusal(answer))
            yield from answer.each(GroupTag.JOB)

    def _forgotten(self, job: PrintJob) -> News:
        """Small printers forget a job the moment it is out; a printer that restarted may have lost it."""
        if self._sending_time(job) is None:
            return News(Fate.CANNOT_TELL, _("l'imprimante a redémarré depuis l'envoi"), job.remote_job_id)
        return News(Fate.DONE, "", job.remote_job_id)

    def _sending_time(self, job: PrintJob) -> int | None:
        """The printer's up-time when the job was sent, at the earliest; None when it has restarted since.

        Source: RFC 8011 5.4.29. After a restart of ours only the job's creation is known.
        """
        up_s = _up_time(self._printer(("printer-state", "printer-up-time")))
        job_id, then_s = self._sent_at
        if job_id != job.id:
            then_s = up_s - int((self._clock.now() - job.created_at).total_seconds())
        return then_s if 0 < then_s <= up_s else None


def _up_time(printer: Group) -> int:
    """Seconds, 0 when it does not say."""
    return printer.number("printer-up-time") or 0


def _news(job: Group) -> News:
    fate = FATES.get(job.number("job-state") or 0, Fate.TAKEN)
    reasons = job.words("job-state-reasons") + job.words("job-printer-state-reasons")
    return News(fate, words.spoken(reasons), job.number("job-id"))
