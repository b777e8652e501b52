"""Column types: moments and days as sortable text, flags and lists as canonical JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from peewee import TextField

from core.clock import moment, stamp


class MomentField(TextField):
    """A moment in UTC, stored as `core.clock.stamp` so that text order is time order."""

    def db_value(self, value: datetime | str | None) -> str | None:
        return stamp(value) if isinstance(value, datetime) else value

    def python_value(self, value: str | None) -> datetime | None:
        return moment(value) if value else None


class DayField(TextField):
    """A day, `YYYY-MM-DD`."""

    def db_value(self, value: date | str | None) -> str | None:
        return value.isoformat() if isinstance(value, date) else value

    def python_value(self, value: str | None) -> date | None:
        return date.fromisoformat(value) if value else None


class ListField(TextField):
    """A tuple of JSON values, `[]` when empty; sorted or ordered by whoever writes it."""

    def db_value(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(list(value or ()), ensure_ascii=False)

    def python_value(self, value: str | None) -> tuple[Any, ...]:
        return tuple(json.loads(value)) if value else ()
