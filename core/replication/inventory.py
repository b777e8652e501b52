"""What a building holds, thing by thing: every replicated row and every file that a row names, each with its hash.

Made read-only from the database and the files of a data folder, by plain SQLite: the proof trusts no running code.
The rows are those of one moment; files never change, so they are read afterwards, without holding the database.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from core.errors import Unreachable
from core.i18n import _
from core.index.journal import LANES
from core.index.tables import REPLICATED, Table
from core.index.triggers import quoted, row_image
from core.replication.files import measure

log = logging.getLogger(__name__)
REQUEST = re.compile(r"inventory-([0-9a-f]{16})\.request")
KEPT = 2  # inventories on the second building's disk
PAGE = 500
NAMING_FILES = tuple(t for t in REPLICATED if {"path", "size", "sha256"} <= t._meta.fields.keys())
NUMBER = {table._meta.table_name: number for number, table in enumerate(REPLICATED)}


class Opening(msgspec.Struct, frozen=True):
    """First of all: how far each lane was, the last key of every table that names files, the last journalled row."""

    applied: dict[str, int]
    last: dict[str, int]
    newest: int = 0


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In place of an inventory: why there is none."""

    failed: str


class Thing(msgspec.Struct, frozen=True, array_like=True):
    """kind: `row` or `file`. key: the primary key of the row. fact: what both buildings must agree on.

    name: of a file, its path. fault: `absent` or `altered`, when the file is not what its own row says.
    """

    kind: str
    table: str
    key: int | str
    fact: str
    name: str = ""
    fault: str = ""

    @property
    def place(self) -> tuple[bool, int, int | str]:
        """Inventories are in the order of this."""
        return self.kind == "file", NUMBER.get(self.table, -1), self.key


def read_only(data: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA busy_timeout = 10000")
    return connection


def inventory(data: Path, last: dict[str, int] | None = None) -> Iterator[Opening | Thing]:
    """An `Opening`, then the things in order. last: do not look at files of later rows than these."""
    with closing(read_only(data)) as index:
        index.execute("BEGIN")
        opening = _opening(index)
        yield opening
        for table in REPLICATED:
            yield from _rows(index, table)
        index.execute("COMMIT")
        for table in NAMING_FILES:
            name = table._meta.table_name
            yield from _files(index, data, table, (last or opening.last).get(name, 0))


def _opening(index: sqlite3.Connection) -> Opening:
    applied = dict(index.execute("SELECT lane, seq FROM replica_state").fetchall())
    names = [t._meta.table_name for t in NAMING_FILES]
    last = {name: index.execute(f"SELECT COALESCE(MAX(id), 0) FROM {quoted(name)}").fetchone()[0] for name in names}
    newest = index.execute("SELECT COALESCE(MAX(seq), 0) FROM journal").fetchone()[0]
    return Opening({lane: applied.get(lane, 0) for lane in LANES}, last, newest)


def _rows(index: sqlite3.Connection, table: type[Table]) -> Iterator[Thing]:
    name, key = table._meta.table_name, quoted(table._meta.primary_key.column_name)  # type: ignore[union-attr]
    query = f"SELECT t.{key}, {row_image(table, 't')} FROM {quoted(name)} t ORDER BY t.{key}"
    for row_key, image in index.execute(query):
        yield Thing("row", name, row_key, hashlib.sha256(image.encode()).hexdigest()[:32])


def _files(index: sqlite3.Connection, data: Path, table: type[Table], last: int) -> Iterator[Thing]:
    name, after = table._meta.table_name, 0
    query = f"SELECT id, path, size, sha256 FROM {quoted(name)} WHERE id > ? AND id <= ? ORDER BY id LIMIT {PAGE}"
    while page := index.execute(query, (after, last)).fetchall():
        for row_id, path, size, sha256 in page:
            yield _file(name, row_id, path, measure(None, data / path), (size, sha256))
        after = page[-1][0]


def _file(table: str, key: int, path: str, measured: tuple[int, str] | None, promised: tuple[int, str]) -> Thing:
    if measured is None:
        return Thing("file", table, key, "", path, "absent")
    fault = "" if measured == promised else "altered"
    return Thing("file", table, key, f"{path} {measured[0]} {measured[1]}", path, fault)


# On the wire: one JSON value a line.


def write(things: Iterator[Opening | Thing | Failed], path: Path) -> None:
    with path.open("wb") as out:
        for thing in things:
            out.write(msgspec.json.encode(thing) + b"\n")


def read(path: Path) -> Iterator[Opening | Thing]:
    """Raises `msgspec.MsgspecError` for anything else than an inventory, `Unreachable` with the reason for none."""
    with path.open("rb") as lines:
        opening = next(lines, b"")
        if opening.startswith(b'{"failed"'):
            raise Unreachable(msgspec.json.decode(opening, type=Failed).failed)
        yield msgspec.json.decode(opening, type=Opening)
        for line in lines:
            yield msgspec.json.decode(line, type=Thing)


class Inventories:
    """At the second building: answers requests that lie in the inbox, in a thread of its own, one after the other.

    A request goes when it is answered, be it by a failure: nobody waits for what will not come.
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._thread: threading.Thread | None = None
        self._leaving = threading.Event()

    def answer(self) -> None:
        """Take up a request, unless one is being answered."""
        if self._thread is not None and self._thread.is_alive():
            return
        for request in (self._data / "inbox").iterdir():
            if found := REQUEST.fullmatch(request.name):
                self._thread = threading.Thread(
                    target=self._make, args=(found[1], request), name="inventory", daemon=True
                )
                self._thread.start()
                return

    def close(self) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()

    def _make(self, name: str, request: Path) -> None:
        folder = self._data / "replica"
        part = folder / f"inventory-{name}.part"
        try:
            self._write(part)
            if self._leaving.is_set():  # the next process takes the request up again
                return
            part.rename(folder / f"inventory-{name}.ndjson")
            request.unlink()
        except Exception:
            log.exception("inventory")
        finally:
            part.unlink(missing_ok=True)
        for old in sorted(folder.glob("inventory-*.ndjson"), key=lambda p: p.stat().st_mtime)[:-KEPT]:
            old.unlink()

    def _write(self, part: Path) -> None:
        try:
            write(self._until_leaving(inventory(self._data)), part)
        except Exception as fault:
            log.exception("inventory")
            sentence = _("Le second bâtiment n'a pas pu faire son inventaire : %s") % fault
            write(iter([Failed(sentence)]), part)

    def _until_leaving(self, things: Iterator[Any]) -> Iterator[Any]:
        for thing in things:
            if self._leaving.is_set():
                return
            yield thing
