"""`yelen why`: the same answers on the command line, and the act that follows."""

from __future__ import annotations

import sqlite3
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


def test_the_day_list_gives_the_number_that_why_takes(data: Path) -> None:
    day = (SystemClock().now() + timedelta(days=4)).date()
    (line,) = yelen("list", "day", "--day", f"{day}", "--text", data=data).stdout.splitlines()
    assert line.split("\t")[-1] == accession(data)


def test_what_cannot_be_is_one_french_sentence(data: Path) -> None:
    unknown = yelen("why", "99-000001", data=data)
    assert (unknown.returncode, unknown.stderr.strip()) == (1, "Aucun examen ne porte le numéro 99-000001.")
    alone = yelen("why", "99-000001", "--relax", "ascii", data=data)
    assert alone.returncode == 2
    assert "--relax demande --device." in alone.stderr


def test_declaring_a_machine_again_keeps_what_was_relaxed(data: Path) -> None:
    number = accession(data)
    yelen("why", number, "--device", "CT1", "--relax", "window", data=data)
    yelen("why", number, "--device", "CT1", "--relax", "ascii", data=data)
    again = ("device", "add", "CT1", "--address", "127.0.0.1", "--room", "SCAN", "--modality", "CT")
    assert yelen(*again, "--limit", "900", "--when-cut", "warning", data=data).returncode == 0
    after = yelen("why", number, "--device", "CT1", data=data).stdout
    assert after == "CT1 : aucune connexion reçue.  [--relax test]\n"
    with sqlite3.connect(data / "index.sqlite") as index:
        row = index.execute("SELECT charset, worklist_window_days, find_limit, when_cut FROM device WHERE key = 'ct1'")
        assert row.fetchone() == ("ascii", 4, 900, "warning")
    index.close()


def test_what_a_machine_tried_can_be_read(data: Path) -> None:
    department = open_department(data, SystemClock())
    contacts = department.services.contacts
    for note in (
        lambda: contacts.association("CT1", "YELEN", "127.0.0.1", "opened", "accepted"),
        lambda: contacts.association("CT1", "PACS", "127.0.0.1", "CALLED_AE"),
        lambda: contacts.query("CT1", "YELEN", "127.0.0.1", "answered", keys=("(0010,0010) SANOU*",), answers=7),
    ):
        note()
        department.index.writer.do(lambda _unit: None)
    department.index.close()
    told = yelen("device", "contacts", "CT1", "--keys", data=data)
    assert told.returncode == 0, told.stderr
    assert [line[12:] if line[0] != " " else line for line in told.stdout.splitlines()] == [
        "CT1@127.0.0.1 requête : 7 réponse(s)",
        "    (0010,0010) SANOU*",
        "CT1@127.0.0.1 association refusée : CALLED_AE",
        "CT1@127.0.0.1 association, liste de travail : proposée",
    ]
