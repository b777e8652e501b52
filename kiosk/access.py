"""Who is asking: the session behind the cookie, and the way out for everybody else.

The session is a row in the index, revocable at once; the browser holds only its random token. What a person may see
is decided object by object in the services, never here and never in a template.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote, urlsplit

from flask import Flask, Response, current_app, g, redirect, request, url_for

from core.model.people import Actor, Role
from kiosk.surroundings import kiosk, services

COOKIE = "__Host-yelen"
View = TypeVar("View", bound=Callable[..., object])


def install(app: Flask) -> None:
    app.before_request(identify)


def open_to_all(view: View) -> View:
    """Marks a view that answers people who are not logged in."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def identify() -> Response | None:
    """Before every request: put the person in `g.actor`, or turn the browser away."""
    g.token = request.cookies.get(COOKIE, "")
    g.actor = services().people.session(g.token) if g.token else None
    if g.actor is None:
        return None if _is_open() else turn_away()
    if not is_poll() and kiosk().touched.is_new(g.token):
        services().people.touch(g.token)
    return None


def _is_open() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "open_to_all", False)


def is_poll() -> bool:
    """A request that the page made by itself: it does not keep the session awake."""
    return "auto" in request.args


def turn_away() -> Response:
    """To the lock page when there was a session, else to the login page; no patient data stays behind."""
    target = url_for("lock.page" if g.token else "login.page", suite=_wanted())
    if request.headers.get("HX-Request"):
        response = Response(status=401)
        response.headers["HX-Redirect"] = url_for("lock.page")
    elif request.path.startswith("/img/"):
        response = Response(status=401)
    else:
        response = Response(status=303, headers={"Location": target})
    return forget(response) if g.token else response


def _wanted() -> str | None:
    """Where to come back after the login."""
    return request.full_path.rstrip("?") if request.method == "GET" and request.path != "/" else None


def local_path(suite: str) -> str:
    """A path of this site, or the front door: a login never forwards to another site."""
    parts = urlsplit(suite)
    good = suite.startswith("/") and not suite.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return quote(suite, safe="/?=&%") if good and len(suite) < 500 else "/"


def remember(response: Response, token: str) -> Response:
    response.set_cookie(COOKIE, token, secure=True, httponly=True, samesite="Strict", path="/")
    return response


def forget(response: Response) -> Response:
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Strict", path="/")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def origin() -> str:
    """What the door knows for certain of where the person sits."""
    return f"kiosk {request.remote_addr or '?'}"


def image_key() -> str:
    """A part of every image URL: one person's cached frames cannot be reached by the next one on the same post."""
    return hashlib.sha256(f"images {g.token}".encode()).hexdigest()[:16]


def is_reader(actor: Actor) -> bool:
    return actor.is_any(Role.RADIOLOGIST, Role.RESIDENT)


def is_of_department(actor: Actor) -> bool:
    """Whether lines of « À faire » may wait for this person."""
    return not actor.roles <= {Role.CLINICIAN, Role.CASHIER, Role.DIRECTOR, Role.DIM_PHYSICIAN}


def home(actor: Actor) -> str:
    """The first page of a person: the reading list of those who read, the list of the ward or of the day for others."""
    return url_for("reading.page") if is_reader(actor) else url_for("ward.page")


def go(endpoint: str, **values: object) -> Response:
    """After a form: see the next page by GET, so that reloading does not act again."""
    return redirect(url_for(endpoint, **values), 303)  # type: ignore[arg-type,return-value]
