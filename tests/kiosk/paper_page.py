"""A page as a browser without JavaScript sees it: its words, its links, its forms and their buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"input", "img", "meta", "link", "br", "hr", "col"})


@dataclass
class Form:
    """A form: where it goes, what it carries, and its buttons by their words."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Page:
    """One answer of the kiosk."""

    status: int
    path: str
    html: str
    headers: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    words: str = ""

    def __contains__(self, words: str) -> bool:
        return words in self.words

    def before(self, first: str, second: str) -> bool:
        """Whether both are on the page, the first one above."""
        return -1 < self.words.find(first) < self.words.find(second)

    def form_with(self, button: str) -> Form:
        found = [form for form in self.forms if button in form.buttons]
        assert found, f"no button « {button} » on {self.path}; there are {[list(f.buttons) for f in self.forms]}"
        return found[0]


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.text: list[str] = []
        self.form: Form | None = None
        self.link = self.select = self.area = ""
        self.button: tuple[str, str] | None = None
        self.since = 0
        self.silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        a = {name: value or "" for name, value in attributes}
        if tag in ("script", "style", "noscript", "title"):
            self.silent += 1
        if tag in ("p", "td", "li", "h1", "h2", "dt", "dd", "label", "option", "tr", "small"):
            self.text.append(" ")
        if tag == "a":
            self.link, self.since = a.get("href", ""), len(self.text)
        if tag == "img":
            self.page.images.append(a["src"])
        if tag == "form":
            self.form = Form(a.get("action") or self.page.path, a.get("method", "get").lower())
            self.page.forms.append(self.form)
        if self.form is not None:
            self._field(tag, a)

    def _field(self, tag: str, a: dict[str, str]) -> None:
        assert self.form is not None
        if tag == "input" and a.get("type") not in ("radio", "checkbox"):
            self.form.fields[a["name"]] = a.get("value", "")
        elif tag == "input" and "checked" in a:
            self.form.fields[a["name"]] = a.get("value", "on")
        elif tag == "textarea":
            self.area, self.since = a["name"], len(self.text)
        elif tag == "select":
            self.select = a["name"]
        elif tag == "option" and self.select:
            self.since = len(self.text)
            if "value" in a:
                self.form.fields.setdefault(self.select, a["value"])
        elif tag == "button":
            self.button, self.since = (a.get("name", ""), a.get("value", "")), len(self.text)

    def handle_endtag(self, tag: str) -> None:
        said = "".join(self.text[self.since :])
        if tag in ("script", "style", "noscript", "title"):
            self.silent -= 1
        elif tag == "a" and self.link:
            self.page.links.setdefault(" ".join(said.split()), self.link)
            self.link = ""
        elif tag == "textarea" and self.form is not None:
            self.form.fields[self.area] = said.removeprefix("\n")
        elif tag == "option" and self.form is not None:
            self.form.fields.setdefault(self.select, said.strip())
        elif tag == "button" and self.form is not None and self.button is not None:
            self.form.buttons[" ".join(said.split())] = self.button
        elif tag == "form":
            self.form = None

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.text.append(data)


def read(status: int, path: str, html: str, headers: dict[str, str]) -> Page:
    page = Page(status, path, html, headers)
    reader = _Reader(page)
    reader.feed(html)
    page.words = " ".join("".join(reader.text).split())
    return page
