"""The images of a study, drawn by the server: series, windows, zoom, next and previous, all by links and forms."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, request, url_for

from core.model.step import Flag
from core.model.study import Match, StudyLine
from core.model.worklist import ExamLine
from kiosk import viewing
from kiosk.fragments import render
from kiosk.surroundings import actor, services

BASE = 620  # px: the longest side at zoom 1, for a screen of 1024x768
door = Blueprint("study", __name__)


@door.get("/etude/<int:study_id>")
def page(study_id: int) -> Response:
    study = services().studies.get(actor(), study_id)
    line = line_of(study)
    view = viewing.look(study, url_for("study.page", study_id=study_id), request.args, BASE)
    return render("study/page.html", block="viewer", study=study, line=line, view=view, doubtful=doubtful(study, line))


def line_of(study: StudyLine) -> ExamLine | None:
    return services().scheduling.line(actor(), study.step_id) if study.step_id is not None else None


def doubtful(study: StudyLine, line: ExamLine | None) -> bool:
    """Whether the overlay « identité en cours de vérification » lies over everything shown."""
    return study.match is Match.UNRECONCILED or (line is not None and Flag.IDENTITY_DOUBTFUL in line.flags)


@door.get("/serie/<int:series_id>/images")
def images(series_id: int) -> Response:
    """The pictures of a series in order, for the wheel and the keys: `{"images": [[key, frame], …]}`."""
    found = [(place.instance.key, place.frame) for place in viewing.places_of(series_id)]
    return Response(msgspec.json.encode({"images": found}), mimetype="application/json")
