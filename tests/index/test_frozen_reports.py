"""What was signed or released stays as it was, column by column, whatever a verb or a person at the file tries."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.index.tables import ReportVersion
from core.services import Services
from tests.people.hospital import PIN, RADIOLOGIST, hospital
from tests.services.test_reports import TEXT, sign, to_read

COLUMNS = [f.column_name for f in ReportVersion._meta.sorted_fields]


def changed(services: Services, what: str) -> None:
    services.kit.index.writer.do(lambda unit: unit.sql(f"UPDATE report_version SET {what}") and None)


def rows() -> list[tuple[object, ...]]:
    return list(ReportVersion.select().tuples())


def test_no_column_of_a_signed_version_changes(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
        before = rows()
        let_through = []
        for column in COLUMNS:
            try:
                changed(services, f"\"{column}\" = '9'")
                let_through.append(column)
            except Exception as refused:
                assert "frozen" in str(refused.__cause__), column  # noqa: PT017 - every column is asked
        assert let_through == []
        assert rows() == before


def test_no_column_of_a_released_preliminary_changes_even_beside_its_state(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        services.reports.release_preliminary(RADIOLOGIST, step, TEXT, PIN)
        before = rows()
        for also in ("signer_view = '[]'", "discordance = 'none'", "critical = 1", "signer_name = 'Dr X'"):
            with pytest.raises(Exception, match="enregistré"):
                changed(services, f"state = 'superseded', {also}")
        assert rows() == before


@pytest.mark.parametrize(
    ("held", "wanted", "goes"),
    [
        ("signed", "superseded", True),
        ("signed", "withdrawn", True),
        ("superseded", "withdrawn", True),
        ("superseded", "signed", False),
        ("superseded", "released", False),
        ("withdrawn", "signed", False),
        ("withdrawn", "superseded", False),
        ("signed", "released", False),
        ("signed", "draft", False),
    ],
)
def test_a_version_that_was_replaced_or_withdrawn_does_not_come_back(
    tmp_path: Path, held: str, wanted: str, goes: bool
) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
        if held != "signed":
            changed(services, f"state = '{held}'")
        if goes:
            changed(services, f"state = '{wanted}'")
        else:
            with pytest.raises(Exception, match="enregistré"):
                changed(services, f"state = '{wanted}'")
        assert ReportVersion.get().state == (wanted if goes else held)


def test_a_person_at_the_file_itself_meets_the_same_refusal(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
    with sqlite3.connect(tmp_path / "index.sqlite") as index, pytest.raises(sqlite3.IntegrityError, match="frozen"):
        index.execute("UPDATE report_version SET signer_name = 'Dr X'")
    index.close()
