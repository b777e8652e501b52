"""The style sheet and the script, to be kept for ever by the browser: their names change with their content."""

from __future__ import annotations

from flask import Blueprint, Response

from core.errors import NotFound
from core.i18n import _
from kiosk import compress
from kiosk.access import open_to_all
from kiosk.surroundings import kiosk

FOR_EVER = "public, max-age=31536000, immutable"
door = Blueprint("static_files", __name__)


@door.app_template_global("asset")
def asset(name: str) -> str:
    return kiosk().assets[name].url


@door.get("/static/<digest>/<name>")
@open_to_all
def file(digest: str, name: str) -> Response:
    """A page from before an upgrade gets the new file, which it may not keep."""
    found = kiosk().assets.get(name)
    if found is None:
        raise NotFound(_("Cette page n'existe pas."))
    gzipped = compress.accepts_gzip()
    response = Response(found.gzipped if gzipped else found.data, mimetype=found.mimetype)
    if gzipped:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = FOR_EVER if digest == found.digest else "no-store"
    return response
