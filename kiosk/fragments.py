"""One template, two answers: the whole page, or one block of it when htmx asks.

Every answer that depends on it says `Vary: HX-Request`. Only `request.htmx` of htmx-flask is used: its response
helpers refuse good values.
"""

from __future__ import annotations

from typing import Any, cast

from flask import Response, current_app, render_template, request
from htmx_flask.requests import HtmxHeaders


def wants_block() -> bool:
    """htmx asks for a part; a boosted link or the restored history want the page."""
    asked = cast(HtmxHeaders, request.htmx)  # type: ignore[attr-defined]
    return bool(asked) and not asked.boosted and not asked.history_restore_request


def render(template: str, *, block: str = "", status: int = 200, **values: Any) -> Response:
    """The page, or its block alone; a block must be valid by itself, so it imports what it uses."""
    html = _block(template, block, values) if block and wants_block() else render_template(template, **values)
    response = Response(html, status, mimetype="text/html")
    if block:
        response.vary.add("HX-Request")
    return response


def _block(template: str, block: str, values: dict[str, Any]) -> str:
    found = current_app.jinja_env.get_template(template)
    current_app.update_template_context(values)
    return "".join(found.blocks[block](found.new_context(values)))
