"""`yelen quarantine retry`: what a machine sent before it was declared, from a box that is not even running."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.config import load
from core.model.received import Reason
from core.services import open_services
from tests.install.boxes import Box, init, yelen
from tests.people.images import STRANGER, arrival


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A box that keeps aside three images of a machine that nobody has declared."""
    folder = tmp_path / "yelen-data"
    assert init(folder).returncode == 0
    services = open_services(load(folder, []))
    for n in range(3):
        refused = arrival(f"1.2.3.{n}", STRANGER, number=n)
        services.ingest.store(replace(refused, refusal=Reason.UNKNOWN_CALLER))
    services.close()
    return folder


def test_what_a_machine_sent_before_it_was_declared_comes_in_afterwards(data: Path) -> None:
    first, *_others = lines(data)
    early = yelen("quarantine", "retry", first[0], data=data)
    assert (early.returncode, early.stdout) == (1, "")
    assert early.stderr == (
        f"Ligne {first[0]} : Déclarer d'abord la machine INCONNU à l'adresse 127.0.0.9 (yelen device add), "
        "puis reprendre.\n"
    )
    assert len(lines(data)) == 3
    assert yelen("device", "add", "INCONNU", "--address", "127.0.0.9", data=data).returncode == 0
    one = yelen("quarantine", "retry", first[0], data=data)
    assert one.returncode == 0, one.stderr
    assert one.stdout.startswith(f"Ligne {first[0]} reprise : l'image est archivée")
    rest = yelen("quarantine", "retry", "--all-of", "inconnu", data=data)
    assert rest.returncode == 0, rest.stderr
    assert len(rest.stdout.splitlines()) == 2
    assert lines(data) == []
    assert (data / first[-1]).exists()
    assert (
        yelen("quarantine", "retry", "--all-of", "INCONNU", data=data).stdout
        == "Rien n'attend de la machine INCONNU.\n"
    )


def test_a_box_that_runs_takes_them_in_through_its_socket(data: Path) -> None:
    box = Box(data)
    try:
        assert yelen("device", "add", "INCONNU", "--address", "127.0.0.9", data=data).returncode == 0
        told = yelen("quarantine", "retry", "--all-of", "INCONNU", data=data)
        assert (told.returncode, len(told.stdout.splitlines()), told.stderr) == (0, 3, "")
        assert lines(data) == []
        unknown = yelen("quarantine", "retry", "99", data=data)
        assert (unknown.returncode, unknown.stderr) == (1, "Ligne 99 : Rien de ce numéro n'a été mis de côté.\n")
    finally:
        assert box.stop() == 0


def test_it_asks_for_numbers_or_for_a_machine(data: Path) -> None:
    for words in ([], ["1", "--all-of", "INCONNU"]):
        told = yelen("quarantine", "retry", *words, data=data)
        assert (told.returncode, "des numéros, ou --all-of AE" in told.stderr) == (2, True)


def lines(data: Path) -> list[list[str]]:
    return [line.split("\t") for line in yelen("list", "quarantine", "--text", data=data).stdout.splitlines()]
