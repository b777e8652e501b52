"""What a page finds around it: the services, the person, and the kiosk's own small memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app, g

from core.model.people import Actor
from core.services import Services
from kiosk.assets import Asset
from kiosk.csp_reports import CspReports
from kiosk.limits import LoginLimits
from kiosk.memo import Memo
from kiosk.once import Once
from kiosk.recent import Recent

EXTENSION = "yelen"


@dataclass(frozen=True, slots=True)
class Kiosk:
    """One application's parts. Everything but `services` may be lost at a restart without harm."""

    services: Services
    assets: Mapping[str, Asset]
    logins: LoginLimits
    once: Once
    touched: Recent
    viewed: Recent
    status: Memo[dict[str, Any]]
    csp: CspReports


def kiosk() -> Kiosk:
    return cast(Kiosk, current_app.extensions[EXTENSION])


def services() -> Services:
    return kiosk().services


def actor() -> Actor:
    """The person of this request; pages behind the login always have one."""
    return cast(Actor, g.actor)
