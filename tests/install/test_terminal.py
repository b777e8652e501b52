"""`yelen tui` for a person of the group `yelen-tui`, who may open the socket and read nothing of the data folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import tui
from install.cli import main_group
from install.commands import tui as command
from tests.install.boxes import ROOT, YELEN, Box, init, yelen
from tests.tui.harness import Terminal
from tui.launch import launch


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("terminal")
    settings = ("site.hospital=CHU de Gaulle", "site.language=en", f"rpc.path={folder / 'yelen.sock'}")
    assert init(folder / "data", *settings).returncode == 0
    opened = Box(folder / "data")
    yield opened
    opened.stop()


def test_the_terminal_opens_by_its_socket_alone_in_the_language_of_the_site(box: Box, tmp_path: Path) -> None:
    call = [*YELEN, "tui", "--socket", box.addresses["rpc"], "--post", "accueil-1", "--data", str(tmp_path / "nowhere")]
    with Terminal(call, PYTHONPATH=str(ROOT)) as terminal:
        terminal.wait_for("Password")
        assert "CHU de Gaulle" in terminal.text
        assert "accueil-1" in terminal.text


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    """The sockets and posts that a terminal was opened with."""
    opened: list[tuple[Path, str]] = []
    monkeypatch.setattr(tui, "run", lambda socket, post: opened.append((socket, post)) or 0)
    return opened


@pytest.fixture
def service_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The socket of a box that systemd keeps; the person is in a folder of their own, with no `yelen-data`."""
    path = tmp_path / "service.sock"
    path.touch()
    monkeypatch.setattr(command, "SERVICE_SOCKET", path)
    monkeypatch.delenv("YELEN_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return path


def test_without_a_folder_the_terminal_is_that_of_the_service(
    service_socket: Path, asked: list[tuple[Path, str]]
) -> None:
    done = CliRunner().invoke(main_group, ["tui", "--post", "scanner"])
    assert done.exit_code == 0, done.output
    assert asked == [(service_socket, "scanner")]


@pytest.mark.parametrize("named", ["option", "variable"])
def test_a_folder_that_was_named_is_never_left_for_the_service(
    service_socket: Path, asked: list[tuple[Path, str]], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    if named == "variable":
        monkeypatch.setenv("YELEN_DATA", str(data))
    CliRunner().invoke(main_group, ["tui", *(["--data", str(data)] if named == "option" else [])])
    assert asked == [(data / "yelen.sock", "")]


def test_a_box_in_this_folder_comes_before_the_service(
    service_socket: Path, asked: list[tuple[Path, str]], tmp_path: Path
) -> None:
    assert init(tmp_path / "yelen-data").returncode == 0
    CliRunner().invoke(main_group, ["tui"])
    assert asked == [(tmp_path / "yelen-data" / "yelen.sock", "")]


def test_the_advice_of_a_terminal_that_cannot_be_drawn_on_is_a_command_that_works(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert launch(tmp_path / "no.sock", "") == 2
    program, *words = shlex.split(capsys.readouterr().out.replace("'", "’").rpartition(" : ")[2])
    assert program == "yelen"
    assert yelen(*words, data=box.data).returncode == 0
