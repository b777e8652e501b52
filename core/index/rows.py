"""Single rows by equality, with SQL spelled once: the hot path of acts. Everything else is written in peewee.

peewee spells a statement anew each time it runs (0.1 to 0.3 ms) and sets attributes one by one; a new study needs a
dozen rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from peewee import AutoField, Field, ForeignKeyField, IntegerField, Model, TextField

from core.index.tables import Table, database

Row = TypeVar("Row", bound=Table)
Convert = Callable[[Any], Any] | None


def insert(table: type[Row], **columns: Any) -> Row:
    """A new row, defaults filled in, its id set. Same as `table.create`."""
    row = _new(table, columns)
    held = row.__data__
    sql, fields = _insertion(table)
    values = [convert(held.get(name)) if convert is not None else held.get(name) for name, convert in fields]
    cursor = database.connection().execute(sql, values)
    key = table._meta.primary_key
    if table._meta.auto_increment and isinstance(key, Field):
        held[key.name] = cursor.lastrowid
    return row


def find(table: type[Row], **equals: Any) -> Row | None:
    """The first row whose columns equal these values (none of them NULL). Same as `table.get_or_none`."""
    sql, wanted, fields = _selection(table, tuple(equals))
    values = [field.db_value(value) for field, value in zip(wanted, equals.values(), strict=True)]
    found = database.connection().execute(sql, values).fetchone()
    if found is None:
        return None
    row = table(__no_default__=True)
    row.__data__ = {
        name: convert(value) if convert is not None else value
        for (name, convert), value in zip(fields, found, strict=True)
    }
    return row


def _new(table: type[Row], columns: dict[str, Any]) -> Row:
    """A row with its defaults, as `table(**columns)` makes it."""
    meta = table._meta
    if not columns.keys() <= meta.fields.keys() or any(isinstance(value, Model) for value in columns.values()):
        return table(**columns)
    row = table(__no_default__=True)
    row.__data__ = {**meta.get_default_dict(), **columns}
    return row


@cache
def _insertion(table: type[Table]) -> tuple[str, tuple[tuple[str, Convert], ...]]:
    meta = table._meta
    fields = tuple(f for f in meta.sorted_fields if not (meta.auto_increment and f is meta.primary_key))
    names = ", ".join(f'"{f.column_name}"' for f in fields)
    marks = ", ".join("?" for _field in fields)
    sql = f'INSERT INTO "{meta.table_name}" ({names}) VALUES ({marks})'
    return sql, tuple((f.name, None if type(f) in _PLAIN else f.db_value) for f in fields)


@cache
def _selection(
    table: type[Table], names: tuple[str, ...]
) -> tuple[str, tuple[Field, ...], tuple[tuple[str, Convert], ...]]:
    meta = table._meta
    fields = tuple(meta.sorted_fields)
    columns = ", ".join(f'"{f.column_name}"' for f in fields)
    wanted = tuple(meta.fields[name] for name in names)
    where = " AND ".join(f'"{field.column_name}" = ?' for field in wanted)
    converts = tuple((f.name, None if type(f) in _PLAIN else f.python_value) for f in fields)
    return f'SELECT {columns} FROM "{meta.table_name}" WHERE {where} LIMIT 1', wanted, converts


_PLAIN = (TextField, IntegerField, AutoField, ForeignKeyField)
"""Fields whose value is the one that SQLite holds."""
