"""People at a browser that runs no JavaScript: they read pages, follow links and press buttons."""

from __future__ import annotations

import gzip

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.kiosk.paper_page import Page, read


class Person:
    """One browser. `page` is what it shows now."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = read(0, "", "", {})

    def see(self, path: str) -> Page:
        return self._show(self.client.get(path))

    def click(self, words: str) -> Page:
        found = [href for text, href in self.page.links.items() if words in text]
        assert found, f"no link « {words} » on {self.page.path}: {list(self.page.links)}"
        return self.see(found[0])

    def press(self, button: str, **typed: str) -> Page:
        """Fill in the form of this button and press it."""
        form = self.page.form_with(button)
        name, value = form.buttons[button]
        fields = form.fields | typed | ({name: value} if name else {})
        if form.method == "get":
            return self._show(self.client.get(form.action, query_string=fields))
        return self._show(self.client.post(form.action, data=fields))

    def log_in(self, login: str, secret: str) -> Page:
        self.see("/connexion")
        return self.press("Entrer", nom=login, secret=secret)

    def _show(self, response: TestResponse) -> Page:
        while response.status_code == 303:
            response = self.client.get(response.headers["Location"])
        html = text_of(response) if response.mimetype == "text/html" else ""
        self.page = read(response.status_code, response.request.path, html, dict(response.headers))
        return self.page


def text_of(response: TestResponse) -> str:
    data = response.get_data()
    return (gzip.decompress(data) if response.headers.get("Content-Encoding") == "gzip" else data).decode()
