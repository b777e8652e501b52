"""The rows of an export: every replicated table as JSON lines, one moment for all of them, grouped by family.

A line is `{"table": …, "row": {column: value}}`. Values are those of the columns: moments in UTC, lists as JSON text,
bytes as hexadecimal, fractions as text with every digit. Derived columns are left out: whoever reads counts again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import NotFound
from core.i18n import _
from core.index.tables import REPLICATED, Table
from core.index.triggers import quoted, row_image
from core.model.export import Asked, rows_name

# What of a table goes with chosen patients, exams and studies; other tables are the department's own.
WHOLE = "1"
CHOSEN: dict[str, str] = {
    "patient": "id IN {patients}",
    "patient_identifier": "patient_id IN {patients}",
    "visit": "patient_id IN {patients}",
    "imaging_service_request": "id IN (SELECT p.request_id FROM requested_procedure p JOIN step s "
    "ON s.procedure_id = p.id WHERE s.id IN {steps})",
    "requested_procedure": "id IN (SELECT procedure_id FROM step WHERE id IN {steps})",
    "step": "id IN {steps}",
    "step_history": "step_id IN {steps}",
    "report_version": "step_id IN {steps}",
    "study": "id IN {studies}",
    "series": "study_id IN {studies}",
    "instance": "series_id IN (SELECT id FROM series WHERE study_id IN {studies})",
}
IMAGES = (
    "SELECT st.id, se.id, i.id, st.sent_id, st.sent_issuer, st.sent_name, st.sent_birth_date, st.sent_sex, "
    "st.study_instance_uid, st.study_date, st.study_time, st.study_id, st.accession_number, st.description, "
    "st.received_at, se.series_instance_uid, se.modality, se.number, se.description, i.sop_class_uid, "
    "i.sop_instance_uid, i.transfer_syntax, i.number, i.rows, i.columns, i.path, i.size, i.sha256 "
    "FROM study st JOIN series se ON se.study_id = st.id JOIN instance i ON i.series_id = se.id WHERE {where} "
    "ORDER BY st.sent_id, st.sent_issuer, st.id, se.id, i.number, i.id"
)
HIDDEN = "SELECT id, path, size, sha256 FROM instance WHERE series_id IS NULL ORDER BY id"
ASIDE = "SELECT id, path, size, sha256, settled_at IS NULL FROM quarantine ORDER BY id"
REPORTS = "SELECT id FROM report_version WHERE {where} ORDER BY id"


def family_of(table: type[Table]) -> str:
    """`patients`, `orders`, `images`, …: the file of our own where the table is defined."""
    return table.__module__.rpartition(".")[2]


FAMILIES: dict[str, list[type[Table]]] = {}
for _table in REPLICATED:
    FAMILIES.setdefault(family_of(_table), []).append(_table)


@contextmanager
def one_moment(data: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees the index as it is now, whatever is written meanwhile."""
    connection = sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM node")  # a deferred transaction begins at its first read
        yield connection
    finally:
        connection.close()


class Choice:
    """Which rows an export takes. Raises `NotFound` for a patient or study that is not here."""

    def __init__(self, connection: sqlite3.Connection, asked: Asked) -> None:
        self.asked = asked
        self.sets: dict[str, str] = {}
        if not asked.is_all:
            patients, steps, studies = _patient(connection, asked) if asked.patient else _study(connection, asked)
            self.sets = {"patients": _listed(patients), "steps": _listed(steps), "studies": _listed(studies)}
            self.patients = patients

    def where(self, table: str) -> str:
        """SQL condition on a table; "" when none of its rows goes."""
        if self.asked.is_all:
            return WHOLE
        return CHOSEN.get(table, "").format(**self.sets)

    def bytes_of_files(self, connection: sqlite3.Connection) -> int:
        """How much the files of this choice weigh."""
        images = (
            "SELECT SUM(i.size) FROM study st JOIN series se ON se.study_id = st.id "
            f"JOIN instance i ON i.series_id = se.id WHERE {self.images}"
        )
        others = ("SELECT SUM(size) FROM quarantine", "SELECT SUM(size) FROM instance WHERE series_id IS NULL")
        queries = (images, *others) if self.asked.is_all else (images,)
        return sum(connection.execute(query).fetchone()[0] or 0 for query in queries)

    @property
    def images(self) -> str:
        return WHOLE if self.asked.is_all else f"st.id IN {self.sets['studies']}"


def _patient(connection: sqlite3.Connection, asked: Asked) -> tuple[list[int], list[int], list[int]]:
    """The patient of a number, with those merged into them."""
    found = _ids(
        connection,
        "SELECT id FROM patient WHERE number = ? UNION SELECT patient_id FROM patient_identifier WHERE value = ?",
        asked.patient,
        asked.patient,
    )
    if not found:
        raise NotFound(_("Aucun patient %s.") % asked.patient)
    family = (
        "WITH RECURSIVE f(id) AS (SELECT value FROM json_each(?) UNION SELECT p.id FROM patient p JOIN f "
        "ON p.merged_into_id = f.id) SELECT id FROM f"
    )
    patients = _ids(connection, family, json.dumps(found))
    steps = _ids(connection, f"SELECT id FROM step WHERE patient_id IN {_listed(patients)}")
    return patients, steps, _ids(connection, f"SELECT id FROM study WHERE patient_id IN {_listed(patients)}")


def _study(connection: sqlite3.Connection, asked: Asked) -> tuple[list[int], list[int], list[int]]:
    studies = _ids(connection, "SELECT id FROM study WHERE study_instance_uid = ?", asked.study)
    if not studies:
        raise NotFound(_("Aucune étude %s.") % asked.study[:64])
    chosen = _listed(studies)
    patients = _ids(connection, f"SELECT DISTINCT patient_id FROM study WHERE id IN {chosen} AND patient_id NOT NULL")
    return patients, _ids(connection, f"SELECT step_id FROM study WHERE id IN {chosen} AND step_id NOT NULL"), studies


def _ids(connection: sqlite3.Connection, query: str, *values: str) -> list[int]:
    return [row[0] for row in connection.execute(query, values)]


def _listed(ids: list[int]) -> str:
    """Row numbers of our own, as SQL."""
    return f"({', '.join(map(str, ids))})"


def write_rows(connection: sqlite3.Connection, choice: Choice, folder: Path) -> dict[str, int]:
    """A file a family; how many rows each table gave."""
    counts: dict[str, int] = {}
    for family, tables in FAMILIES.items():
        chosen = [(table, where) for table in tables if (where := choice.where(table._meta.table_name))]
        if not chosen:
            continue
        target = folder / rows_name(family)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        target.touch(mode=0o600)
        with target.open("w", encoding="utf-8") as lines:
            for table, where in chosen:
                counts[table._meta.table_name] = _write_table(connection, table, where, lines)
    return counts


def _write_table(connection: sqlite3.Connection, table: type[Table], where: str, lines: Any) -> int:
    name, key = table._meta.table_name, table._meta.primary_key.column_name  # type: ignore[union-attr]
    count = 0
    rows = connection.execute(
        f"SELECT {row_image(table, 't')} FROM {quoted(name)} t WHERE {where} ORDER BY t.{quoted(key)}"
    )
    for (image,) in rows:
        lines.write(f'{{"table":"{name}","row":{image}}}\n')
        count += 1
    return count
