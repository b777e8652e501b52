"""The Flask application: one `Services` value in, every page out."""

from __future__ import annotations

from flask import Flask
from htmx_flask import Htmx

from core.services import Services
from kiosk import access, assets, chrome, compress, forgery, headers, pages, problems, words
from kiosk.csp_reports import CspReports
from kiosk.limits import LoginLimits
from kiosk.memo import Memo
from kiosk.once import Once
from kiosk.recent import Recent
from kiosk.surroundings import EXTENSION, Kiosk

BODY_LIMIT = 1024 * 1024  # bytes; reports are the largest form


def create_app(services: Services) -> Flask:
    """The kiosk of one hospital. Nothing here is global: two applications serve two hospitals side by side."""
    app = Flask("kiosk", static_folder=None)
    Htmx(app)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = BODY_LIMIT
    clock = services.clock
    app.extensions[EXTENSION] = Kiosk(
        services=services,
        assets=assets.load(),
        logins=LoginLimits(clock),
        once=Once(clock),
        touched=Recent(clock, seconds=10),
        viewed=Recent(clock, seconds=600),
        status=Memo(clock, seconds=5, make=services.status),
        csp=CspReports(),
    )
    # Order matters: forms are checked once it is known who sends them.
    for part in (headers, compress, problems, access, forgery, words, chrome, pages):
        part.install(app)
    return app
