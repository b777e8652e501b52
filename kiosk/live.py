"""Lists that refresh by themselves: an ETag that is the id of the last event they know.

A poll whose topics have no newer event is answered 304 without reading the list. The tag also covers the person, the
filters and the day, so a changed question is never answered « unchanged ». It names the exams in a room, because
images are told to those who watch their exam and not to every list. The page keeps the tag itself (`2-live.js`);
nothing of the list is stored in the browser's cache.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Response, request

from core.model.worklist import ExamLine, WorklistStatus
from kiosk.surroundings import actor, services

POLL_MS, JITTER_MS = 5000, 1000
MOST_MOVING = 40  # exams in rooms that a tag names
_TAG = re.compile(r'W/"(\d{1,18})-([0-9a-f]{16})-((?:\d{1,12}\.)*)"')


@dataclass(frozen=True, slots=True)
class Live:
    """A list at one moment: made *before* reading it, so that what happens meanwhile is in the next answer."""

    topics: tuple[str, ...]
    question: str
    last_event: int

    def is_unchanged(self) -> bool:
        """The page already has this list, and nothing has happened to it since."""
        known = _TAG.fullmatch(request.headers.get("If-None-Match", ""))
        if known is None or known[2] != self.question:
            return False
        return int(known[1]) == services().events.newest(self._with(known[3].split(".")[:MOST_MOVING]))

    def etag(self, lines: Iterable[ExamLine] = ()) -> str:
        """The tag of the list as it was read."""
        moving = [str(line.step_id) for line in lines if line.status is WorklistStatus.IN_ROOM][:MOST_MOVING]
        newest = min(services().events.newest(self._with(moving)), self.last_event)
        return f'W/"{newest}-{self.question}-{"".join(f"{step}." for step in moving)}"'

    def _with(self, steps: Iterable[str]) -> list[str]:
        return [*self.topics, *(f"step:{step}" for step in steps if step)]


def watch(topics: Sequence[str], *about: object) -> Live:
    """The list about these things, now."""
    person = actor()
    question = (person.name, person.ward, sorted(person.roles), services().today(), *topics, *about)
    digest = hashlib.sha256("\x1f".join(map(str, question)).encode()).hexdigest()[:16]
    return Live(tuple(topics), digest, services().events.last_id())


def unchanged() -> Response:
    """304 with the tag that was asked about, and no body."""
    return tagged(Response(status=304), request.headers["If-None-Match"])


def tagged(response: Response, etag: str) -> Response:
    response.headers["ETag"] = etag
    response.vary.add("HX-Request")
    return response


def rhythm() -> str:
    """A htmx trigger: every five seconds, a little more or less for each page, so that posts do not march in step."""
    return f"every {POLL_MS + random.randint(-JITTER_MS, JITTER_MS)}ms, revenir"
