"""`yelen list rejections` and `yelen settle rejection`: a machine's note, and a person who takes it back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.config import load
from core.dicom import rejection_note
from core.model.rejection import Title
from core.services import Ports, open_services
from tests.install.boxes import init, yelen
from tests.people.images import arrival, read_header
from tests.services.test_rejections import note


def rejected(data: Path, title: Title) -> None:
    """A box with one image that its machine rejected."""
    assert init(data).returncode == 0
    ports = Ports(read_header=read_header, read_note=rejection_note.read, write_note=rejection_note.write)
    services = open_services(load(data, []), ports=ports)
    services.ingest.store(arrival("1.2.3.1"))
    services.ingest.store(note("1.2.3.1", title=title))
    services.close()


def shown(data: Path) -> int:
    with sqlite3.connect(data / "index.sqlite") as index:
        (count,) = index.execute("SELECT SUM(instances) FROM study").fetchone()
    index.close()
    return int(count)


def test_a_rejection_is_listed_and_taken_back_with_its_reason(tmp_path: Path) -> None:
    rejected(tmp_path / "data", Title.QUALITY)
    (line,) = yelen("list", "rejections", "--text", data=tmp_path / "data").stdout.splitlines()
    number, _when, _by, images, *_rest = line.split("\t")
    assert (images, shown(tmp_path / "data")) == ("1", 0)
    done = yelen("settle", "rejection", number, "--how", "mauvaise note", data=tmp_path / "data")
    assert (done.returncode, done.stdout) == (0, f"Rejet {number} levé : ses images sont de nouveau montrées.\n")
    assert shown(tmp_path / "data") == 1
    (line,) = yelen("list", "rejections", "--text", data=tmp_path / "data").stdout.splitlines()
    assert line.split("\t")[6].startswith("uid:")
    again = yelen("settle", "rejection", number, "--how", "encore", data=tmp_path / "data")
    assert (again.returncode, again.stderr) == (1, "Ce rejet est déjà levé.\n")


def test_a_rejection_for_the_patients_safety_is_not_the_administrators(tmp_path: Path) -> None:
    rejected(tmp_path / "data", Title.SAFETY)
    assert yelen("list", "rejections", "--text", data=tmp_path / "data").stdout == ""
    told = yelen("settle", "rejection", "1", "--how", "je veux", data=tmp_path / "data")
    assert (told.returncode, told.stderr) == (1, "Aucun rejet de ce numéro.\n")
