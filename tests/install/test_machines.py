"""A machine's row on the command line: every field can be said, read back, and stays when another one is said."""

from __future__ import annotations

import sqlite3
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from core.model.device import Device
from tests.install.boxes import init, yelen

EVERYTHING = """--role archive --address 10.1.0.9 --host 10.1.0.9 --port 104 --commit-host 10.1.0.8 --commit-port 1104
    --room SC1 --all-rooms --modality CT --cr-is-dx --charset ascii --window 3 --limit 50 --when-cut warning
    --conflict-is-success --receives-charset ascii --uncompressed --prefetch --pledges --tls --identity CT --off"""
OTHERWISE = """--role modality --host= --port 0 --commit-host= --commit-port 0 --room= --own-room --modality=
    --cr-is-not-dx --window 1 --limit 500 --when-cut failure --conflict-is-failure --receives-charset= --compressed
    --no-prefetch --no-pledges --no-tls --identity= --certificate= --on"""
FIELDS = [f for f in fields(Device) if not f.name.startswith("last_") and f.name != "ae_title"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    return data


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=ct1"]
    subprocess.run([*words, "-keyout", tmp_path / "key", "-out", tmp_path / "crt"], check=True, capture_output=True)
    return tmp_path / "crt"


def say(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = yelen("device", "add", "VIEUX", *words, data=data)
    assert done.returncode == 0, done.stderr
    return done


def row(data: Path) -> dict[str, Any]:
    with sqlite3.connect(data / "index.sqlite") as index:
        index.row_factory = sqlite3.Row
        [found] = index.execute("SELECT * FROM device")
    index.close()
    return {f.name: found[f.name] for f in FIELDS}


def test_every_field_can_be_said_read_back_and_unsaid(data: Path, certificate: Path) -> None:
    say(data, "--address", "10.1.0.8")
    new = row(data)
    say(data, *EVERYTHING.split(), "--certificate", str(certificate))
    assert [name for name, value in row(data).items() if value == new[name]] == []
    card = dict(
        line.split("\t")[:2] for line in yelen("device", "show", "VIEUX", "--text", data=data).stdout.splitlines()
    )
    assert len([option for option in card if option.startswith("--")]) == len(FIELDS)
    assert list(card)[:3] == ["--role", "--address", "--host"]  # as « device add --help » says them
    assert (card["--window"], card["--commit-port"], card["--on"], card["--identity"]) == ("3", "1104", "-", "oui")
    say(data, *OTHERWISE.split(), "--charset", "ISO_IR 100", "--address", "10.1.0.8")
    assert row(data) == new


@pytest.mark.parametrize("words", [["--window", "2"], ["--host", "10.1.0.7"], ["--off"], ["--address", "10.1.0.6"]])
def test_saying_one_field_changes_no_other(data: Path, certificate: Path, words: list[str]) -> None:
    say(data, *EVERYTHING.split(), "--certificate", str(certificate), "--on")
    before = row(data)
    say(data, *words)
    after = row(data)
    assert len([name for name in before if before[name] != after[name]]) == 1


def test_a_machine_that_is_not_declared_yet_says_where_it_calls_from(data: Path) -> None:
    told = yelen("device", "add", "CT2", "--window", "2", data=data)
    assert (told.returncode, "--address" in told.stderr) == (1, True)
    assert yelen("device", "list", "--text", data=data).stdout == ""
    assert "Aucune machine CT2." in yelen("device", "show", "CT2", data=data).stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--address", "ct1.local"], "« ct1.local » n'est pas une adresse IP"),
        (["--address", "10.1.0.6", "--charset", "latin1"], "Valeur refusée pour --charset"),
    ],
)
def test_what_would_never_match_is_refused(data: Path, words: list[str], sentence: str) -> None:
    told = yelen("device", "add", "CT2", *words, data=data)
    assert (told.returncode, sentence in told.stderr) == (2, True), told.stderr


def test_a_room_that_nobody_has_declared_is_said_at_once(data: Path) -> None:
    assert "aucune salle SC9" in say(data, "--address", "10.1.0.9", "--room", "SC9").stderr
    assert yelen("room", "add", "SC9", "Scanner", "--modality", "CT", data=data).returncode == 0
    assert say(data, "--window", "2").stderr == ""
