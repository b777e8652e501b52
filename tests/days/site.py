"""A hospital of its own for a test: `yelen init`, `yelen serve`, and what an administrator declares on a first day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from core.model.device import Destination, Device, HisSender
from core.model.printing import Printer
from core.rpc.contract import AddUser, Call, SaveDevice, SavePrinter, Status
from install.calls import SaveDestination, SaveExam, SaveRoom, SaveSender
from install.demo.accounts import PASSWORD, PIN, users
from install.demo.furnishing import EXAMS, MACHINES, ROOMS
from install.place import Place
from install.reach import Reach, reach
from tests.install.boxes import Box, init
from tests.replication.buildings import until

R = TypeVar("R")
SETTINGS = ("site.hospital=CHU pédiatrique", "site.patient_prefix=CDG", "site.authority=CHUP")
STAFF = ("accueil", "manip", "radiologue", "urgences", "pediatrie", "admin")


class Site:
    """One building: its data folder and its box, open from `start` to `close`."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.data = folder / "data"
        self.paper = folder / "papier"
        made = init(self.data, *SETTINGS, *settings)
        assert made.returncode == 0, made.stderr
        self.box: Box

    def start(self) -> Site:
        self.box = Box(self.data)
        return self

    def close(self) -> None:
        if self.box.process.poll() is None:
            self.box.stop()

    @property
    def kiosk(self) -> str:
        return f"http://127.0.0.1:{self.box.port('http')}"

    def ask(self, call: Call[R]) -> R:
        """A call of the administrator at the machine's own console."""
        with reach(Place(self.data)) as box:
            return box.ask(call)

    def until_the_copy(self, stands: Callable[[dict[str, Any]], bool], what: str) -> None:
        """Until what the box says of its second building is as wanted."""
        with reach(Place(self.data)) as box:
            until(lambda: stands(box.ask(Status())["replica"]), what)

    def until_the_copy_has_all(self) -> None:
        self.until_the_copy(lambda told: told["lag_seq"] == 0, "everything is acknowledged there")

    def furnish(self, his_port: int = 0) -> Site:
        """Rooms, exams, machines, a printer, accounts, and the HIS when it listens somewhere."""
        with reach(Place(self.data)) as box:
            _furnish(box, self.paper, his_port)
        return self


def _furnish(box: Reach, paper: Path, his_port: int) -> None:
    for room in ROOMS:
        box.ask(SaveRoom(room))
    for exam in EXAMS:
        box.ask(SaveExam(exam))
    for ae_title, modality, room_code in MACHINES:
        machine = Device(ae_title, "127.0.0.1", 0, addresses=("127.0.0.1",), room=room_code, modality=modality)
        box.ask(SaveDevice(machine))
    box.ask(SavePrinter(Printer("PAPIER", "folder", str(paper))))
    box.ask(SaveSender(HisSender("SIH", ("127.0.0.1",), "SIH", "CHUP", "CHUP")))
    if his_port:
        box.ask(SaveDestination(Destination("SIH", "127.0.0.1", his_port, "SIH", "CHUP")))
    for user, _what in users():
        if user.login in STAFF and user.login != "admin":
            box.ask(AddUser(user, PASSWORD, PIN))
