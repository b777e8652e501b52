"""Which morning the demo lives: a day begins once, however often the demo is started on its folder.

Every message of a morning is made of its beginning, so that a second start says the very same ones: a box that already
has them answers and does nothing, one that was cut half way gets the rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Morning:
    """began: to the second. is_new: no start before this one."""

    began: datetime
    is_new: bool


def morning_of(data: Path, now: datetime) -> Morning:
    """The morning of today in this folder; written down when it begins."""
    path = data / "demo.json"
    try:
        began = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["began"])
    except (OSError, ValueError, KeyError, TypeError):
        began = None
    if began is not None and began.date() == now.date():
        return Morning(began, False)
    began = now.replace(microsecond=0)
    path.write_text(json.dumps({"began": began.isoformat()}), encoding="utf-8")
    return Morning(began, True)
