"""The label of a tube, a film or a wrist, as PDF: 50 x 25 mm for the label roll, 250 x 25 mm for the wristband.

The same facts as the ZPL label (`printers.zpl`), for printers that only take pages.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from core.i18n import _
from core.model.worklist import ExamLine
from printers.pages.codes import draw_code_128, draw_qr
from printers.pages.fonts import BOLD, REGULAR, fitting, register, shown, typesetting
from printers.pages.french import NBSP, born

LABEL = (50 * mm, 25 * mm)
WRISTBAND = (250 * mm, 25 * mm)
EDGE = 1.5 * mm


def birth_and_sex(exam: ExamLine) -> str:
    """« Née le 12/05/2022 · F »."""
    return f"{born(exam.birth, exam.sex)}{NBSP}·{NBSP}{exam.sex or '?'}"


def label_pdf(exam: ExamLine) -> bytes:
    """One label: name, birth, sex and exam, the numbers of patient and request, then both as bar codes."""
    return _drawn(LABEL, _("Étiquette %s") % exam.accession_number, lambda canvas: _draw_label(canvas, exam))


def wristband_pdf(exam: ExamLine) -> bytes:
    """Who, large, with a QR code that reads around a small wrist."""
    return _drawn(WRISTBAND, _("Bracelet %s") % exam.patient_number, lambda canvas: _draw_wristband(canvas, exam))


def _draw_label(canvas: Any, exam: ExamLine) -> None:
    room, right = LABEL[0] - 2 * EDGE, 31 * mm
    side, left = LABEL[0] - right - EDGE, right - EDGE - 1 * mm
    _line(canvas, exam.family_name.upper(), BOLD, (10, 9, 8, 7, 6), EDGE, 21.4 * mm, room)
    _line(canvas, exam.given_names, BOLD, (9, 8, 7, 6), EDGE, 18.2 * mm, room)
    _line(canvas, birth_and_sex(exam), REGULAR, (7, 6.5, 6), EDGE, 15.2 * mm, left)
    _line(canvas, exam.patient_number, BOLD, (7, 6.5, 6, 5, 4), right, 15.2 * mm, side)
    _line(canvas, exam.exam_label, REGULAR, (7, 6.5, 6), EDGE, 12.4 * mm, left)
    _line(canvas, exam.accession_number, BOLD, (7, 6.5, 6, 5, 4), right, 12.4 * mm, side)
    for low, number in ((6.8 * mm, exam.patient_number), (1.2 * mm, exam.accession_number)):
        draw_code_128(canvas, number, 3 * mm, low, LABEL[0] - 6 * mm, 4.8 * mm)


def _draw_wristband(canvas: Any, exam: ExamLine) -> None:
    draw_qr(canvas, exam.patient_number, 20 * mm, 2 * mm, 21 * mm)
    room = 110 * mm
    _line(canvas, exam.patient_name, BOLD, (17, 15, 13, 11, 9), 44 * mm, 16 * mm, room)
    _line(canvas, birth_and_sex(exam), REGULAR, (12, 11, 10), 44 * mm, 9.5 * mm, room)
    _line(canvas, _("IPP %s") % exam.patient_number, BOLD, (12, 11, 10), 44 * mm, 3.5 * mm, room)


def _drawn(size: tuple[float, float], title: str, draw: Callable[[Any], None]) -> bytes:
    out = io.BytesIO()
    with typesetting:
        register()
        canvas: Any = Canvas(out, pagesize=size, invariant=1, lang="fr-FR")
        canvas.setTitle(title)
        draw(canvas)
        canvas.showPage()
        canvas.save()
    return out.getvalue()


def _line(canvas: Any, text: str, font: str, sizes: tuple[float, ...], x: float, y: float, room: float) -> None:
    drawn, size = fitting(shown(text), font, sizes, room)
    canvas.setFont(font, size)
    canvas.drawString(x, y, drawn)
