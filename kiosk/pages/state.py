"""The box in one glance: doors, counts, queues, second building, disk."""

from __future__ import annotations

from flask import Blueprint, Response

from core.model.people import Role
from core.model.standing import grouped
from kiosk.fragments import render
from kiosk.surroundings import actor, kiosk, services

door = Blueprint("state", __name__)


@door.get("/etat")
def page() -> Response:
    administrator = actor().is_any(Role.ADMINISTRATOR)
    status = {k: v for k, v in kiosk().status.value().items() if administrator or k != "doors"}
    reports = kiosk().csp.total() if administrator else None
    groups = list(grouped(status, services().local))
    return render("state/page.html", block="state", groups=groups, csp=reports, at=services().clock.now())
