"""What waits for a radiologist: urgent exams first, then the longest waiting."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import NotAllowed
from core.i18n import _
from core.model.step import Flag
from core.model.study import Match
from core.model.worklist import ExamLine
from kiosk import live
from kiosk.access import go, is_reader
from kiosk.fragments import render
from kiosk.surroundings import actor, services

door = Blueprint("reading", __name__)


@door.get("/lecture")
def page() -> Response:
    if not is_reader(actor()):
        raise NotAllowed(_("Votre rôle ne permet pas cet acte."))
    now = live.watch(("reading", "alarm", "studies"))
    if now.is_unchanged():
        return live.unchanged()
    lines = services().reports.reading_list(actor())
    doubtful = [s for s in services().reconciliation.unmatched(actor()) if s.match is Match.UNRECONCILED]
    etag = now.etag(lines)
    urgent = [line for line in lines if is_urgent(line)]
    others = [line for line in lines if not is_urgent(line)]
    groups = [(title, held) for title, held in ((_("Urgences"), urgent), (_("À lire"), others)) if held]
    answer = render("reading/page.html", block="rows", groups=groups, doubtful=doubtful, etag=etag)
    return live.tagged(answer, etag)


def is_urgent(line: ExamLine) -> bool:
    return line.urgency in ("U", "V") or Flag.URGENT in line.flags


@door.post("/lecture/<int:step_id>/ouvrir")
def open_exam(step_id: int) -> Response:
    """Takes the exam to read: others see who holds it, for half an hour after the last keystroke."""
    services().reports.open(actor(), step_id)
    return go("desk.page", step_id=step_id)
