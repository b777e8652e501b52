"""A preliminary report for the ward, at once: what will be released, and the PIN."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from core.errors import BadInput, Conflict, NotAllowed
from core.model.report import ReportText
from kiosk.access import go
from kiosk.fragments import render
from kiosk.pages.signature import draft_of, held_draft, once
from kiosk.surroundings import actor, services

door = Blueprint("preliminary", __name__)


@door.get("/lecture/<int:step_id>/provisoire")
def page(step_id: int) -> Response:
    text = draft_of(step_id)
    return go("desk.page", step_id=step_id) if text is None else show(step_id, text)


def show(step_id: int, text: ReportText, sentence: str = "") -> Response:
    line = services().scheduling.line(actor(), step_id)
    return render("preliminary/page.html", line=line, text=text, sentence=sentence)


@door.post("/lecture/<int:step_id>/provisoire")
def release(step_id: int) -> Response:
    def act() -> str:
        services().reports.release_preliminary(actor(), step_id, held_draft(step_id), request.form.get("secret", ""))
        return url_for("desk.page", step_id=step_id)

    try:
        return once(act)
    except (NotAllowed, BadInput, Conflict) as error:
        text = draft_of(step_id)
        return go("desk.page", step_id=step_id) if text is None else show(step_id, text, str(error))
