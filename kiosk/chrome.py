"""What every page shows around its content: the hospital, who is here, and how far behind the second building is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, has_request_context, request

from core.errors import YelenError
from core.model.second_building import sentence
from kiosk import live
from kiosk.access import home, is_of_department, is_reader
from kiosk.surroundings import kiosk, services

# htmx without eval, without inline styles, without page snapshots in the browser, and without swapping 204 and 304.
HTMX_CONFIG = json.dumps(
    {
        "includeIndicatorStyles": False,
        "allowEval": False,
        "allowScriptTags": False,
        "historyCacheSize": 0,
        "timeout": 8000,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "304", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": False, "error": True},
        ],
    }
)


def install(app: Flask) -> None:
    app.context_processor(around)
    app.jinja_env.globals.update(htmx_config=HTMX_CONFIG, rhythm=live.rhythm, here=here)


def around() -> dict[str, Any]:
    """The names that every template knows."""
    person = g.get("actor") if has_request_context() else None
    now = services().clock.now()
    return {
        "site": services().site,
        "person": person,
        "home": home(person) if person else "/connexion",
        "reader": bool(person and is_reader(person)),
        "department": bool(person and is_of_department(person)),
        "idle_s": int(services().people.idle_limit(person.roles).total_seconds()) if person else 0,
        "now": now,
        "epoch_ms": int(now.timestamp() * 1000),
        "utc_offset_min": int((services().local(now).utcoffset() or now - now).total_seconds() // 60),
        "today": services().today(),
        "second_building": second_building() if person else "",
    }


def here(**changes: object) -> str:
    """The address of this page with something changed."""
    return f"{request.path}?{urlencode(request.args.to_dict() | changes)}"


def second_building() -> str:
    """How the copy stands, from the state that the pages share."""
    try:
        return sentence(kiosk().status.value().get("replica") or {})
    except YelenError:
        return sentence({})
