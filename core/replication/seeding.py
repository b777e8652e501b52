"""Everything again, for a copy that is empty: the image of every replicated row is journalled anew, in slices.

Slices are acts of their own, so that nobody waits for millions of rows. What happens in between is journalled too, and
the newest image of a row wins at the other end. A seeding that a stop interrupted begins again; rows come twice then,
and are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.index.journal import LANES, newest, note
from core.index.tables import REPLICATED, Node, Original, ReplicaState, Table
from core.index.triggers import SCHEMA_VERSION, file_entry, lane_of, quoted, row_image
from core.index.writer import Unit, Writer

MARK = "seeding"
SLICE = 5_000


def is_unfinished() -> bool:
    return ReplicaState.get_or_none(ReplicaState.lane == MARK) is not None


def seed(writer: Writer, may_go_on: Callable[[], bool]) -> None:
    """Journal every row; returns early, unfinished, when told to stop."""
    writer.replay(_begin)
    for table in REPLICATED:
        last: Any = None
        while True:
            if not may_go_on():
                return
            last = writer.replay(lambda unit, t=table, after=last: _slice(unit, t, after))  # type: ignore[misc]
            if last is None:
                break
    writer.replay(_end)


def _begin(unit: Unit) -> None:
    """Nothing has been forgotten any more: what follows is whole."""
    ReplicaState.delete().where(ReplicaState.lane.in_([f"pruned {lane}" for lane in LANES])).execute()
    note(unit, MARK, Node.get().epoch, 0)


def _end(unit: Unit) -> None:
    """Originals wait until the new copy has what took their place, whatever an older one had acknowledged."""
    Original.update(after_seq=newest()).where(Original.removed_at.is_null()).execute()
    ReplicaState.delete().where(ReplicaState.lane == MARK).execute()


def _slice(unit: Unit, table: type[Table], after: Any) -> Any:
    """Journal the next rows by key; the last key, or None when there were none."""
    name, key = quoted(table._meta.table_name), quoted(table._meta.primary_key.column_name)  # type: ignore[union-attr]
    where = "" if after is None else f"WHERE t.{key} > ?"
    values = () if after is None else (after,)
    page = f"FROM {name} t {where} ORDER BY t.{key} LIMIT {SLICE}"
    last = unit.sql(f"SELECT MAX(k) FROM (SELECT t.{key} AS k {page})", values).fetchone()[0]
    unit.sql(
        "INSERT INTO journal (epoch, lane, tbl, op, schema_version, row, path, size, sha256) "
        f"SELECT (SELECT epoch FROM node LIMIT 1), {lane_of(table, 't')}, '{table._meta.table_name}', 'put', "
        f"{SCHEMA_VERSION}, {row_image(table, 't')}, {file_entry(table, 't')} {page}",
        values,
    )
    return last
