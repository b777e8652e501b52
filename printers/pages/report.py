"""The report on A4: who, which exam, the sections, who signed when, and a code that ties the paper to its hash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus.flowables import Flowable, HRFlowable, KeepTogether, Spacer
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table

from core.config import Site
from core.i18n import _
from core.model.report import ReportVersion, VersionState, VersionType, section_title
from core.model.step import Flag
from core.model.worklist import ExamLine
from printers.pages.codes import draw_qr, report_qr
from printers.pages.fonts import BOLD
from printers.pages.french import NBSP, born, long_day, long_moment, markup, sex_word
from printers.pages.sheet import BODY, HEADING, ITEM, ROOM, SMALL, Look, build


def report_pdf(site: Site, version: ReportVersion, exam: ExamLine) -> tuple[bytes, int]:
    """The PDF and its number of pages, from the frozen version and the identity as it stands on the exam."""
    return build(_look(site, version, exam), lambda: _story(site, version, exam))


def _look(site: Site, version: ReportVersion, exam: ExamLine) -> Look:
    running = [exam.patient_name, _("IPP %s") % exam.patient_number, _("demande %s") % exam.accession_number]
    facts = {"number": exam.accession_number, "version": version.version, "hash": version.sha256[:16]}
    return Look(
        site=site,
        title=_("Compte rendu %s") % exam.accession_number,
        running=f"{NBSP}· ".join([*running, exam.exam_label]),
        footer=_("Compte rendu %(number)s, version %(version)d, empreinte %(hash)s") % facts,
        banners=list(_banners(version, exam)),
    )


def _banners(version: ReportVersion, exam: ExamLine) -> Iterator[str]:
    """The most dangerous first."""
    if version.state is VersionState.WITHDRAWN:
        yield _("COMPTE RENDU RETIRÉ – NE PAS UTILISER")
    if version.state is VersionState.SUPERSEDED:
        yield _("REMPLACÉ PAR UNE VERSION PLUS RÉCENTE")
    if Flag.IDENTITY_DOUBTFUL in exam.flags:
        yield _("IDENTITÉ EN COURS DE VÉRIFICATION")
    if version.is_preliminary:
        yield _("COMPTE RENDU PROVISOIRE – NON VALIDÉ")
    if Flag.CORRECTION_OPEN in exam.flags:
        yield _("CORRECTION EN COURS")


def _story(site: Site, version: ReportVersion, exam: ExamLine) -> Iterator[Flowable]:
    yield Paragraph(markup(_kind(version)), SMALL)
    yield Paragraph(markup(exam.exam_label), _big(15, 19))
    yield Spacer(0, 2 * mm)
    yield _who_and_what(exam, exam_day(site, exam, version.at))
    yield Spacer(0, 2 * mm)
    sections = version.text.sections()
    for section, text in sections:
        if section != "conclusion":
            yield Paragraph(markup(section_title(section)), HEADING)
            yield from _paragraphs(text)
    yield from _conclusion(version)
    yield KeepTogether([Spacer(0, 6 * mm), _Signature(site, version, exam)])


def _kind(version: ReportVersion) -> str:
    kinds = {
        VersionType.ADDENDUM: _("COMPLÉMENT AU COMPTE RENDU D'IMAGERIE"),
        VersionType.CORRECTION: _("COMPTE RENDU D'IMAGERIE CORRIGÉ"),
    }
    return kinds.get(version.type, _("COMPTE RENDU D'IMAGERIE"))


def _big(size: float, leading: float) -> Any:
    return BODY.clone("big", fontName=BOLD, fontSize=size, leading=leading)


def _who_and_what(exam: ExamLine, day: date) -> Table:
    """Identity on the left as printed, the request on the right, in one frame."""
    who = [
        Paragraph(markup(exam.patient_name), _big(12.5, 16)),
        Paragraph(markup(f"{born(exam.birth, exam.sex)} ({exam.age_long(day)} à l'examen)"), BODY),
        Paragraph(markup(_("Sexe : %s") % sex_word(exam.sex)), BODY),
        Paragraph(markup(_("IPP : %s") % exam.patient_number), BODY),
    ]
    facts = [
        (_("Examen du"), long_day(day)),
        (_("Demande n°"), exam.accession_number),
        (_("Prescripteur :"), exam.prescriber),
        (_("Service :"), exam.ward),
    ]
    what = [Paragraph(markup(f"{name} {value}"), BODY) for name, value in facts if value]
    table = Table([[who, what]], colWidths=[ROOM * 0.56, ROOM * 0.44])
    table.setStyle([("BOX", (0, 0), (-1, -1), 0.8, "black"), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return table


def exam_day(site: Site, exam: ExamLine, printed: datetime) -> date:
    """The local day of the exam: when it began, else when it was planned or asked for."""
    moment = exam.started_at or exam.ended_at or exam.scheduled_at or exam.requested_at or printed
    return exam.exam_day or local(site, moment).date()


def _paragraphs(text: str) -> Iterator[Flowable]:
    """One paragraph a line; a line that begins with a dash hangs."""
    for line in text.splitlines():
        if line.strip():
            yield Paragraph(markup(line.strip()), ITEM if line.lstrip().startswith(("-", "–", "•")) else BODY)


def _conclusion(version: ReportVersion) -> Iterator[Flowable]:
    """What most readers read first: between two rules."""
    words = list(_paragraphs(version.text.conclusion))
    if not words:
        return
    rule = {"width": "100%", "thickness": 0.8, "color": "black", "spaceBefore": 7, "spaceAfter": 3}
    head = [HRFlowable(**rule), Paragraph(markup(section_title("conclusion")), HEADING), words[0]]
    yield KeepTogether(head)
    yield from words[1:]
    yield HRFlowable(**rule)


class _Signature(Flowable):
    """The code on the left, who and when on the right."""

    SIDE = 30 * mm

    def __init__(self, site: Site, version: ReportVersion, exam: ExamLine) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._content = report_qr(exam.accession_number, version.sha256)
        self._lines = [Paragraph(markup(line), style) for line, style in _signed(site, version)]

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        return ROOM, self.SIDE

    def draw(self) -> None:
        draw_qr(self.canv, self._content, -2 * mm, 0, self.SIDE)
        low = self.SIDE - 4 * mm
        for line in self._lines:
            _width, height = line.wrap(ROOM - self.SIDE - 6 * mm, self.SIDE)
            low -= height
            line.drawOn(self.canv, self.SIDE + 4 * mm, low)


def _signed(site: Site, version: ReportVersion) -> Iterator[tuple[str, Any]]:
    when = long_moment(local(site, version.at))
    if version.is_preliminary:
        yield _("Provisoire, non validé"), _big(10.5, 14)
        yield _("Rédigé par %s") % (version.author or version.signer), BODY
        yield _("Transmis le %s") % when, BODY
    else:
        yield version.signer or version.author, _big(11, 15)
        yield _("Signé électroniquement le %s") % when, BODY
        if version.author and version.author != version.signer:
            yield _("Rédigé par %s") % version.author, BODY
    yield _("Le code porte le numéro de demande et l'empreinte de ce texte."), SMALL


def local(site: Site, moment: datetime) -> datetime:
    return moment.astimezone(site.timezone)
