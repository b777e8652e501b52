"""The list of a ward, or of the whole department on one day: who is where, what is ready to be read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from flask import Blueprint, Response, redirect, request, url_for

from core.i18n import _
from core.model.people import Actor
from core.model.query import DayFilter
from core.model.step import Flag
from core.model.worklist import ExamLine, WorklistStatus
from core.services.access import DEPARTMENT
from kiosk import live
from kiosk.access import is_reader
from kiosk.fragments import render
from kiosk.surroundings import actor, services

MOST = 500  # lines of one day
DAYS_BACK = 3  # what happened to a ward's children before today and is not yet finished or not yet read
W = WorklistStatus
AHEAD = frozenset({W.REQUESTED, W.SCHEDULED})
OVER = frozenset({W.SENT, W.CLOSED, W.CANCELED, W.ABSENT})
Groups = list[tuple[str, list[ExamLine]]]
door = Blueprint("ward", __name__)


@door.get("/")
def page() -> Response:
    person = actor()
    if is_reader(person) and "jour" not in request.args:
        return redirect(url_for("reading.page"), 303)  # type: ignore[return-value]
    chosen = chosen_day(request.args.get("jour", ""))
    day = chosen or services().today()
    now = live.watch(topics(person, day, chosen is None), day, chosen is None)
    if now.is_unchanged():
        return live.unchanged()
    lines = list(lines_of(person, day, chosen is None))
    etag, groups = now.etag(lines), grouped(lines)
    answer = render("ward/page.html", block="rows", groups=groups, day=day, chosen=chosen, etag=etag, new=is_new)
    return live.tagged(answer, etag)


def chosen_day(text: str) -> date | None:
    """The day of the address, None for « now »; nonsense is « now » too."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def ward_of(person: Actor) -> str:
    """The department's own people see every ward; others see theirs."""
    return "" if sees_all(person) else person.ward


def sees_all(person: Actor) -> bool:
    return person.is_any(*DEPARTMENT)


def topics(person: Actor, day: date, now: bool) -> list[str]:
    if ward := ward_of(person):
        return [f"ward:{ward}"]
    return [f"day:{d}" for d in days(person, day, now)]


def days(person: Actor, day: date, now: bool) -> list[date]:
    back = DAYS_BACK if now and ward_of(person) else 0
    return [day - timedelta(days=n) for n in range(back + 1)]


def lines_of(person: Actor, day: date, now: bool) -> Iterable[ExamLine]:
    """The day's exams; for a ward also those of the last days that are still open or unread."""
    if not sees_all(person) and not person.ward:
        return
    for each in days(person, day, now):
        found = services().scheduling.day_page(person, DayFilter(each, ward=ward_of(person)), 0, MOST)
        yield from (line for line in found.lines if each == day or line.status not in OVER)


def grouped(lines: Iterable[ExamLine]) -> Groups:
    """In the order of what the ward can do about it: read, follow, prepare, forget."""
    found: dict[str, list[ExamLine]] = {name: [] for name in ("new", "going", "ahead", "over")}
    seen: set[int] = set()
    for line in lines:
        if line.step_id not in seen:
            seen.add(line.step_id)
            found[group_of(line)].append(line)
    found["going"].sort(key=lambda line: "VUN".find(line.urgency))
    titles = {"new": _("À lire"), "going": _("En cours"), "ahead": _("À venir"), "over": _("Terminé")}
    return [(titles[name], held) for name, held in found.items() if held]


def group_of(line: ExamLine) -> str:
    if is_new(line):
        return "new"
    return "ahead" if line.status in AHEAD else "over" if line.status in OVER else "going"


def is_new(line: ExamLine) -> bool:
    """There is a text that the ward has not read, or a call that nobody has acknowledged."""
    waiting = {Flag.PRELIMINARY_RELEASED, Flag.CRITICAL_UNACKNOWLEDGED}
    return line.status is W.VALIDATED or not waiting.isdisjoint(line.flags)
