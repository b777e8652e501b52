# ruff: noqa: F811 - pytest fixtures are asked for by name
"""The kiosk on a real port and Debian's Chromium before it, as on the old computers of the wards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from core.services import Services
from kiosk.serve import KioskServer
from tests.kiosk.conftest import account, clock, exams, services, worker  # noqa: F401
from tests.people.hospital import PASSWORD

SCREEN = {"width": 1024, "height": 768}
WATCH = """addEventListener('securitypolicyviolation',
  (e) => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"""


@pytest.fixture
def kiosk(services: Services) -> Iterator[KioskServer]:
    server = KioskServer(services, port=0).start()
    yield server
    server.stop()


@pytest.fixture
def complaints() -> list[str]:
    """What the consoles of the browsers said in red, policy violations among it."""
    return []


@pytest.fixture
def seat(
    chromium: Browser, kiosk: KioskServer, services: Services, complaints: list[str]
) -> Iterator[Callable[..., Page]]:
    """Somebody sits down at a browser of their own and logs in."""
    contexts = []

    def sit(login: str, scripts: bool = True) -> Page:
        account(services, login)
        context = chromium.new_context(viewport=SCREEN, java_script_enabled=scripts, base_url=kiosk.url, locale="fr-FR")  # type: ignore[arg-type]
        context.add_init_script(WATCH)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto("/connexion")
        page.fill("[name=nom]", login)
        page.fill("[name=secret]", PASSWORD)
        page.click("text=Entrer")
        page.wait_for_url(lambda url: "/connexion" not in url)
        return page

    yield sit
    for context in contexts:
        context.close()
