"""The journal's old end: what nobody needs any more is forgotten, and how far that has gone is remembered.

The newest rows always stay, so that numbers never start again and a proof of equality can tell late from lost.
"""

from __future__ import annotations

from core.index.tables import Journal, ReplicaState, database
from core.index.writer import Unit

LANES = ("small", "bulk")
KEPT = 50_000  # rows, about 50 MB


def newest() -> int:
    """The number of the last journalled row; 0 when there is none."""
    found = database.execute_sql("SELECT MAX(seq) FROM journal").fetchone()[0]
    return int(found or 0)


def forgotten(lane: str) -> int:
    """Up to which row the journal of a lane has been forgotten."""
    row = ReplicaState.get_or_none(ReplicaState.lane == f"pruned {lane}")
    return row.seq if row else 0


def forget(unit: Unit, done: dict[str, int], epoch: int, kept: int = KEPT) -> None:
    """Inside an act: drop the rows of each lane up to `done`, but none of the `kept` newest (at least one)."""
    limit = newest() - max(kept, 1)
    for lane in LANES:
        gone = min(done.get(lane, 0), limit)
        if gone > 0 and Journal.delete().where(Journal.lane == lane, Journal.seq <= gone).execute():
            note(unit, f"pruned {lane}", epoch, gone)


def note(unit: Unit, lane: str, epoch: int, seq: int) -> None:
    ReplicaState.insert(lane=lane, epoch=epoch, seq=seq, at=unit.now).on_conflict_replace().execute()
