"""What the second building still lacks: the next rows of a lane as a segment, and the files they name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.errors import Conflict
from core.i18n import _
from core.index.journal import forgotten
from core.index.tables import database
from core.replication.segment import FORMAT, Entry, Header
from core.replication.spelling import TABLES

ROWS = 2_000
FILE_BYTES = {"small": 64 << 20, "bulk": 128 << 20}  # in one round, unless one file alone is bigger
ROW_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Load:
    """A segment to send and its files, paths relative to the data folder. full: more rows wait behind it."""

    header: Header
    entries: tuple[Entry, ...]
    files: tuple[str, ...]
    full: bool


@dataclass(frozen=True, slots=True)
class Lag:
    """What a lane still owes. oldest: stamp of the act behind its oldest row, "" when there is none."""

    entries: int
    oldest: str


def next_load(data: Path, site: str, epoch: int, lane: str, after: int) -> Load | None:
    """The rows of a lane after `after`, as many as one round takes; None when there is nothing.

    Raises `Conflict` when a file that must go is not here.
    """
    rows = database.execute_sql(
        "SELECT seq, tbl, op, schema_version, row, path, size, sha256 FROM journal "
        "WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
        (lane, after, ROWS),
    ).fetchall()
    entries: list[Entry] = []
    files: dict[str, None] = {}
    last = after
    full = len(rows) == ROWS
    total = weight = 0
    for seq, tbl, op, schema, row, path, size, sha256 in rows:
        weight += len(row)
        total += size or 0
        if last > after and (total > FILE_BYTES[lane] or weight > ROW_BYTES):
            full = True
            break
        last = seq
        if path is not None and op == "put":
            if not (data / path).exists() and _is_superseded(seq, tbl, row):
                continue  # a newer image of the row follows, with the file that took its place
            files[path] = None
        entries.append(Entry(seq, tbl, op, schema, msgspec.Raw(row.encode()), path, size, sha256))
    if last == after:
        return None
    _check_files(data, files)
    needs = 0 if lane == "small" else _newest_small_before(last)
    return Load(Header(FORMAT, site, epoch, lane, after, last, needs), tuple(entries), tuple(files), full)


def _is_superseded(seq: int, tbl: str, row: str) -> bool:
    key = TABLES[tbl].key
    found = database.execute_sql(
        "SELECT 1 FROM journal WHERE seq > ? AND tbl = ? AND json_extract(row, ?) = json_extract(?, ?) LIMIT 1",
        (seq, tbl, f"$.{key}", row, f"$.{key}"),
    ).fetchone()
    return found is not None


def _check_files(data: Path, files: dict[str, None]) -> None:
    for path in files:
        if not (data / path).exists():
            raise Conflict(_("Un fichier à copier manque ici : %s") % path)


def _newest_small_before(seq: int) -> int:
    """The `small` row that stands before a `bulk` row: its study and series are no later than that."""
    found = database.execute_sql("SELECT MAX(seq) FROM journal WHERE lane = 'small' AND seq < ?", (seq,)).fetchone()[0]
    return int(found or forgotten("small"))


def lag(lane: str, after: int) -> Lag:
    entries, first = database.execute_sql(
        "SELECT COUNT(*), MIN(seq) FROM journal WHERE lane = ? AND seq > ?", (lane, after)
    ).fetchone()
    if not entries:
        return Lag(0, "")
    # Every act has its audit row, written with it: the first one from there on tells when it was.
    found = database.execute_sql(
        "SELECT json_extract(row, '$.at') FROM journal WHERE seq >= ? AND tbl = 'audit' ORDER BY seq LIMIT 1", (first,)
    ).fetchone()
    return Lag(int(entries), str(found[0]) if found else "")


def files_behind(lane: str, after: int) -> tuple[int, int]:
    """How many files a lane still owes, and their bytes. Reads every row behind: not to be asked at every look."""
    count, size = database.execute_sql(
        "SELECT COUNT(path), COALESCE(SUM(size), 0) FROM journal WHERE lane = ? AND seq > ? AND op = 'put'",
        (lane, after),
    ).fetchone()
    return int(count), int(size)
