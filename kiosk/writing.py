"""The text of a report between the form and the services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.model.report import SECTIONS, ReportDesk, ReportText, section_title
from core.model.worklist import ExamLine


def text_of(form: Mapping[str, str]) -> ReportText:
    """What was typed; line breaks of forms (CR LF) become single ones."""
    return ReportText(**{name: form.get(name, "").replace("\r\n", "\n").rstrip() for name in SECTIONS})


def begun(desk: ReportDesk, line: ExamLine) -> ReportText:
    """The draft; before the first one, the indication as it was asked."""
    return desk.draft if desk.draft_saved_at else replace(desk.draft, indication=line.indication)


def completed(typed: ReportText, template: ReportText) -> ReportText:
    """The template fills empty sections only: nothing that was typed is ever replaced."""
    empty = {name: getattr(template, name) for name in SECTIONS if not getattr(typed, name).strip()}
    return replace(typed, **empty)


def titled(text: ReportText) -> list[tuple[str, str, str]]:
    """(section, French title, words) of every section, empty ones too: the rows of the form."""
    return [(name, section_title(name), getattr(text, name)) for name in SECTIONS]


def rows_for(words: str, least: int) -> int:
    """Lines of a text box that shows these words without scrolling, at most 14."""
    return min(14, max(least, sum(1 + len(line) // 52 for line in words.split("\n"))))
