"""Single rows by equality, with SQL spelled once: the hot path of acts. Everything else is written in peewee.

peewee spells a statement anew each time it runs (0.1 to 0.3 ms); a new study needs a dozen rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from peewee import Field

from core.index.tables import Table, database

Row = TypeVar("Row", bound=Table)


def insert(table: type[Row], **columns: Any) -> Row:
    """A new row, defaults filled in, its id set. Same as `table.create`."""
    row = table(**columns)
    sql, fields = _insertion(table)
    held = row.__data__
    cursor = database.connection().execute(sql, [field.db_value(held.get(name)) for name, field in fields])
    key = table._meta.primary_key
    if table._meta.auto_increment and isinstance(key, Field):
        held[key.name] = cursor.lastrowid
    return row


def find(table: type[Row], **equals: Any) -> Row | None:
    """The first row whose columns equal these values (none of them NULL). Same as `table.get_or_none`."""
    names = tuple(equals)
    sql, fields = _selection(table, names)
    values = [table._meta.fields[name].db_value(equals[name]) for name in names]
    found = database.connection().execute(sql, values).fetchone()
    if found is None:
        return None
    return table(**{name: field.python_value(value) for (name, field), value in zip(fields, found, strict=True)})


@cache
def _insertion(table: type[Table]) -> tuple[str, tuple[tuple[str, Field], ...]]:
    meta = table._meta
    fields = tuple((f.name, f) for f in meta.sorted_fields if not (meta.auto_increment and f is meta.primary_key))
    names = ", ".join(f'"{f.column_name}"' for _name, f in fields)
    marks = ", ".join("?" for _field in fields)
    return f'INSERT INTO "{meta.table_name}" ({names}) VALUES ({marks})', fields


@cache
def _selection(table: type[Table], names: tuple[str, ...]) -> tuple[str, tuple[tuple[str, Field], ...]]:
    meta = table._meta
    fields = tuple((f.name, f) for f in meta.sorted_fields)
    columns = ", ".join(f'"{f.column_name}"' for _name, f in fields)
    where = " AND ".join(f'"{meta.fields[name].column_name}" = ?' for name in names)
    return f'SELECT {columns} FROM "{meta.table_name}" WHERE {where} LIMIT 1', fields
