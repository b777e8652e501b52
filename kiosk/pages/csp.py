"""Where browsers report what our Content-Security-Policy stopped."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request

from kiosk.access import open_to_all
from kiosk.forgery import needs_no_token
from kiosk.surroundings import kiosk, services

KEPT = 500  # bytes of a report that go to the log
door = Blueprint("csp", __name__)
log = logging.getLogger(__name__)


@door.post("/csp")
@open_to_all
@needs_no_token
def report() -> Response:
    body = request.stream.read(KEPT)
    kiosk().csp.add(services().today())
    log.warning("content security policy: %r", body)
    return Response(status=204)
