"""HL7 neighbours: whatever their row can say, the command line can say."""

from __future__ import annotations

import sqlite3
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from core.model.device import Destination, HisSender
from tests.install.boxes import init, yelen

SENDER = """sender add SIH --address 10.1.0.5 --application SIH --facility CHU --authority CDG --charset latin-1
    --charset-term LATIN=latin-1 --strict-charset --version 2.5 --event ADT^A08 --sex 1=M --local-code --no-merge
    --legacy-merge --enhanced --frame-seconds 90 --idle-seconds 600 --off"""
DESTINATION = """destination add SIH 10.1.0.5 2576 --application SIH --facility CHU --version 2.3.1 --charset 8859/1
    --final-only --off"""


def left_as_they_were(data: Path, kind: Any, table: str) -> list[str]:
    """Columns of the only row that still hold what a new row holds."""
    with sqlite3.connect(data / "index.sqlite") as index:
        index.row_factory = sqlite3.Row
        [row] = index.execute(f"SELECT * FROM {table}")
    unchanged = {True: 1, False: 0, (): "[]"}
    return [
        f.name for f in fields(kind) if f.default is not MISSING and row[f.name] == unchanged.get(f.default, f.default)
    ]


def test_every_habit_of_a_neighbour_can_be_said_on_the_command_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    for command in (SENDER, DESTINATION):
        done = yelen(*command.split(), data=data)
        assert done.returncode == 0, done.stderr
    assert left_as_they_were(data, HisSender, "his_sender") == []
    assert left_as_they_were(data, Destination, "destination") == []


def test_a_habit_that_is_no_pair_is_a_sentence(tmp_path: Path) -> None:
    done = yelen("sender", "add", "SIH", "--address", "10.1.0.5", "--sex", "M")
    assert done.returncode == 2
    assert "LEUR=NÔTRE" in done.stderr
