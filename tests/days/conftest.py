"""Who is there on a day: the browsers of the hospital. Sites, machines and posts are opened by each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from install.demo.accounts import PASSWORD

SCREEN = {"width": 1024, "height": 768}
Seat = Callable[[str, str], Page]


@pytest.fixture
def seat(chromium: Browser) -> Iterator[Seat]:
    """`seat(kiosk, login)`: somebody sits down at a browser of their own and logs in."""
    opened: list[BrowserContext] = []

    def sit(kiosk: str, login: str) -> Page:
        opened.append(chromium.new_context(viewport=SCREEN, base_url=kiosk, locale="fr-FR"))  # type: ignore[arg-type]
        page = opened[-1].new_page()
        page.goto("/connexion")
        page.fill("[name=nom]", login)
        page.fill("[name=secret]", PASSWORD)
        page.click("text=Entrer")
        return page

    yield sit
    for context in opened:
        context.close()
