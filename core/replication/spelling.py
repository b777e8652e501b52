"""How a replicated table is spelled in SQL at the other end: from a journal image to a row, and its columns.

A row is inserted, or those of its columns that differ are updated: what nobody may rewrite stays guarded by the
triggers of the copy itself, and a row that another one contradicts is refused, never replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from core.errors import BadMessage
from core.i18n import _
from core.index.tables import DERIVED, REPLICATED, Table
from core.index.triggers import blob_columns, columns, float_columns, quoted

Execute = Callable[[str, tuple[Any, ...]], Any]
EMPTY: dict[str, Any] = {
    "last_image_at": None,
    "damaged_at": None,
}  # derived columns of a new row; the others start at 0


@dataclass(frozen=True, slots=True)
class Spelling:
    """One table. columns: those that travel, in order."""

    name: str
    key: str
    columns: tuple[str, ...]
    blobs: frozenset[str]
    floats: frozenset[str]
    select: str
    insert: str
    derived: tuple[Any, ...]
    delete: str

    def values(self, image: bytes) -> tuple[Any, ...]:
        """The values of a journal image, in column order. Raises `BadMessage` for other columns than ours."""
        row = msgspec.json.decode(image)
        if not isinstance(row, dict) or row.keys() != set(self.columns):
            raise BadMessage(_("Segment d'une autre version de Yelen (%s).") % self.name, "schema")
        return tuple(self._value(column, row[column]) for column in self.columns)

    def _value(self, column: str, value: Any) -> Any:
        try:
            if value is not None and column in self.blobs:
                return bytes.fromhex(value)
            if value is not None and column in self.floats:
                return float(value)
        except (TypeError, ValueError) as fault:
            raise BadMessage(_("Segment illisible (%s.%s).") % (self.name, column), "schema") from fault
        return value

    def put(self, execute: Execute, image: bytes) -> None:
        """The row is now as its image says."""
        values = self.values(image)
        key = values[self.columns.index(self.key)]
        found = execute(self.select, (key,)).fetchone()
        if found is None:
            execute(self.insert, (*values, *self.derived))
            return
        changed = [(c, v) for c, v, old in zip(self.columns, values, found, strict=True) if not same(v, old)]
        if changed:
            marks = ", ".join(f"{quoted(column)} = ?" for column, _value in changed)
            what = (*(value for _column, value in changed), key)
            execute(f"UPDATE {quoted(self.name)} SET {marks} WHERE {quoted(self.key)} = ?", what)

    def remove(self, execute: Execute, image: bytes) -> None:
        execute(self.delete, (self.values(image)[self.columns.index(self.key)],))


def same(a: Any, b: Any) -> bool:
    """Equal, and of one type: SQLite says that 1 is 1.0, a proof does not."""
    return type(a) is type(b) and a == b


def _spelling(table: type[Table]) -> Spelling:
    name, key = table._meta.table_name, table._meta.primary_key.column_name  # type: ignore[union-attr]
    names = tuple(columns(table))
    derived = sorted(DERIVED.get(name, ()))
    listed = ", ".join(quoted(c) for c in names)
    marks = ", ".join("?" for _c in (*names, *derived))
    return Spelling(
        name,
        key,
        names,
        blob_columns(table),
        float_columns(table),
        f"SELECT {listed} FROM {quoted(name)} WHERE {quoted(key)} = ?",
        f"INSERT INTO {quoted(name)} ({', '.join(quoted(c) for c in (*names, *derived))}) VALUES ({marks})",
        tuple(EMPTY.get(column, 0) for column in derived),
        f"DELETE FROM {quoted(name)} WHERE {quoted(key)} = ?",
    )


TABLES: dict[str, Spelling] = {t._meta.table_name: _spelling(t) for t in REPLICATED}
"""Parents before children, as in `REPLICATED`."""
