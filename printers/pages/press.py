"""The department's paper, as services ask for it."""

from __future__ import annotations

from core.config import Site
from core.model.report import ReportVersion
from core.model.worklist import ExamLine
from core.services.ports import Page
from printers import zpl
from printers.pages.convocation import convocation_pdf
from printers.pages.label import label_pdf, wristband_pdf
from printers.pages.report import report_pdf
from printers.payload import PDF, ZPL


class Press:
    """Draws every kind of paper for one site. Implements `core.services.ports.Pages`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def report(self, version: ReportVersion, exam: ExamLine) -> Page:
        document, pages = report_pdf(self._site, version, exam)
        return Page(document, PDF, pages)

    def label(self, exam: ExamLine, language: str) -> Page:
        """`language`: what the printer takes, `pdf` or `zpl`."""
        if language == "zpl":
            return Page(zpl.label(exam), ZPL, 1)
        return Page(label_pdf(exam), PDF, 1)

    def wristband(self, exam: ExamLine) -> Page:
        return Page(wristband_pdf(exam), PDF, 1)

    def convocation(self, exam: ExamLine, preparation: str) -> Page:
        document, pages = convocation_pdf(self._site, exam, preparation)
        return Page(document, PDF, pages)
