"""How many rows of a queue are in each state, kept by triggers: a year of messages is not walked for a status line."""

from __future__ import annotations

from collections.abc import Iterator

from core.index.tables import Inbox, Outbox, PrintJob, StateCount, Table, TransferRow

COUNTED: tuple[type[Table], ...] = (Inbox, Outbox, PrintJob, TransferRow)


def by_state(table: type[Table]) -> dict[str, int]:
    """The counts of one of `COUNTED`, by state."""
    rows = StateCount.select().where(StateCount.tbl == table._meta.table_name, StateCount.n > 0)
    return {row.state: row.n for row in rows}


def triggers() -> Iterator[str]:
    """Every building counts its own rows, the copy as well."""
    for table in COUNTED:
        name = table._meta.table_name
        yield _trigger(f"states_{name}_insert", f"AFTER INSERT ON {name}", _more(name))
        yield _trigger(f"states_{name}_update", f"AFTER UPDATE OF state ON {name}", _less(name) + _more(name))
        yield _trigger(f"states_{name}_delete", f"AFTER DELETE ON {name}", _less(name))


def recount() -> Iterator[str]:
    """What a file needs once, when it gets these triggers."""
    yield "DELETE FROM state_count"
    for table in COUNTED:
        name = table._meta.table_name
        yield f"INSERT INTO state_count (tbl, state, n) SELECT '{name}', state, COUNT(*) FROM {name} GROUP BY state"


def _trigger(name: str, when: str, what: str) -> str:
    return f"CREATE TRIGGER {name} {when} BEGIN {what} END"


def _more(name: str) -> str:
    # Not an upsert: the conflict clause of the outer statement would replace its own.
    here = f"tbl = '{name}' AND state = NEW.state"
    return (
        f"INSERT INTO state_count (tbl, state, n) SELECT '{name}', NEW.state, 0 "
        f"WHERE NOT EXISTS (SELECT 1 FROM state_count WHERE {here}); "
        f"UPDATE state_count SET n = n + 1 WHERE {here}; "
    )


def _less(name: str) -> str:
    return f"UPDATE state_count SET n = n - 1 WHERE tbl = '{name}' AND state = OLD.state; "
