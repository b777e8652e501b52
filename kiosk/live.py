"""Lists that refresh by themselves: an ETag that is the id of the last event they know.

A poll whose topics have no newer event is answered 304 without reading the list. The tag also covers the person, the
filters and the day, so a changed question is never answered « unchanged ». The page keeps the tag itself (`2-live.js`);
nothing of the list is stored in the browser's cache.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, request

from kiosk.surroundings import actor, services

POLL_MS, JITTER_MS = 5000, 1000


@dataclass(frozen=True, slots=True)
class Live:
    """A list at one moment: make it *before* reading the list, so that what happens meanwhile is not missed."""

    etag: str

    def is_unchanged(self) -> bool:
        """The page already has this list, and nothing has happened to it since."""
        return request.headers.get("If-None-Match") == self.etag

    def unchanged(self) -> Response:
        return self.tagged(Response(status=304))

    def tagged(self, response: Response) -> Response:
        response.headers["ETag"] = self.etag
        response.vary.add("HX-Request")
        return response


def watch(topics: Sequence[str], *about: object) -> Live:
    """The list about these things, now."""
    person = actor()
    question = (person.name, person.ward, sorted(person.roles), services().today(), *topics, *about)
    digest = hashlib.sha256("\x1f".join(map(str, question)).encode()).hexdigest()[:16]
    return Live(f'W/"{services().events.newest(topics)}-{digest}"')


def rhythm() -> str:
    """A htmx trigger: every five seconds, a little more or less for each page, so that posts do not march in step."""
    return f"every {POLL_MS + random.randint(-JITTER_MS, JITTER_MS)}ms, revenir"
