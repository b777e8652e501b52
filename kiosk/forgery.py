"""Forms that another site would fill in are refused: the token of the login, and where the browser says it comes from.

Before the login the token belongs to a cookie of its own, so that nobody is logged in as somebody else unawares.
`Origin` is `null` under our own Referrer-Policy: then only the token decides.
Source: Fetch Metadata Request Headers (Sec-Fetch-Site); OWASP double submit cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

from core.errors import NotAllowed
from core.i18n import _

ENTRY_COOKIE = "__Host-entree"
FIELD, HEADER = "jeton", "X-Yelen-Jeton"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
View = TypeVar("View", bound=Callable[..., object])


def install(app: Flask) -> None:
    """After `access`: the token depends on who is logged in."""
    app.before_request(check)
    app.after_request(keep_entry)
    app.jinja_env.globals["form_token"] = form_token


def needs_no_token(view: View) -> View:
    """Marks a view that browsers call by themselves."""
    view.needs_no_token = True  # type: ignore[attr-defined]
    return view


def form_token() -> str:
    """What every form of this page carries."""
    return hashlib.sha256(f"formulaire {_secret()}".encode()).hexdigest()[:32]


def _secret() -> str:
    """The session of the person, else a random cookie of this browser, made when first needed."""
    if g.actor is not None:
        return str(g.token)
    if "entry" not in g:
        g.entry = request.cookies.get(ENTRY_COOKIE) or secrets.token_urlsafe(18)
    return str(g.entry)


def keep_entry(response: Response) -> Response:
    if "entry" in g and ENTRY_COOKIE not in request.cookies:
        response.set_cookie(ENTRY_COOKIE, g.entry, secure=True, httponly=True, samesite="Strict", path="/")
    return response


def check() -> None:
    """Raises `NotAllowed` for a form that did not come from one of our pages."""
    view = current_app.view_functions.get(request.endpoint or "")
    if request.method in SAFE or getattr(view, "needs_no_token", False):
        return
    sent = request.headers.get(HEADER) or request.form.get(FIELD, "")
    if _comes_from_elsewhere() or not hmac.compare_digest(sent.encode(), form_token().encode()):
        raise NotAllowed(_("Cette page a trop attendu. Rechargez-la et recommencez : rien n'a été enregistré."))


def _comes_from_elsewhere() -> bool:
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    source = request.headers.get("Origin", "null")
    return site != "same-origin" or (source != "null" and urlsplit(source).netloc != request.host)
