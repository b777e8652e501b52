"""One exam: who, what, where it stands, its images, its report, and what else this patient had."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response

from core.model.step import Flag
from core.model.study import StudyLine
from core.model.worklist import ExamLine
from core.services.access import may_see_exam
from kiosk import live
from kiosk.fragments import render
from kiosk.surroundings import actor, services

door = Blueprint("exam", __name__)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A series as a thumbnail: its first image."""

    study_id: int
    series_id: int
    label: str
    images: int
    key: str


@door.get("/examen/<int:step_id>")
def page(step_id: int) -> Response:
    person = actor()
    now = live.watch((f"step:{step_id}", f"report:{step_id}"), step_id)
    if now.is_unchanged():
        return live.unchanged()
    line = services().scheduling.line(person, step_id)
    studies = services().studies.of_step(person, step_id)
    etag = now.etag()
    answer = render(
        "exam/page.html",
        block="exam",
        line=line,
        history=services().scheduling.history(person, step_id),
        studies=[(study, sheets(study)) for study in studies],
        report=services().reports.current(person, step_id),
        others=others(line),
        doubtful=Flag.IDENTITY_DOUBTFUL in line.flags,
        etag=etag,
    )
    return live.tagged(answer, etag)


def sheets(study: StudyLine) -> list[Sheet]:
    found = []
    for series in services().studies.series(actor(), study.id):
        instances = services().studies.instances(actor(), series.id)
        if instances:
            label = series.description or series.body_part or series.modality
            found.append(Sheet(study.id, series.id, label, sum(i.frames for i in instances), instances[0].key))
    return found


def others(line: ExamLine) -> list[ExamLine]:
    """The patient's other exams that this person may open."""
    found = services().patients.exams(actor(), line.patient_id)
    return [other for other in found if other.step_id != line.step_id and may_see_exam(actor(), other)]
