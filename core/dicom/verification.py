"""Verification: C-ECHO. Source: PS3.4 annex A."""

from __future__ import annotations

from collections.abc import Iterator

from core.dicom.dimse import Reply
from core.dicom.handlers import Request
from core.dicom.status import SUCCESS


def echo(request: Request) -> Iterator[Reply]:
    """Alive."""
    yield Reply(SUCCESS)
