"""The SQLite file: opened read-write by the one writer thread, read-only by every other thread.

WAL and `synchronous=FULL`: a committed row survives a power cut (NORMAL lost acknowledged rows in simulated cuts).
peewee binds its models process-wide, so a process holds one index at a time.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

from peewee import SqliteDatabase
from playhouse.migrations import Runner

from core.errors import BadConfig
from core.i18n import _
from core.index.tables import database
from core.index.triggers import install

MIGRATIONS = Path(__file__).parent / "migrations"
_role = threading.local()


class IndexDatabase(SqliteDatabase):
    """One connection a thread; only a thread that called `own_writes` may change anything."""

    def execute_sql(self, sql: str, params: Any = None) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = super().execute_sql(sql, params)  # type: ignore[no-untyped-call]
        return cursor

    def connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super().connection()  # type: ignore[no-untyped-call]
        return connection

    def _add_conn_hooks(self, conn: sqlite3.Connection) -> None:
        super()._add_conn_hooks(conn)  # type: ignore[misc]
        if not getattr(_role, "writer", False):
            conn.execute("PRAGMA query_only = 1")


def own_writes(owned: bool = True) -> None:
    """This thread is (no longer) the writer. Takes effect on its next connection."""
    _role.writer = owned


def bind(path: Path) -> IndexDatabase:
    """Bind the tables to a file and return the database, not yet connected."""
    db = IndexDatabase(
        str(path),
        pragmas={
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "recursive_triggers": 1,  # so that what a REPLACE removes is journalled, or refused where it is frozen
            "busy_timeout": 10_000,
            "cache_size": -16_000,
            "temp_store": 2,
            "wal_autocheckpoint": 2_000,
        },
        autoconnect=True,
    )
    database.initialize(db)
    return db


def migrate(db: IndexDatabase) -> list[str]:
    """Apply the pending migrations in the calling (writer) thread, then the triggers; the names of the migrations.

    Raises `BadConfig` when the file was written by a newer program.
    """
    runner = Runner(db, str(MIGRATIONS))
    unknown = [m.name for m in runner.status() if m.path is None]
    if unknown:
        raise BadConfig([_("Cet index a été écrit par une version plus récente de Yelen (%s).") % ", ".join(unknown)])
    applied: list[str] = runner.up()
    install(db)
    return applied


def close_thread(db: Any) -> None:
    """Give back this thread's connection; threads that end call it."""
    if not db.is_closed():
        db.close()
