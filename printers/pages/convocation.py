"""The appointment slip: when and where in large letters, how to prepare, and the codes that reception scans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus.flowables import Flowable, Spacer
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table

from core.config import Site
from core.i18n import _
from core.model.worklist import ExamLine
from printers.pages.codes import draw_code_128, draw_qr
from printers.pages.fonts import BOLD, REGULAR
from printers.pages.french import NBSP, born, hour, long_day, markup, weekday
from printers.pages.sheet import BODY, ROOM, Look, build

WORDS = BODY.clone("words", fontSize=12.5, leading=17, spaceAfter=3)
TITLE = BODY.clone("title", fontName=BOLD, fontSize=17, leading=21, spaceAfter=4)
HEAD = BODY.clone("head", fontName=BOLD, fontSize=13.5, leading=18, spaceBefore=10, spaceAfter=3)
WHEN = BODY.clone("when", fontName=BOLD, fontSize=23, leading=30)
WHERE = BODY.clone("where", fontSize=14, leading=20)
NAME = BODY.clone("name", fontName=BOLD, fontSize=14, leading=19)


def convocation_pdf(site: Site, exam: ExamLine, preparation: str) -> tuple[bytes, int]:
    """The PDF and its number of pages. `preparation`: the catalogue's text, empty when there is none."""
    look = Look(
        site=site,
        title=_("Convocation %s") % exam.accession_number,
        running=f"{exam.patient_name}{NBSP}· {exam.exam_label}",
        footer=_("Convocation, demande %s") % exam.accession_number,
    )
    return build(look, lambda: _story(site, exam, preparation))


def _story(site: Site, exam: ExamLine, preparation: str) -> Iterator[Flowable]:
    yield Paragraph(markup(_("Convocation")), TITLE)
    yield _appointment(site, exam)
    yield Spacer(0, 5 * mm)
    yield _Who(exam)
    yield Paragraph(markup(_("Préparation")), HEAD)
    yield from _lines(preparation or _("Aucune préparation particulière."))
    yield Paragraph(markup(_("À apporter")), HEAD)
    yield from _lines(_bring())
    yield Paragraph(markup(_("Le jour de l'examen")), HEAD)
    yield from _lines(_on_the_day(site))


def _appointment(site: Site, exam: ExamLine) -> Table:
    """Read from a metre away."""
    moment = exam.scheduled_at.astimezone(site.timezone) if exam.scheduled_at else None
    lines = [Paragraph(markup(exam.exam_label), WHERE)]
    if moment:
        lines.append(Paragraph(markup(f"{weekday(moment).capitalize()} {long_day(moment)}"), WHEN))
        lines.append(Paragraph(markup(_("à %s") % hour(moment)), WHEN))
    else:
        lines.append(Paragraph(markup(_("Date à fixer avec le service")), WHEN))
    lines.append(Paragraph(markup(_place(site, exam)), WHERE))
    table = Table([[lines]], colWidths=[ROOM])
    frame = [("BOX", (0, 0), (-1, -1), 1.6, "black"), ("LEFTPADDING", (0, 0), (-1, -1), 12)]
    padding = [("TOPPADDING", (0, 0), (-1, -1), 8), ("BOTTOMPADDING", (0, 0), (-1, -1), 10)]
    table.setStyle(frame + padding)
    return table


def _place(site: Site, exam: ExamLine) -> str:
    if not exam.room:
        return site.department
    return _("%(department)s, salle %(room)s") % {"department": site.department, "room": exam.room}


def _bring() -> str:
    return "\n".join(
        [
            _("- cette convocation et la demande du médecin ;"),
            _("- le carnet de santé de l'enfant ;"),
            _("- les radiographies, échographies et scanners déjà faits."),
        ]
    )


def _on_the_day(site: Site) -> str:
    late = _("En cas d'empêchement, prévenez le service")
    return "\n".join(
        [
            _("Présentez-vous à l'accueil 15 minutes avant l'heure, avec un parent de l'enfant."),
            f"{late} : {_('tél.')}{NBSP}{site.phone}." if site.phone else f"{late}.",
        ]
    )


def _lines(text: str) -> Iterator[Flowable]:
    hanging = WORDS.clone("hanging", leftIndent=11, firstLineIndent=-11)
    for line in text.splitlines():
        if line.strip():
            yield Paragraph(markup(line.strip()), hanging if line.lstrip().startswith("-") else WORDS)


class _Who(Flowable):
    """The child on the left, the request's codes on the right: a bar code for old readers, a QR for telephones."""

    HIGH = 30 * mm

    def __init__(self, exam: ExamLine) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._number = exam.accession_number
        facts = [born(exam.birth, exam.sex), _("IPP : %s") % exam.patient_number]
        asked = ", ".join(part for part in (exam.prescriber, exam.ward) if part)
        facts += [_("Demandé par : %s") % asked] if asked else []
        self._lines: list[Any] = [Paragraph(markup(exam.patient_name), NAME)]
        self._lines += [Paragraph(markup(fact), WORDS) for fact in facts]

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        return ROOM, self.HIGH

    def draw(self) -> None:
        low = self.HIGH
        for line in self._lines:
            _width, height = line.wrap(ROOM * 0.52, self.HIGH)
            low -= height
            line.drawOn(self.canv, 0, low)
        draw_qr(self.canv, self._number, ROOM - self.HIGH, 0, self.HIGH)
        room = 48 * mm
        left = ROOM - self.HIGH - room - 4 * mm
        wide = draw_code_128(self.canv, self._number, left, 11 * mm, room, 13 * mm)
        self.canv.setFont(REGULAR, 10)
        self.canv.drawCentredString(left + wide / 2, 6.5 * mm, _("Demande n° %s") % self._number)
