"""The reading desk: images on the left, the report on the right, the draft kept by the server."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from core.errors import BadInput, Conflict
from core.i18n import _
from core.model.report import ReportDesk, ReportText
from core.model.worklist import ExamLine
from kiosk import viewing, words, writing
from kiosk.access import go
from kiosk.fragments import render
from kiosk.pages.exam import others
from kiosk.pages.study import doubtful
from kiosk.surroundings import actor, services

BASE = 500  # px: the picture beside the text at 1024x768
door = Blueprint("desk", __name__)


@door.get("/lecture/<int:step_id>")
def page(step_id: int) -> Response:
    """Opening is a POST; this page only shows what this reader already holds."""
    line, desk = services().scheduling.line(actor(), step_id), services().reports.desk(actor(), step_id)
    return show(line, desk) if desk.mine else render("desk/closed.html", line=line, desk=desk)


def show(line: ExamLine, desk: ReportDesk, sentence: str = "") -> Response:
    study_id = request.args.get("etude", type=int) or (line.study_ids[0] if line.study_ids else None)
    study = services().studies.get(actor(), study_id) if study_id else None
    path = url_for("desk.page", step_id=line.step_id)
    view = viewing.look(study, path, request.args, BASE) if study else None
    return render(
        "desk/page.html",
        block="images",
        line=line,
        desk=desk,
        study=study,
        view=view,
        doubtful=doubtful(study, line) if study else False,
        sections=writing.titled(writing.begun(desk, line)),
        rows_for=writing.rows_for,
        templates=services().reports.templates(line.exam_code),
        others=others(line),
        sentence=sentence,
    )


@door.post("/lecture/<int:step_id>")
def write(step_id: int) -> Response:
    """The buttons under the text: whatever they do next, the text is kept first."""
    typed, wanted = writing.text_of(request.form), request.form.get("acte", "")
    if wanted == "modele":
        typed = writing.completed(typed, template_of(step_id, request.form.get("modele", "")))
    services().reports.save_draft(actor(), step_id, typed)
    if wanted in ("provisoire", "signer"):
        return go("signature.page" if wanted == "signer" else "preliminary.page", step_id=step_id)
    if wanted == "soumettre":
        return submit(step_id)
    if wanted == "rendre":
        services().reports.release_lock(actor(), step_id)
        return go("reading.page")
    return go("desk.page", step_id=step_id)


def template_of(step_id: int, name: str) -> ReportText:
    exam_code = services().scheduling.line(actor(), step_id).exam_code
    found = dict(services().reports.templates(exam_code))
    if name not in found:
        raise BadInput(_("Choisissez un modèle."), "modele")
    return found[name]


def submit(step_id: int) -> Response:
    """A resident hands the text over to be signed; an empty conclusion comes back with its sentence."""
    text = writing.text_of(request.form)
    try:
        services().reports.submit(actor(), step_id, text)
    except (BadInput, Conflict) as error:
        line = services().scheduling.line(actor(), step_id)
        return show(line, services().reports.desk(actor(), step_id), str(error))
    return go("reading.page")


@door.post("/lecture/<int:step_id>/brouillon")
def autosave(step_id: int) -> Response:
    """The draft, every few seconds while somebody types: answered by the hour at which it was kept."""
    at = services().reports.save_draft(actor(), step_id, writing.text_of(request.form))
    return Response(_("Brouillon enregistré à %s") % words.hour(at), mimetype="text/plain")
