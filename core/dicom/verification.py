"""Verification: C-ECHO. Source: PS3.4 annex A."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from core.dicom.dimse import Reply
from core.dicom.handlers import Request
from core.dicom.status import SUCCESS


class Seen(Protocol):
    """A machine gave a sign of life."""

    def seen(self, ae_title: str, what: str) -> None: ...


class Verification:
    """Alive; and the registry learns that the machine knows the way to us."""

    def __init__(self, devices: Seen) -> None:
        self._devices = devices

    def echo(self, request: Request) -> Iterator[Reply]:
        self._devices.seen(request.caller.ae_title, "call")
        yield Reply(SUCCESS)
