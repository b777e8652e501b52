"""The report as the ward reads it: banners in words above the text, then the text, then who signed it and when.

Opening the page changes nothing. Reading is told by a POST that the page sends by itself after a moment, or by the
button « Lu » without JavaScript; the service decides whether it counts as delivered for the ward.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from core.errors import NotFound
from core.i18n import _
from core.model.people import Role
from core.model.report import ReportVersion, VersionState
from core.model.step import DeliveryStatus, Flag, ReportStatus
from core.model.worklist import ExamLine
from kiosk import words
from kiosk.access import go, is_reader
from kiosk.fragments import render, wants_block
from kiosk.pages.printing import RUNNING, last_jobs, printers
from kiosk.surroundings import actor, services

door = Blueprint("report", __name__)


@dataclass(frozen=True, slots=True)
class Banner:
    """Words above the text. kind: `alarm`, `warning` or `note`, for the colour that repeats what the words say."""

    kind: str
    title: str
    words: str = ""


@door.get("/cr/<int:step_id>")
def page(step_id: int) -> Response:
    line = services().scheduling.line(actor(), step_id)
    versions = services().reports.versions(actor(), step_id)
    shown = chosen(versions, services().reports.current(actor(), step_id))
    if shown is not None and not wants_block():
        services().reports.opened(actor(), shown.id)
    return render(
        "report/page.html",
        block="reading",
        line=line,
        shown=shown,
        versions=versions,
        banners=banners(line, shown),
        withdrawn=shown is not None and shown.state is VersionState.WITHDRAWN,
        to_read=shown is not None and is_to_read(line, shown),
        jobs=last_jobs(step_id),
        printers=printers(),
        running=RUNNING,
        may_write=is_reader(actor()),
    )


def chosen(versions: list[ReportVersion], current: ReportVersion | None) -> ReportVersion | None:
    """The current version, or an older one asked for by its number."""
    wanted = request.args.get("version", type=int)
    if wanted is None:
        return current or (versions[-1] if versions else None)
    found = next((version for version in versions if version.version == wanted), None)
    if found is None:
        raise NotFound(_("Cette version n'existe pas."))
    return found


def is_to_read(line: ExamLine, shown: ReportVersion) -> bool:
    """Whether reading it here and now may count as delivered to the ward that asked."""
    mine = actor().is_any(Role.CLINICIAN) and actor().ward == line.ward
    unread = line.state.report is ReportStatus.SIGNED and line.state.delivery is not DeliveryStatus.DELIVERED
    return mine and unread and shown.state is VersionState.SIGNED


def banners(line: ExamLine, shown: ReportVersion | None) -> list[Banner]:
    """What must be read before the text, the gravest first."""
    found = list(_about_the_exam(line))
    if shown is None:
        if line.state.report is ReportStatus.CLOSED_WITHOUT_REPORT:
            found.append(Banner("note", _("Clos sans compte rendu"), _("Les images restent lisibles.")))
        return found
    return list(_about_the_version(line, shown)) + found


def _about_the_version(line: ExamLine, shown: ReportVersion) -> list[Banner]:
    by = _("%(name)s, %(at)s") % {"name": shown.signer or shown.author, "at": words.moment(shown.at)}
    found = []
    if shown.state is VersionState.WITHDRAWN:
        found.append(Banner("alarm", _("RETIRÉ : MAUVAIS PATIENT"), by))
    if shown.is_preliminary:
        found.append(Banner("alarm", _("COMPTE RENDU PROVISOIRE – NON VALIDÉ"), by))
    if shown.state is VersionState.SUPERSEDED:
        found.append(Banner("warning", _("Version remplacée"), _("Une version plus récente existe.")))
    if Flag.CORRECTION_OPEN in line.flags:
        found.append(Banner("warning", _("Correction en cours"), _("Cette version va être remplacée.")))
    discordance = {"major": _("Discordance majeure avec le compte rendu provisoire"), "minor": _("Discordance mineure")}
    if shown.discordance in discordance:
        kind = "alarm" if shown.discordance == "major" else "note"
        found.append(Banner(kind, discordance[shown.discordance], _("Le texte définitif diffère du provisoire.")))
    return found


def _about_the_exam(line: ExamLine) -> list[Banner]:
    counts = {"got": line.images, "said": line.expected_images}
    table = {
        Flag.CRITICAL_UNACKNOWLEDGED: Banner("alarm", _("Résultat critique non accusé"), _("Appelez le radiologue.")),
        Flag.IDENTITY_DOUBTFUL: Banner(
            "alarm", _("Identité en cours de vérification"), _("Ces images peuvent être celles d'un autre patient.")
        ),
        Flag.INCOMPLETE: Banner(
            "warning",
            _("Incomplet"),
            _("%(got)d images reçues sur %(said)d annoncées.") % counts if line.expected_images else "",
        ),
        Flag.LATE_IMAGES: Banner("warning", _("Images tardives"), _("Des images sont arrivées après la lecture.")),
        Flag.UNSCHEDULED: Banner("note", _("Hors demande"), _("Images reçues sans demande d'examen.")),
    }
    return [banner for flag, banner in table.items() if flag in line.flags]


@door.post("/cr/<int:step_id>/lu")
def read(step_id: int) -> Response:
    version = services().reports.current(actor(), step_id)
    if version is None:
        raise NotFound(_("Il n'y a pas de compte rendu à lire."))
    services().reports.mark_read(actor(), version.id)
    return page(step_id) if wants_block() else go("report.page", step_id=step_id)


@door.get("/cr/<int:step_id>/pdf")
def pdf(step_id: int) -> Response:
    """The same words on paper size; not kept by the browser."""
    line = services().scheduling.line(actor(), step_id)
    current = services().reports.current(actor(), step_id)
    shown = chosen(services().reports.versions(actor(), step_id), current)
    if shown is None:
        raise NotFound(_("Il n'y a pas de compte rendu à imprimer."))
    response = Response(services().paper.report_pdf(actor(), shown.id), mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="CR-{line.accession_number}-v{shown.version}.pdf"'
    return response
