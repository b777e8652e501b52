"""One frame as a picture of 8 bits, windowed, made small and encoded: a preview, never a diagnosis."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request

from kiosk import viewing
from kiosk.access import image_key, is_reader
from kiosk.surroundings import actor, kiosk, services

SHARED_POST = "private, max-age=900"  # shared computers keep a picture a quarter of an hour, under a key of this login
PREVIEW = "APERÇU"
door = Blueprint("frame", __name__)


@door.get("/img/<key>/frame")
def page(key: str) -> Response:
    """`f` frame from 1 (0 the middle one), `c` `w` window, `size` longest side, `q` quality; `k` the key of this login,
    `s` the series that is looked at.

    404 without the right to see it, as for an image that does not exist.
    """
    asked = request.args
    window = viewing.window_of(asked)
    picture = services().studies.frame(
        actor(),
        key,
        viewing.whole(asked.get("f", ""), 1),
        size=min(max(viewing.whole(asked.get("size", ""), viewing.WIDEST), 16), viewing.WIDEST),
        window=(window.center, window.width) if window else None,
        quality=min(max(viewing.whole(asked.get("q", ""), viewing.QUALITY), 10), 95),
    )
    note_viewing(key, viewing.whole(asked.get("f", ""), 1), asked.get("s", ""))
    response = Response(picture.data, mimetype=picture.mime)
    if hmac.compare_digest(asked.get("k", "").encode(), image_key().encode()):
        response.headers["Cache-Control"] = SHARED_POST
    return response


def note_viewing(key: str, frame: int, series: str) -> None:
    """A picture that a page put before a reader is told to the signature, once in a quarter of an hour or so."""
    wanted = viewing.whole(series, -1)
    if not is_reader(actor()) or wanted < 0 or not kiosk().viewed.is_new((actor().name, key, frame)):
        return
    if services().studies.instance(actor(), key).series_id == wanted:
        services().reports.viewed(actor(), wanted, PREVIEW, [(key, frame)])


@door.post("/serie/<int:series_id>/vues")
def shown(series_id: int) -> Response:
    """The pictures that the script showed since it last said so: `key.frame`, with a space between them.

    What it only fetched ahead is not among them.
    """
    if is_reader(actor()):
        said = (picture.partition(".") for picture in request.form.get("vues", "").split())
        pictures = [(key, viewing.whole(frame, 0)) for key, _dot, frame in said]
        services().reports.viewed(actor(), series_id, PREVIEW, pictures)
    return Response(status=204)
