"""« À faire »: what waits for people of one's roles, and what was done about it."""

from __future__ import annotations

from flask import Blueprint, Response, request

from core.errors import BadInput, Conflict
from kiosk.access import go
from kiosk.fragments import render
from kiosk.surroundings import actor, services

door = Blueprint("tasks", __name__)


@door.get("/a-faire")
def page() -> Response:
    return show()


def show(sentence: str = "") -> Response:
    return render("tasks/page.html", block="rows", tasks=services().tasks.waiting(actor()), sentence=sentence)


@door.post("/a-faire/<int:task_id>")
def settle(task_id: int) -> Response:
    try:
        services().tasks.settle(actor(), task_id, request.form.get("fait", ""))
    except (BadInput, Conflict) as error:
        return show(str(error))
    return go("tasks.page")
