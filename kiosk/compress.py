"""Pages leave gzipped: waitress does not compress, and the VPN line is slow.

Compressing a page that holds a form token is safe here because the session cookie is SameSite=Strict: another site
cannot make the browser ask for our pages as this person (BREACH needs that).
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

SMALLEST = 600  # bytes; below this the packet count is the same
TYPES = frozenset({"text/html", "application/json"})


def install(app: Flask) -> None:
    app.after_request(squeeze)


def squeeze(response: Response) -> Response:
    if response.mimetype not in TYPES or response.direct_passthrough or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    body = response.get_data()
    if len(body) >= SMALLEST and accepts_gzip():
        response.set_data(gzip.compress(body, compresslevel=6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def accepts_gzip() -> bool:
    return request.accept_encodings.quality("gzip") > 0
