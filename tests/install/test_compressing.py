"""The thread that makes the archive smaller gives way on battery, survives a fault of ours, and leaves when told."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.imaging.process import Cancellation
from install.power import on_battery
from install.wiring import compressing

PATIENCE = 30.0


def supply(folder: Path, name: str, **said: str) -> None:
    (folder / name).mkdir()
    for attribute, value in said.items():
        (folder / name / attribute).write_text(value + "\n")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"type": "Battery", "status": "Discharging"}, True),
        ({"type": "UPS", "status": "Discharging"}, True),
        ({"type": "Battery", "status": "Charging"}, False),
        ({"type": "Battery", "status": "Discharging", "scope": "Device"}, False),  # a mouse
        ({"type": "Mains", "online": "1"}, False),
        ({"type": "USB", "online": "0"}, False),
    ],
)
def test_a_machine_is_on_battery_when_one_of_its_own_discharges(
    tmp_path: Path, said: dict[str, str], expected: bool
) -> None:
    supply(tmp_path, "one", **said)
    assert on_battery(tmp_path) is expected


def test_a_machine_that_says_nothing_is_on_the_mains(tmp_path: Path) -> None:
    assert on_battery(tmp_path / "nowhere") is False


class Turned:
    """Plays the service: fails once, then waits for the box to leave."""

    def __init__(self) -> None:
        self.turns = 0
        self.twice, self.cancelled = threading.Event(), threading.Event()

    def turn(self, cancel: Cancellation) -> float:
        self.turns += 1
        if self.turns == 1:
            raise RuntimeError("a fault of ours")
        cancel.then(self.cancelled.set)
        self.twice.set()
        assert self.cancelled.wait(PATIENCE)
        return 0.0


def test_a_fault_does_not_end_it_and_a_stop_gives_up_the_image_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressing, "FIRST_S", 0.0)
    monkeypatch.setattr(compressing, "AFTER_FAULT_S", 0.0)
    work, released = Turned(), threading.Event()
    house: Any = SimpleNamespace(services=SimpleNamespace(compression=work, release_thread=released.set))
    door = compressing.plan(house).open()
    assert work.twice.wait(PATIENCE)
    door.stop()
    assert work.cancelled.is_set()
    assert released.is_set()
