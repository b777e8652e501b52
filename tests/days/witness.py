"""A witness who reads what is on the disk, and changes nothing: the history of exams, with who and when."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Deed:
    """One row of an exam's history. who: the account or the door; where: the post or the origin."""

    event: str
    became: str
    who: str
    where: str


@dataclass(slots=True)
class Sight:
    """What happened to exams while somebody looked; told when the block ends."""

    deeds: dict[int, list[Deed]] = field(default_factory=dict)

    def of(self, step: int) -> list[Deed]:
        return self.deeds.get(step, [])


class Witness:
    """The index of one building, opened read-only for each question."""

    def __init__(self, data: Path) -> None:
        self._index = data / "index.sqlite"

    def rows(self, sql: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self._index}?mode=ro", uri=True)) as index:
            return index.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Any:
        """The only value of the only row."""
        ((value,),) = self.rows(sql, *values)
        return value

    def step(self, accession: str) -> int:
        return int(
            self.one(
                "SELECT s.id FROM step s JOIN requested_procedure p ON p.id = s.procedure_id "
                "JOIN imaging_service_request r ON r.id = p.request_id WHERE r.accession_number = ?",
                accession,
            )
        )

    @contextmanager
    def sees(self) -> Iterator[Sight]:
        """What happens to exams inside the block. Fails when a row says that it was at another time."""
        sight, began, last = Sight(), _now(), self.one("SELECT COALESCE(MAX(id), 0) FROM step_history")
        yield sight
        ended = _now()
        told = "SELECT step_id, event, became, actor, post, origin, at FROM step_history WHERE id > ? ORDER BY id"
        for step, event, became, who, post, origin, at in self.rows(told, last):
            assert began <= datetime.fromisoformat(at) <= ended, (event, at)
            sight.deeds.setdefault(step, []).append(Deed(event, became, who, post or origin))

    def authors(self, action: str) -> set[str]:
        """Who did an action, by the audit."""
        return {who for (who,) in self.rows("SELECT actor FROM audit WHERE action = ?", action)}


def _now() -> datetime:
    """As the box writes it: in whole milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
