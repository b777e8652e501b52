"""From our errors to HTTP, in one table; a person reads the sentence on a small page, a machine reads the status.

Validation errors of a form are not here: the form comes back with its sentence.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from core.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    OutOfResources,
    PeerError,
    Unreachable,
    YelenError,
)
from core.i18n import _
from kiosk.fragments import render

log = logging.getLogger(__name__)

STATUS: dict[type[YelenError], int] = {
    NotFound: 404,
    NotAllowed: 403,
    BadInput: 400,
    Conflict: 409,
    PeerError: 400,
    Unreachable: 502,
    OutOfResources: 507,
    YelenError: 500,
}


def install(app: Flask) -> None:
    app.register_error_handler(YelenError, refused)
    app.register_error_handler(HTTPException, not_served)
    app.register_error_handler(Exception, broken)


def status_of(error: YelenError) -> int:
    """The status of the nearest ancestor in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def refused(error: YelenError) -> Response:
    return page(status_of(error), str(error))


def not_served(error: HTTPException) -> Response:
    """What Flask itself refuses, in our words."""
    sentences = {
        404: _("Cette page n'existe pas."),
        405: _("Cette adresse ne s'ouvre pas ainsi."),
        413: _("Envoi trop volumineux : 1 Mo au plus."),
    }
    code = error.code or 500
    return page(code, sentences.get(code, _("Demande incompréhensible.")))


def broken(error: Exception) -> Response:
    """A fault of ours: logged with its traceback, said in one sentence."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return page(500, _("Une erreur est survenue dans Yelen. Elle est notée dans le journal du serveur ; réessayez."))


def page(status: int, sentence: str) -> Response:
    """The same small page for everyone; pages behind the login keep their header."""
    if request.path.startswith("/img/"):
        return Response(sentence, status, mimetype="text/plain")
    title = {401: _("Session fermée"), 403: _("Refusé"), 404: _("Introuvable"), 409: _("Entre-temps…")}
    word = title.get(status, _("Impossible pour l'instant") if status >= 500 else _("Refusé"))
    return render("problem.html", block="problem", status=status, title=word, sentence=sentence, person=g.get("actor"))
