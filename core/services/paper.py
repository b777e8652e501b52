"""Paper that people ask for: labels, convocations, reports. Drawn above, queued here."""

from __future__ import annotations

from core.errors import BadInput, NotFound, OutOfResources
from core.i18n import _
from core.index.exam_lines import exam_line
from core.index.tables import Exam as ExamRow
from core.model.people import Actor
from core.model.printing import PaperKind, PrintJob
from core.model.worklist import ExamLine
from core.services.access import check_exam
from core.services.kit import Kit
from core.services.ports import Page, Pages, Ports
from core.services.printing import Printing
from core.services.reports import Reports


class Paper:
    """Verbs that end in a sheet of paper."""

    def __init__(self, kit: Kit, ports: Ports, printing: Printing, reports: Reports) -> None:
        self._kit = kit
        self._ports = ports
        self._printing = printing
        self._reports = reports

    def print_label(self, actor: Actor, step_id: int, printer: str = "", copies: int = 1, key: str = "") -> PrintJob:
        """The label of an exam, in the language of its printer."""
        exam = self._exam(actor, step_id)
        printer = printer or self._printing.default_printer(PaperKind.LABEL)
        language = next((p.takes for p in self._printing.printers() if p.name == printer), "pdf")
        page = self._pages().label(exam, language)
        return self._queue(actor, printer, PaperKind.LABEL, exam, page, copies, key)

    def print_wristband(self, actor: Actor, step_id: int, printer: str = "", key: str = "") -> PrintJob:
        """The patient's wristband, on a printer that takes pages."""
        exam = self._exam(actor, step_id)
        printer = printer or self._printing.default_printer(PaperKind.WRISTBAND)
        return self._queue(actor, printer, PaperKind.WRISTBAND, exam, self._pages().wristband(exam), 1, key)

    def print_convocation(self, actor: Actor, step_id: int, printer: str = "", key: str = "") -> PrintJob:
        """The appointment slip with the preparation of the exam. Raises `BadInput` without an appointment."""
        exam = self._exam(actor, step_id)
        if exam.scheduled_at is None:
            raise BadInput(_("Cet examen n'a pas de rendez-vous."), "scheduled_at")
        row = ExamRow.get_or_none(ExamRow.code == exam.exam_code)
        page = self._pages().convocation(exam, row.preparation if row else "")
        printer = printer or self._printing.default_printer(PaperKind.CONVOCATION)
        return self._queue(actor, printer, PaperKind.CONVOCATION, exam, page, 1, key)

    def report_pdf(self, actor: Actor, version_id: int) -> bytes:
        """A report version as an A4 document, with its banners."""
        version = self._reports.version(actor, version_id)
        self._reports.opened(actor, version_id)
        return self._pages().report(version, self._exam(actor, version.step_id)).document

    def print_report(self, actor: Actor, version_id: int, printer: str = "", key: str = "") -> PrintJob:
        version = self._reports.version(actor, version_id)
        exam = self._exam(actor, version.step_id)
        page = self._pages().report(version, exam)
        printer = printer or self._printing.default_printer(PaperKind.REPORT)
        return self._queue(actor, printer, PaperKind.REPORT, exam, page, 1, key)

    def _queue(
        self, actor: Actor, printer: str, paper: PaperKind, exam: ExamLine, page: Page, copies: int, key: str
    ) -> PrintJob:
        return self._printing.enqueue(
            actor,
            printer,
            paper,
            exam.exam_label,
            exam.patient_name,
            page.document,
            page.mime,
            copies,
            page.pages,
            exam.step_id,
            key,
        )

    def _exam(self, actor: Actor, step_id: int) -> ExamLine:
        check_exam(actor, step_id)
        line = exam_line(step_id)
        if line is None:
            raise NotFound(_("Cet examen n'existe pas."))
        return line

    def _pages(self) -> Pages:
        if self._ports.pages is None:
            raise OutOfResources(_("L'impression n'est pas disponible."))
        return self._ports.pages
