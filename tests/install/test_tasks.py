"""`yelen list tasks` and `yelen settle`: what waits for a person, and its end, from a box that is not even running."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import load
from core.model.people import Role
from core.services import open_services
from core.services.tasks import ask
from tests.install.boxes import init, yelen
from tests.people.images import STRANGER, arrival


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A box that was sent a stranger's image, and another image under the same UID."""
    folder = tmp_path / "yelen-data"
    assert init(folder).returncode == 0
    services = open_services(load(folder, []))
    services.ingest.store(arrival(sender=STRANGER))
    services.ingest.store(arrival(sender=STRANGER, shade=1))
    services.kit.index.writer.do(
        lambda unit: ask(unit, "late_cancel", Role.RECEPTION, "Annulation tardive, non appliquée : TDM CRANE")
    )
    services.close()
    return folder


def test_what_waits_for_a_person_is_listed_with_what_to_do(data: Path) -> None:
    listed = yelen("list", "tasks", "--text", data=data)
    assert listed.returncode == 0, listed.stderr
    images, cancelled = (line.split("\t") for line in listed.stdout.splitlines())
    assert images[2:] == [
        "manipulateur",
        "Images à rapprocher : OUEDRAOGO Aicha (machine inconnue : INCONNU)",
        "rattacher l'étude à son examen, ou l'écarter : liste « à rapprocher »",
    ]
    assert cancelled[2:4] == ["accueil", "Annulation tardive, non appliquée : TDM CRANE"]
    assert "QUE FAIRE" in yelen("list", "tasks", data=data).stdout


def test_a_line_leaves_the_list_when_somebody_says_how_it_ended(data: Path) -> None:
    without = yelen("settle", "task", "2", data=data)
    assert (without.returncode, "Il manque : TEXTE" in without.stderr) == (2, True)
    assert yelen("settle", "task", "2", "--how", "le service confirme", data=data).stdout == "Tâche 2 réglée.\n"
    assert len(yelen("list", "tasks", "--text", data=data).stdout.splitlines()) == 1
    doubt = yelen("settle", "task", "1", "--how", "vu", data=data)
    assert (doubt.returncode, "part d'elle-même" in doubt.stderr) == (1, True)


def test_what_was_set_aside_leaves_its_list_and_stays_on_the_disk(data: Path) -> None:
    (line,) = yelen("list", "quarantine", "--text", data=data).stdout.splitlines()
    number, path = line.split("\t")[0], line.split("\t")[-1]
    settled = yelen("settle", "quarantine", number, "--how", "image de test", data=data)
    assert settled.stdout == f"Ligne {number} réglée, le fichier est gardé.\n"
    assert yelen("list", "quarantine", "--text", data=data).stdout == ""
    assert (data / path).exists()
