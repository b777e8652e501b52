"""The second building as an administrator sets it up: init, keys carried by hand, serve, verify, reset."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.install.boxes import YELEN, Box, environment, init, yelen
from tests.replication.buildings import until
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


@pytest.fixture
def first(tmp_path: Path) -> Path:
    assert init(tmp_path / "a", f"replica.target={tmp_path / 'b'}", "replica.interval_s=1").returncode == 0
    return tmp_path / "a"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    made = yelen("init", "--set", "replica.role=replica", data=tmp_path / "b")
    assert made.returncode == 0, made.stderr
    assert "ses comptes viendront du site principal" in made.stdout
    return tmp_path / "b"


@contextmanager
def receiving(data: Path, command: str = "serve") -> Iterator[None]:
    call = [*YELEN, *command.split(), "--data", str(data)]
    process = subprocess.Popen(call, env=environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("prêt : la copie")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        process.stdout.close()


def facts(data: Path) -> dict[str, str]:
    told = yelen("replica", "status", "--text", data=data)
    assert told.returncode == 0, told.stderr
    return dict(line.split("\t", 1) for line in told.stdout.splitlines())


def is_complete(data: Path) -> bool:
    told = facts(data)
    return told["Ligne ouverte"] == "oui" and told["Retard (écritures)"] == "0"


def identical(data: Path) -> bool:
    proof = yelen("replica", "verify", data=data)
    return proof.stdout.endswith("Les deux bâtiments sont identiques.\n")


def test_the_whole_way_from_an_empty_folder_to_the_proof(first: Path, second: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    assert yelen("replica", "carry-keys", str(keys), data=first).returncode == 0
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert yelen("replica", "take-keys", str(keys), data=second).returncode == 0
    box = Box(first)
    try:
        with receiving(second):
            until(lambda: is_complete(first), "the copy is complete")
            assert facts(first)["Clés au second bâtiment"] == "oui"
            told = yelen("status", data=second)
            assert told.returncode == 0, told.stderr
            assert "  Rôle                       copie\n" in told.stdout
            assert json.loads(yelen("status", "--json", data=second).stdout)["running"] is True
            there = facts(second)
            assert (there["Rôle"], there["Clés au second bâtiment"]) == ("copie", "oui")
            proof = yelen("replica", "verify", data=first)
            assert (proof.returncode, proof.stdout.splitlines()[-1]) == (0, "Les deux bâtiments sont identiques.")
    finally:
        box.stop()
    assert yelen("status", data=second).returncode == 3
    checked = yelen("audit", "verify", data=second)
    assert (checked.returncode, checked.stdout.split(":")[0]) == (0, "Audit intact ")
    assert "admin" in yelen("user", "list", "--text", data=second).stdout


def test_without_the_keys_the_copy_works_and_says_what_is_missing(first: Path, second: Path) -> None:
    box = Box(first)
    try:
        with receiving(second, "replica apply"):
            until(lambda: is_complete(first), "the copy is complete")
            assert facts(first)["Clés au second bâtiment"] == "non"
    finally:
        box.stop()
    assert yelen("audit", "verify", data=second).returncode == 1


def test_a_copy_is_made_anew_with_its_files(first: Path, second: Path) -> None:
    box = Box(first)
    try:
        with receiving(second):
            until(lambda: is_complete(first), "the copy is complete")
            refused = yelen("replica", "reset", data=second)
            assert (refused.returncode, "tient déjà" in refused.stderr) == (1, True)
        assert yelen("replica", "reset", data=second).returncode == 0
        with receiving(second):
            until(lambda: identical(first), "the new copy is complete")
    finally:
        box.stop()
    assert (second / "replica" / "old-1" / "index.sqlite").exists()


@pytest.mark.parametrize("command", ["apply", "reset"])
def test_a_primary_never_becomes_a_copy(first: Path, command: str) -> None:
    refused = yelen("replica", command, "--set", "replica.role=replica", "--set", "replica.target=", data=first)
    assert (refused.returncode, "est un site principal" in refused.stderr) == (1, True)
    assert yelen("replica", command, data=first).returncode == 1


def test_only_a_copy_takes_keys_and_only_real_ones(first: Path, second: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text('{"site": "0", "audit": "00", "archive": "00"}')
    before = (first / "secrets" / "audit.key").read_bytes()
    assert yelen("replica", "take-keys", str(keys), data=first).returncode == 1
    refused = yelen("replica", "take-keys", str(keys), data=second)
    assert (refused.returncode, "ne contient pas les clés" in refused.stderr) == (1, True)
    assert (first / "secrets" / "audit.key").read_bytes() == before
    assert yelen("replica", "carry-keys", str(keys), data=first).returncode == 1, "a file is never overwritten"
