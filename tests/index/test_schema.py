"""Migrations and tables say the same; an index of a newer program is not touched."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from peewee import SqliteDatabase

from core.clock import SystemClock
from core.errors import BadConfig
from core.index.opening import open_index
from core.index.tables import ALL, database


def schema(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as index:
        rows = index.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"
        ).fetchall()
    return {name: re.sub(r"[\s]+", "", sql) for name, sql in rows if name != "schema_migration" and "_name" not in name}


def test_a_fresh_index_made_by_the_migrations_is_the_one_the_tables_describe(tmp_path: Path) -> None:
    open_index(tmp_path, SystemClock()).close()
    plain = SqliteDatabase(str(tmp_path / "plain.sqlite"))
    database.initialize(plain)
    plain.create_tables(ALL, safe=False)
    plain.close()
    made, described = schema(tmp_path / "index.sqlite"), schema(tmp_path / "plain.sqlite")
    assert {k: v for k, v in made.items() if k in described} == described


def test_an_index_of_a_newer_program_is_refused_by_name(tmp_path: Path) -> None:
    open_index(tmp_path, SystemClock()).close()
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute("INSERT INTO schema_migration (name, applied) VALUES ('0999_future', '2030-01-01')")
    index.close()
    with pytest.raises(BadConfig, match="0999_future"):
        open_index(tmp_path, SystemClock())


def test_triggers_that_somebody_dropped_come_back_at_the_next_start(tmp_path: Path) -> None:
    open_index(tmp_path, SystemClock()).close()
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        index.execute("DROP TRIGGER journal_patient_insert")
    index.close()
    open_index(tmp_path, SystemClock()).close()
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        assert index.execute("SELECT 1 FROM sqlite_master WHERE name = 'journal_patient_insert'").fetchone()
    index.close()
