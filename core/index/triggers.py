"""SQL triggers: the journal of every replicated table, and the rows that nobody may rewrite.

A trigger cannot be forgotten by a verb: whatever changes a replicated row in the primary building adds its image to
the journal in the same transaction. On a replica nothing is journalled: rows come from the other side. Triggers are
not part of the migrations: they are made from the tables at every start that finds them different.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peewee import BlobField, FloatField

from core.index.state_counts import recount
from core.index.state_counts import triggers as state_triggers
from core.index.tables import APPEND_ONLY, DERIVED, REPLICATED, ReportVersion, Table

if TYPE_CHECKING:
    from core.index.database import IndexDatabase

SCHEMA_VERSION = 1

_PRIMARY = "(SELECT role FROM node LIMIT 1) = 'primary'"

# The derived columns of study and series; the second building counts its own rows (core.replication.counters).
_COUNTERS = (
    (
        "count_instance_insert",
        "AFTER INSERT ON instance",
        "UPDATE series SET instances = instances + 1 WHERE id = NEW.series_id; "
        "UPDATE study SET instances = instances + 1, bytes = bytes + NEW.size, last_image_at = NEW.received_at, "
        "series = series + (SELECT instances = 1 FROM series WHERE id = NEW.series_id) "
        "WHERE id = (SELECT study_id FROM series WHERE id = NEW.series_id);",
    ),
)


def columns(table: type[Table]) -> list[str]:
    """The column names of a replicated table that its row image carries, in table order."""
    derived = DERIVED.get(table._meta.table_name, frozenset())
    return [f.column_name for f in table._meta.sorted_fields if f.column_name not in derived]


def blob_columns(table: type[Table]) -> frozenset[str]:
    """Columns whose bytes travel as hexadecimal text."""
    return frozenset(f.column_name for f in table._meta.sorted_fields if isinstance(f, BlobField))


def float_columns(table: type[Table]) -> frozenset[str]:
    """Columns whose numbers travel as text, every digit of them."""
    return frozenset(f.column_name for f in table._meta.sorted_fields if isinstance(f, FloatField))


def row_image(table: type[Table], row: str) -> str:
    """SQL expression: the JSON image of `row` (`NEW`, `OLD` or a table alias)."""
    blobs, floats = blob_columns(table), float_columns(table)
    pairs = []
    for column in columns(table):
        value = f"{row}.{quoted(column)}"
        if column in blobs:
            value = f"CASE WHEN {value} IS NOT NULL THEN hex({value}) END"  # hex(NULL) would be no bytes
        elif column in floats:
            value = f"CASE WHEN {value} IS NOT NULL THEN printf('%!.17g', {value}) END"  # JSON numbers keep 15 digits
        pairs.append(f"'{column}', {value}")
    return f"json_object({', '.join(pairs)})"


def quoted(name: str) -> str:
    return '"' + name + '"'


def file_entry(table: type[Table], row: str) -> str:
    """SQL expressions: path, size and SHA-256 of the file that `row` names, if its table names files."""
    names = set(columns(table))
    if {"path", "size", "sha256"} <= names:
        return f"{row}.path, {row}.size, {row}.sha256"
    return "NULL, NULL, NULL"


def lane_of(table: type[Table], row: str) -> str:
    """SQL expression: the lane of `row`. What is set aside may be big, and nobody waits for it."""
    if table._meta.table_name in ("instance", "original"):
        return f"{row}.lane"
    return "'bulk'" if table._meta.table_name == "quarantine" else "'small'"


def _journal(table: type[Table], row: str, op: str) -> str:
    return (
        "INSERT INTO journal (epoch, lane, tbl, op, schema_version, row, path, size, sha256) "
        f"SELECT (SELECT epoch FROM node LIMIT 1), {lane_of(table, row)}, '{table._meta.table_name}', '{op}', "
        f"{SCHEMA_VERSION}, {row_image(table, row)}, {file_entry(table, row)};"
    )


def install(db: IndexDatabase) -> None:
    """Make the triggers of the file those of the tables as they are now; nothing is written when they are already."""
    wanted = {s.split()[2]: s for s in statements()}
    found = dict(db.execute_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
    if found == wanted:
        return
    db.execute_sql("BEGIN IMMEDIATE")
    for name in found:
        db.execute_sql(f"DROP TRIGGER {quoted(name)}")
    for statement in (*wanted.values(), *recount()):
        db.execute_sql(statement)
    db.execute_sql("COMMIT")


def statements() -> list[str]:
    """Every CREATE TRIGGER, in an order that does not matter."""
    made = []
    for table in REPLICATED:
        name = table._meta.table_name
        watched = ", ".join(quoted(c) for c in columns(table))
        made += [
            f"CREATE TRIGGER journal_{name}_insert AFTER INSERT ON {quoted(name)} WHEN {_PRIMARY} "
            f"BEGIN {_journal(table, 'NEW', 'put')} END",
            f"CREATE TRIGGER journal_{name}_update AFTER UPDATE OF {watched} ON {quoted(name)} WHEN {_PRIMARY} "
            f"BEGIN {_journal(table, 'NEW', 'put')} END",
            f"CREATE TRIGGER journal_{name}_delete AFTER DELETE ON {quoted(name)} WHEN {_PRIMARY} "
            f"BEGIN {_journal(table, 'OLD', 'del')} END",
        ]
    made += [f"CREATE TRIGGER {name} {when} WHEN {_PRIMARY} BEGIN {what} END" for name, when, what in _COUNTERS]
    for table in APPEND_ONLY:
        name = table._meta.table_name
        for verb in ("UPDATE", "DELETE"):
            made.append(
                f"CREATE TRIGGER frozen_{name}_{verb.lower()} BEFORE {verb} ON {quoted(name)} "
                f"BEGIN SELECT RAISE(ABORT, 'append-only table'); END"
            )
    return [*made, *_frozen_versions(), *state_triggers()]


def _frozen_versions() -> list[str]:
    """A released or signed report: every column stays but the state, which only ever ends."""
    kept = ", ".join(quoted(c) for c in columns(ReportVersion) if c != "state")
    refusal = "BEGIN SELECT RAISE(ABORT, 'a released or signed report is frozen'); END"
    replaced = (
        "OLD.state = NEW.state OR (OLD.state IN ('released', 'signed') AND NEW.state IN ('superseded', 'withdrawn')) "
        "OR (OLD.state = 'superseded' AND NEW.state = 'withdrawn')"
    )
    return [
        f"CREATE TRIGGER frozen_report_version_columns BEFORE UPDATE OF {kept} ON report_version {refusal}",
        f"CREATE TRIGGER frozen_report_version_state BEFORE UPDATE OF state ON report_version WHEN NOT ({replaced}) "
        f"{refusal}",
        f"CREATE TRIGGER frozen_report_version_delete BEFORE DELETE ON report_version {refusal}",
    ]
