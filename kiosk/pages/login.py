"""The way in: name and password."""

from __future__ import annotations

from flask import Blueprint, Response, g, redirect, request

from core.errors import NotAllowed
from core.i18n import _
from kiosk import access
from kiosk.access import open_to_all
from kiosk.fragments import render
from kiosk.surroundings import kiosk, services

door = Blueprint("login", __name__)


@door.get("/connexion")
@open_to_all
def page() -> Response:
    if g.actor is not None:
        return redirect(access.home(g.actor), 303)  # type: ignore[return-value]
    return render("login/page.html", suite=request.args.get("suite", ""))


@door.post("/connexion")
@open_to_all
def enter() -> Response:
    """A new session, under a new token; the former one of this browser is closed."""
    name, suite = request.form.get("nom", "").strip(), request.form.get("suite", "")
    wait = kiosk().logins.wait(request.remote_addr or "", name)
    if wait:
        sentence = _("Trop d'essais. Réessayez dans %d s.") % wait
        response = render("login/page.html", status=429, suite=suite, name=name, sentence=sentence)
        response.headers["Retry-After"] = str(wait)
        return response
    try:
        person = services().people.login(name, request.form.get("secret", ""), access.origin())
    except NotAllowed as error:
        return render("login/page.html", status=401, suite=suite, name=name, sentence=str(error))
    kiosk().logins.forget(name)
    if g.actor is not None:
        services().people.close_session(g.token)
    token = services().people.open_session(person, access.origin())
    target = access.local_path(suite) if suite else access.home(person)
    return access.remember(redirect(target, 303), token)  # type: ignore[arg-type]
