"""Report templates of the department, chosen by exam code, then by modality. The texts: `report_templates.toml`.

They are the hospital's words, in the language of its reports whatever the language of the screens.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from core.i18n import _
from core.model.report import ReportText

_TEXTS = Path(__file__).with_name("report_templates.toml")


def templates_for(exam_code: str, modality: str = "") -> list[tuple[str, ReportText]]:
    """(name, text), the best fitting first, an empty page last."""
    code, kind = exam_code.upper(), modality.upper()
    fitting = [(name, text) for prefix, name, text in _all() if code.startswith(prefix)]
    by_kind = [(name, text) for prefix, name, text in _all() if prefix == kind]
    return [*dict((*fitting, *by_kind)).items(), (_("Page blanche"), ReportText())]


@cache
def _all() -> tuple[tuple[str, str, ReportText], ...]:
    """(code, name, text) of every template."""
    told = tomllib.loads(_TEXTS.read_text("utf-8"))
    return tuple((each.pop("code"), each.pop("name"), ReportText(**each)) for each in told["template"])
