"""`yelen why`: the same answers on the command line, and the act that follows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import SystemClock
from tests.dicom.department import open_department
from tests.install.boxes import yelen


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A department whose box is stopped; Awa's scanner is in four days."""
    folder = tmp_path / "data"
    folder.mkdir()
    clock = SystemClock()
    department = open_department(folder, clock)
    department.order(department.child("SANOU", "Awa"), "TDMCER", "SCAN", clock.now() + timedelta(days=4))
    department.index.close()
    return folder


def accession(data: Path) -> str:
    import sqlite3

    with sqlite3.connect(data / "index.sqlite") as index:
        number: str = index.execute("SELECT accession_number FROM imaging_service_request").fetchone()[0]
    index.close()
    return number


def test_each_machine_says_why_and_one_action_relaxes_it(data: Path) -> None:
    number = accession(data)
    told = yelen("why", number, data=data)
    assert told.returncode == 0, told.stderr
    first, second = told.stdout.splitlines()
    assert first.startswith("CT1 : aucune connexion reçue, sans date, la machine voit ")
    assert first.endswith("[--relax test --relax window]")
    assert second.startswith("US1 : ")
    assert "machine de la salle « ECHO », examen en salle « SCAN »" in second
    done = yelen("why", number, "--device", "CT1", "--relax", "window", data=data)
    assert done.stdout == "CT1 voit maintenant 4 jours avant et après.\n"
    assert (
        yelen("why", number, "--device", "CT1", data=data).stdout == "CT1 : aucune connexion reçue.  [--relax test]\n"
    )


def test_what_cannot_be_is_one_french_sentence(data: Path) -> None:
    unknown = yelen("why", "99-000001", data=data)
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "Aucun examen ne porte le numéro 99-000001.")
    alone = yelen("why", "99-000001", "--relax", "ascii", data=data)
    assert alone.returncode == 2
    assert "--relax demande --device." in alone.stderr
