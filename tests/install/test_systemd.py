"""What systemd is told by the box, and what the unit allows it."""

from __future__ import annotations

import configparser
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import OutOfResources
from core.index.writer import Unit
from install.box import beat
from install.notify import notify
from tests.install.boxes import Box, init
from tests.people.hospital import hospital
from tests.skips import NO_SYSTEMD

INSTALL = Path(__file__).parents[2] / "install"
UNIT = INSTALL / "systemd" / "yelen.service"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd listens to its service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def test_systemd_hears_ready_then_beats_then_stopping(manager: socket.socket, tmp_path: Path) -> None:
    assert init(tmp_path / "data").returncode == 0
    variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    box = Box(tmp_path / "data", **variables)
    assert manager.recv(100) == b"READY=1"
    assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    assert box.stop() == 0
    while (said := manager.recv(100)) == b"WATCHDOG=1":
        pass
    assert said == b"STOPPING=1"


class Death(BaseException):
    """What no act may catch."""


def test_a_box_that_writes_no_more_gives_no_beat(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its acts are refused at once, so that only the silence tells systemd to start it anew."""

    def dies(_unit: Unit) -> None:
        raise Death

    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with hospital(tmp_path / "data") as services:
        writer = services.kit.index.writer
        beat(writer)
        assert manager.recv(100) == b"WATCHDOG=1"
        with pytest.raises(OutOfResources):
            writer.do(dies)
        beat(writer)
        notify("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


def service() -> dict[str, str]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return dict(parser["Service"])


def test_the_unit_restarts_for_ever_and_waits_for_ready() -> None:
    unit = service()
    assert (unit["Type"], unit["Restart"], unit["RestartSec"]) == ("notify", "always", "2")
    assert "StartLimitIntervalSec=0" in UNIT.read_text()
    assert unit["WatchdogSec"] == "30"


def test_the_unit_names_a_command_that_exists() -> None:
    from install.cli import COMMANDS

    program, command, *options = service()["ExecStart"].split()
    assert program == "/opt/yelen/.venv/bin/yelen"
    assert "-m venv .venv" in (INSTALL / "setup").read_text()
    assert command in COMMANDS
    assert options == ["--data", "/var/lib/yelen"]


def test_the_service_and_the_commands_read_the_same_socket_in_yelen_toml() -> None:
    """What only ExecStart knew, `yelen status` and `yelen backup` would not."""
    assert "--set rpc." not in service()["ExecStart"]
    manual = (INSTALL / "README.md").read_text(encoding="utf-8")
    init = manual.split("yelen init --data /var/lib/yelen", 1)[1].split("sudo cp", 1)[0]
    assert "--set rpc.path=/run/yelen/yelen.sock --set rpc.group=yelen-tui" in init
    assert service()["RuntimeDirectory"] == "yelen"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason=NO_SYSTEMD)
def test_systemd_finds_the_unit_well_protected() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", str(UNIT)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert found, told
    assert float(found[1]) <= 2.0
