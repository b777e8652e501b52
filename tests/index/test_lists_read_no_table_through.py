"""What people look at all day is found by its index, whatever the years have left in the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.model.query import DayFilter
from core.services import Services
from tests.people.hospital import RADIOLOGIST, RECEPTION, TECHNOLOGIST, hospital
from tests.services.test_identity import planned

LISTS: dict[str, Callable[[Services], object]] = {
    "the day": lambda s: s.scheduling.day_page(RECEPTION, DayFilter(s.today())),
    "a room": lambda s: s.scheduling.day_page(RECEPTION, DayFilter(s.today(), room="SC1")),
    "a ward": lambda s: s.scheduling.day_page(RECEPTION, DayFilter(s.today(), ward="URG")),
    "a name typed on the day": lambda s: s.scheduling.day_page(RECEPTION, DayFilter(s.today(), text="ouedraogo")),
    "a number typed on the day": lambda s: s.scheduling.day_page(RECEPTION, DayFilter(s.today(), text="26-000001")),
    "what is to be read": lambda s: s.reports.reading_list(RADIOLOGIST),
    "what nobody recognises": lambda s: s.reconciliation.unmatched(TECHNOLOGIST),
    "an exam": lambda s: s.scheduling.line(TECHNOLOGIST, 1),
    "its history": lambda s: s.scheduling.history(TECHNOLOGIST, 1),
    "its studies": lambda s: s.studies.of_step(TECHNOLOGIST, 1),
    "the exams of a child": lambda s: s.patients.exams(RECEPTION, 1),
}
GROWS = ("study", "series", "instance", "step", "requested_procedure", "imaging_service_request", "patient", "audit")


@contextmanager
def heard(services: Services) -> Iterator[list[str]]:
    """The statements that this thread sends to the index, with their values."""
    said: list[str] = []
    connection = services.kit.index.db.connection()
    connection.set_trace_callback(said.append)
    try:
        yield said
    finally:
        connection.set_trace_callback(None)


def read_through(connection: sqlite3.Connection, statement: str) -> list[str]:
    """The growing tables that SQLite would read from end to end."""
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    names = {name for line in plan if line.startswith("SCAN ") for name in [line.split()[1]]}
    aliases = {f'"{table}" AS "{name}"' for table in GROWS for name in names}
    return [alias for alias in aliases if alias in statement]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_reads_no_growing_table_through(tmp_path: Path, name: str) -> None:
    with hospital(tmp_path) as services:
        planned(services)
        with heard(services) as said:
            LISTS[name](services)
        asked = (statement for statement in said if statement.startswith("SELECT"))
        selects = [statement for statement in asked if "WHERE (0 = 1)" not in statement]  # a page of nothing
        assert selects
        connection = services.kit.index.db.connection()
        found = {statement: tables for statement in selects if (tables := read_through(connection, statement))}
        assert found == {}
