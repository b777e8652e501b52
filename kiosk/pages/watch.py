"""What the foot of every page asks now and then: is my session still open, how far behind is the second building."""

from __future__ import annotations

from flask import Blueprint, Response

from kiosk.fragments import render

door = Blueprint("watch", __name__)


@door.get("/veille")
def page() -> Response:
    """Answered 401 with `HX-Redirect` by `access` when the session has ended: the page then goes blank."""
    return render("parts/foot.html")
