"""An A4 sheet of the department: letterhead, banners, running title, « page 1/2 », footer.

Made for black-and-white lasers and photocopies: rules and weight instead of grey areas.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus.doctemplate import BaseDocTemplate, PageTemplate
from reportlab.platypus.flowables import Flowable
from reportlab.platypus.frames import Frame

from core.config import Site
from core.i18n import _
from printers.pages import fonts
from printers.pages.fonts import BOLD, REGULAR, fitting, shown

WIDTH, HEIGHT = A4
MARGIN = 18 * mm
ROOM = WIDTH - 2 * MARGIN
BANNER = 11 * mm

BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=10.5, leading=14.5, spaceAfter=2)
ITEM = ParagraphStyle("item", parent=BODY, leftIndent=9, firstLineIndent=-9)
SMALL = ParagraphStyle("small", parent=BODY, fontSize=9, leading=12)
HEADING = ParagraphStyle(
    "heading", parent=BODY, fontName=BOLD, fontSize=11.5, spaceBefore=9, spaceAfter=2, keepWithNext=1
)


@dataclass(frozen=True)
class Look:
    """What every page of a document repeats.

    running: who and what, at the top of the second page on. banners: warnings in capitals, on every page.
    footer: the last line, left of the page number.
    """

    site: Site
    title: str
    running: str
    footer: str
    banners: Sequence[str] = ()


def build(look: Look, story: Callable[[], Iterator[Flowable]]) -> tuple[bytes, int]:
    """The PDF and its number of pages, which is counted first. The same values give the same bytes."""
    with fonts.typesetting:
        fonts.register()
        _document, pages = _set(look, story(), of=0)
        document, _pages = _set(look, story(), of=pages)
        return document, pages


def _set(look: Look, story: Iterator[Flowable], of: int) -> tuple[bytes, int]:
    out = io.BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=shown(look.title),
        author=shown(look.site.hospital),
        lang="fr-FR",
        invariant=1,
        pageCompression=1,
    )
    banners = len(look.banners) * BANNER
    first = _template("first", look, 33 * mm + banners, _letterhead, of)
    others = _template("others", look, 27 * mm + banners, _running_title, of)
    first.autoNextPageTemplate = others.id
    document.addPageTemplates([first, others])
    document.build(list(story))
    return out.getvalue(), int(document.page)


def _template(name: str, look: Look, top: float, draw_head: Any, of: int) -> PageTemplate:
    frame = Frame(MARGIN, 20 * mm, ROOM, HEIGHT - 20 * mm - top, 0, 0, 0, 0, id=name)

    def draw(canvas: Canvas, _document: BaseDocTemplate) -> None:
        draw_head(canvas, look, HEIGHT - 14 * mm)
        _draw_banners(canvas, look, top)
        _draw_foot(canvas, look, of)

    return PageTemplate(name, [frame], onPage=draw)


def _letterhead(canvas: Canvas, look: Look, top: float) -> None:
    text, size = fitting(shown(look.site.hospital), BOLD, (14, 12, 10), ROOM * 0.62)
    canvas.setFont(BOLD, size)
    canvas.drawString(MARGIN, top - 11, text)
    canvas.setFont(REGULAR, 10)
    canvas.drawString(MARGIN, top - 25, shown(look.site.department))
    canvas.setFont(REGULAR, 8.5)
    for line, text in enumerate(_contact(look.site)):
        canvas.drawRightString(WIDTH - MARGIN, top - 11 - 12 * line, text)
    canvas.setLineWidth(1)
    canvas.line(MARGIN, top - 34, WIDTH - MARGIN, top - 34)


def _contact(site: Site) -> list[str]:
    phone = _("Tél.\u00a0%s") % site.phone if site.phone else ""
    return [fitting(shown(text), REGULAR, (8.5,), ROOM * 0.36)[0] for text in (site.address, phone) if text]


def _running_title(canvas: Canvas, look: Look, top: float) -> None:
    text, size = fitting(shown(look.running), BOLD, (9.5, 8.5, 7.5), ROOM)
    canvas.setFont(BOLD, size)
    canvas.drawString(MARGIN, top - 9, text)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, top - 16, WIDTH - MARGIN, top - 16)


def _draw_banners(canvas: Canvas, look: Look, top: float) -> None:
    """Just above the frame, boxed, as wide as the page."""
    for place, banner in enumerate(look.banners):
        low = HEIGHT - top + (len(look.banners) - 1 - place) * BANNER + 2.5 * mm
        text, size = fitting(shown(banner), BOLD, (13, 11, 9), ROOM - 8)
        canvas.setLineWidth(1.6)
        canvas.rect(MARGIN, low, ROOM, BANNER - 3 * mm)
        canvas.setFont(BOLD, size)
        canvas.drawCentredString(WIDTH / 2, low + (BANNER - 3 * mm - size * 0.7) / 2, text)


def _draw_foot(canvas: Canvas, look: Look, of: int) -> None:
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, 15 * mm, WIDTH - MARGIN, 15 * mm)
    canvas.setFont(REGULAR, 8)
    text, _size = fitting(shown(look.footer), REGULAR, (8,), ROOM - 25 * mm)
    canvas.drawString(MARGIN, 11 * mm, text)
    page = _("Page %(number)d/%(of)d") % {"number": canvas.getPageNumber(), "of": of}
    canvas.drawRightString(WIDTH - MARGIN, 11 * mm, page)
