"""A browser without JavaScript, just enough to fill in the kiosk's forms as a person would."""

from __future__ import annotations

import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar, DefaultCookiePolicy


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes and what is already in it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(said.get("action", ""), said.get("method", "get").lower()))
        elif self.forms and tag == "input" and said.get("type", "text") in ("hidden", "text", "password"):
            if said.get("name"):
                self.forms[-1].fields[said["name"]] = said.get("value", "")
        elif self.forms and tag == "textarea" and said.get("name"):
            self._textarea = said["name"]
            self.forms[-1].fields[self._textarea] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None and self.forms:
            self.forms[-1].fields[self._textarea] += data.lstrip("\n")


class Browser:
    """Cookies and the last page."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.page = ""
        self.url = base
        # As browsers do for this machine's own address: `Secure` cookies travel on loopback without TLS.
        cookies = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "http")))
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))

    def get(self, path: str) -> str:
        return self._read(urllib.request.Request(urllib.parse.urljoin(self.base, path)))

    def submit(self, action: str, **typed: str) -> str:
        """Fill in the form of the last page that posts to `action`, and send it."""
        parser = _Forms()
        parser.feed(self.page)
        form = next((f for f in parser.forms if f.method == "post" and f.action.endswith(action)), None)
        if form is None:
            raise LookupError(f"no form {action} on {self.url}")
        body = urllib.parse.urlencode(form.fields | typed).encode()
        request = urllib.request.Request(urllib.parse.urljoin(self.url, form.action), body, method="POST")
        request.add_header("Origin", self.base.rstrip("/"))
        request.add_header("Sec-Fetch-Site", "same-origin")
        return self._read(request)

    def _read(self, request: urllib.request.Request) -> str:
        with self._opener.open(request, timeout=20) as answer:
            self.url = answer.geturl()
            self.page = answer.read().decode("utf-8", "replace")
        return self.page
