"""What the second building still lacks: the next rows of a lane, as a segment, and the files they name."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from core.index.tables import REPLICATED, Journal, Node, ReplicaState, database
from core.index.triggers import quoted, row_image
from core.index.writer import Unit
from core.replication.segment import FORMAT, LANES, Entry, Header

ROWS = 2_000
BYTES = {"small": 64 << 20, "bulk": 128 << 20}  # of files, in one round


@dataclass(frozen=True, slots=True)
class Load:
    """A segment to send and its files, paths relative to the data folder."""

    header: Header
    entries: tuple[Entry, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lag:
    """What a lane still owes. oldest: stamp of the act behind its oldest row, "" when there is none."""

    entries: int
    file_bytes: int
    oldest: str


def next_load(lane: str, after: int, epoch: int) -> Load | None:
    """The rows of a lane after `after`, as many as one round takes; None when there is nothing."""
    rows = database.execute_sql(
        "SELECT seq, tbl, op, schema_version, row, path, size, sha256 FROM journal "
        "WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
        (lane, after, ROWS),
    ).fetchall()
    entries: list[Entry] = []
    files: dict[str, None] = {}
    total = weight = 0
    for seq, tbl, op, schema, row, path, size, sha256 in rows:
        weight += len(row)
        total += size or 0
        if entries and (total > BYTES[lane] or weight > 16 << 20):
            break
        entries.append(Entry(seq, tbl, op, schema, msgspec.Raw(row.encode()), path, size, sha256))
        if path is not None and op == "put":
            files[path] = None
    if not entries:
        return None
    first, last = entries[0].seq, entries[-1].seq
    needs = after if lane == "small" else _newest_small_before(last)
    return Load(Header(FORMAT, epoch, lane, after, first, last, needs), tuple(entries), tuple(files))


def _newest_small_before(seq: int) -> int:
    """The `small` row that stands before a `bulk` row: its study and series are no later than that."""
    found = database.execute_sql("SELECT MAX(seq) FROM journal WHERE lane = 'small' AND seq < ?", (seq,)).fetchone()[0]
    pruned = ReplicaState.get_or_none(ReplicaState.lane == "pruned small")
    return int(found or (pruned.seq if pruned else 0))


def lag(lane: str, after: int) -> Lag:
    entries, file_bytes, first = database.execute_sql(
        "SELECT COUNT(*), COALESCE(SUM(size), 0), MIN(seq) FROM journal WHERE lane = ? AND seq > ?", (lane, after)
    ).fetchone()
    if not entries:
        return Lag(0, 0, "")
    # Every act has its audit row, written with it: the first one from there on tells when it was.
    found = database.execute_sql(
        "SELECT json_extract(row, '$.at') FROM journal WHERE seq >= ? AND tbl = 'audit' ORDER BY seq LIMIT 1", (first,)
    ).fetchone()
    return Lag(int(entries), int(file_bytes), str(found[0]) if found else "")


def acknowledged(unit: Unit, epoch: int, applied: dict[str, int]) -> None:
    """Inside an act: what the second building has made durable need not be kept here. The newest row stays."""
    newest = Journal.select(Journal.seq).order_by(Journal.seq.desc()).limit(1).scalar() or 0
    for lane in LANES:
        seq = applied.get(lane, 0)
        _note(lane, epoch, seq, unit)
        gone = min(seq, newest - 1)
        if Journal.delete().where(Journal.lane == lane, Journal.seq <= gone).execute():
            _note(f"pruned {lane}", epoch, gone, unit)


def _note(lane: str, epoch: int, seq: int, unit: Unit) -> None:
    ReplicaState.insert(lane=lane, epoch=epoch, seq=seq, at=unit.now).on_conflict_replace().execute()


def pruned(lane: str) -> int:
    """Up to which row the journal of a lane has been forgotten."""
    row = ReplicaState.get_or_none(ReplicaState.lane == f"pruned {lane}")
    return row.seq if row else 0


def write_everything_again(unit: Unit) -> None:
    """Inside an act: journal the image of every replicated row anew, parents first, for an empty second building."""
    epoch = Node.get().epoch
    newest = Journal.select(Journal.seq).order_by(Journal.seq.desc()).limit(1).scalar() or 0
    Journal.delete().where(Journal.seq < newest).execute()  # the newest stays: numbers never start again
    for table in REPLICATED:
        name = table._meta.table_name
        lane = "t.lane" if name == "instance" else "'small'"
        names = {f.column_name for f in table._meta.sorted_fields}
        file = "t.path, t.size, t.sha256" if {"path", "size", "sha256"} <= names else "NULL, NULL, NULL"
        unit.sql(
            "INSERT INTO journal (epoch, lane, tbl, op, schema_version, row, path, size, sha256) "
            f"SELECT {int(epoch)}, {lane}, '{name}', 'put', 1, {row_image(table, 't')}, {file} FROM {quoted(name)} t"
        )
