"""Printing a report: on a printer of the hospital, never by the browser; its queue is visible on the report page."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, request, url_for

from core.errors import NotAllowed, NotFound
from core.i18n import _
from core.model.printing import PaperKind, PrintJob, PrintState
from kiosk.fragments import render
from kiosk.pages.signature import once
from kiosk.surroundings import actor, services

AGAIN = timedelta(minutes=10)
RUNNING = frozenset({PrintState.QUEUED, PrintState.SENDING, PrintState.SENT, PrintState.PRINTING})
door = Blueprint("printing", __name__)


def printers() -> list[str]:
    """The printers that take pages."""
    return [printer.name for printer in services().printing.printers() if printer.active and printer.takes == "pdf"]


def last_jobs(step_id: int) -> list[PrintJob]:
    """The newest report jobs of an exam; nothing for people who may not see queues."""
    try:
        jobs = services().printing.jobs(actor())
    except NotAllowed:
        return []
    return [job for job in jobs if job.step_id == step_id and job.paper is PaperKind.REPORT][:3]


@door.get("/cr/<int:step_id>/impressions")
def queue(step_id: int) -> Response:
    """Asked again and again while a job runs; the last answer has no trigger, and so stops."""
    services().reports.current(actor(), step_id)
    return render("printing/queue.html", jobs=last_jobs(step_id), running=RUNNING, step_id=step_id)


@door.get("/cr/<int:step_id>/imprimer")
def again(step_id: int) -> Response:
    """Asks before a second copy."""
    services().reports.current(actor(), step_id)
    line = services().scheduling.line(actor(), step_id)
    return render("printing/again.html", line=line, printer=request.args.get("imprimante", ""), jobs=last_jobs(step_id))


@door.post("/cr/<int:step_id>/imprimer")
def print_report(step_id: int) -> Response:
    version = services().reports.current(actor(), step_id)
    if version is None:
        raise NotFound(_("Il n'y a pas de compte rendu à imprimer."))
    printer = request.form.get("imprimante", "")

    def act() -> str:
        if "encore" not in request.form and just_printed(step_id):
            return url_for("printing.again", step_id=step_id, imprimante=printer or None)
        services().paper.print_report(actor(), version.id, printer=printer, key=request.form.get("cle", ""))
        return url_for("report.page", step_id=step_id, _anchor="impressions")

    return once(act)


def just_printed(step_id: int) -> bool:
    """A second copy within ten minutes is more often a double click than a wish."""
    since = services().clock.now() - AGAIN
    return any(job.created_at > since for job in last_jobs(step_id))
