"""The locked post: a page without patients, and the key that leads to it."""

from __future__ import annotations

from flask import Blueprint, Response, g, redirect, request

from kiosk import access
from kiosk.access import open_to_all
from kiosk.fragments import render
from kiosk.surroundings import services

door = Blueprint("lock", __name__)


@door.get("/verrou")
@open_to_all
def page() -> Response:
    """Shown after the idle limit or after leaving; it is the login page under another title."""
    if g.actor is not None:
        return redirect(access.home(g.actor), 303)  # type: ignore[return-value]
    return access.forget(render("lock/page.html", suite=request.args.get("suite", "")))


@door.post("/quitter")
def leave() -> Response:
    services().people.close_session(g.token)
    return access.forget(access.go("lock.page"))
