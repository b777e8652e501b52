"""`yelen route`: what an administrator types, and what the box then does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.install.boxes import init, yelen


def test_a_route_is_made_listed_and_removed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    machine = "device add ARCHIVE2 --role archive --address 10.1.0.9 --host 10.1.0.9 --port 11112"
    assert yelen(*machine.split(), data=data).returncode == 0
    made = yelen("route", "add", "archive2", "--modality", "ct", data=data)
    assert made.returncode == 0, made.stderr
    assert yelen("route", "list", "--text", data=data).stdout == "1\tARCHIVE2\t-\tCT\n"
    assert yelen("route", "queue", "--text", data=data).stdout == ""
    assert yelen("route", "remove", "1", data=data).returncode == 0
    assert yelen("route", "list", "--text", data=data).stdout == ""
    with sqlite3.connect(data / "index.sqlite") as index:
        assert index.execute("SELECT COUNT(*) FROM audit WHERE action LIKE '%_route'").fetchone() == (2,)


def test_a_machine_that_nobody_declared_is_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    refused = yelen("route", "add", "NOBODY", data=data)
    assert refused.returncode == 1
    assert "Aucune machine NOBODY" in refused.stderr
    assert yelen("route", "retry", "7", data=data).returncode == 1


def test_a_machine_that_does_not_listen_is_told_apart_and_what_to_say_is_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    assert yelen("device", "add", "CT1", "--address", "10.1.0.9", data=data).returncode == 0
    refused = yelen("route", "add", "CT1", data=data)
    assert (refused.returncode, "--host et --port" in refused.stderr) == (1, True)
