"""The counts of `yelen status` are true, and cost the same after a day and after ten years."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from core.index.tables import Inbox, Outbox, PrintJob, StateCount, Table
from core.index.writer import Unit
from core.services import Services
from tests.people.hospital import hospital

STATES = ("received", "applied", "stale", "refused", "error", "quarantined")


def message(unit: Unit, state: str, key: int | None = None) -> None:
    Inbox.insert(id=key, message=b"MSH|", sha256="", state=state, received_at=unit.now).on_conflict_replace().execute()


def counted(table: type[Table]) -> dict[str, int]:
    """Row by row, as the test's own truth."""
    found: dict[str, int] = {}
    for (state,) in table.select(table.state).tuples():  # type: ignore[attr-defined]
        found[state] = found.get(state, 0) + 1
    return found


def kept(table: type[Table]) -> dict[str, int]:
    rows = StateCount.select().where(StateCount.tbl == table._meta.table_name, StateCount.n > 0)
    return {r.state: r.n for r in rows}


@pytest.mark.parametrize("seed", range(5))
def test_the_kept_counts_are_those_of_the_rows_whatever_happens_to_them(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with hospital(tmp_path) as services:

        def act(unit: Unit) -> None:
            for n in range(1, 60):
                match chance.randrange(5):
                    case 0 | 1:
                        message(unit, chance.choice(STATES))
                    case 2:
                        message(unit, chance.choice(STATES), chance.randrange(1, n + 1))
                    case 3:
                        some = Inbox.id % chance.randrange(2, 5) == 0
                        Inbox.update(state=chance.choice(STATES)).where(some).execute()
                    case 4:
                        Inbox.delete().where(Inbox.id == chance.randrange(1, n + 1)).execute()

        services.kit.index.writer.do(act)
        assert counted(Inbox) != {}
        assert kept(Inbox) == counted(Inbox)


def test_what_was_not_committed_is_not_counted(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:

        def act(unit: Unit) -> None:
            message(unit, "applied")
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - ours
            services.kit.index.writer.do(act)
        assert services.status()["hl7"]["received"] == 0


def test_status_walks_no_queue(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.kit.index.writer.do(lambda unit: [message(unit, s) for s in STATES])
        asked = statements_of(services)
        told = services.status()
        assert told["hl7"] == {"received": 6, "applied": 2, "quarantined": 1, "refused": 2, "dead": 0}
        assert asked, "nothing was traced"
        for table in (Inbox, Outbox, PrintJob):
            assert not [s for s in asked if f'"{table._meta.table_name}"' in s]


def statements_of(services: Services) -> list[str]:
    asked: list[str] = []
    services.kit.index.db.connection().set_trace_callback(asked.append)
    return asked


def test_an_index_made_without_the_counts_gets_them_at_its_next_start(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.kit.index.writer.do(lambda unit: [message(unit, s) for s in STATES])
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute("DROP TRIGGER states_inbox_insert")
        index.execute("DELETE FROM state_count")
    index.close()
    with hospital(tmp_path) as services:
        assert services.status()["hl7"]["received"] == 6
        assert kept(Inbox) == counted(Inbox)
