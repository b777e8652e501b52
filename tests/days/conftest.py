"""A box that many short tests share, its HIS and its scanner, and people before browsers of their own."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from pydicom.dataset import Dataset

from core.rpc.client import Client
from core.rpc.contract import Call, LoginAsOwner
from install.demo.accounts import PASSWORD
from install.demo.children import Child
from tests.days.his import His, verdict
from tests.days.machines import Machine
from tests.days.second import SecondBuilding
from tests.days.site import Site
from tests.days.witness import Witness

R = TypeVar("R")
HANGING_S = 30.0
SCREEN = {"width": 1024, "height": 768}
Seat = Callable[[str, str], Page]
_numbers = itertools.count(1)


@dataclass
class Department:
    """A running box with who talks to it."""

    site: Site
    his: His
    scanner: Machine
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self.witness = Witness(self.site.data)

    def port(self, door: str) -> int:
        return self.site.box.port(door)

    def child(self, family: str = "SAWADOGO") -> Child:
        """A child that nobody has seen yet."""
        number = next(_numbers)
        return Child(f"CDG00{70000 + number}", family, f"Rasmata{number}", "20210314", "F", ward="URG")

    def order(self, child: Child) -> Dataset:
        """Admitted and ordered by the HIS; the item of the worklist."""
        orders = self.his.orders(
            self.port("hl7"), child, "TDM-CRANE", f"P{child.number}", self.scanner.ae_title, "Trauma crânien"
        )
        assert verdict(orders) == ("AA", self.his.control_id)
        return self.item_of(child)

    def item_of(self, child: Child) -> Dataset:
        (item,) = (i for i in self.scanner.worklist(self.port("dicom")) if i.PatientID == child.number)
        return item

    def once(self, topic: str, call: Call[R], reached: Callable[[R], bool]) -> R:
        """The answer of a call once it is as wanted; asked again at each push of the topic."""
        news = threading.Event()
        terminal = Client(Path(self.site.box.addresses["rpc"]), on_changes=lambda _changes: news.set()).start()
        try:
            assert terminal.wait_until_up(HANGING_S)
            terminal.ask(LoginAsOwner())
            terminal.watch((topic,)).result(HANGING_S)
            while not reached(answer := terminal.ask(call)):
                assert news.wait(HANGING_S), f"nothing more happens: {answer}"
                news.clear()
            return answer
        finally:
            terminal.close()

    def connect(self, door: str) -> socket.socket:
        """A bare connection to one of the doors."""
        if door != "rpc":
            return socket.create_connection(("127.0.0.1", self.port(door)), HANGING_S)
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(HANGING_S)
        line.connect(self.site.box.addresses["rpc"])
        return line


@pytest.fixture(scope="session")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Department]:
    folder = tmp_path_factory.mktemp("hopital")
    site, his = Site(folder).start().furnish(), His()
    yield Department(site, his, Machine("SCANNER1", "CT", folder))
    his.close()
    site.close()


@pytest.fixture
def second(tmp_path: Path) -> Iterator[SecondBuilding]:
    """A second building that has been prepared; a test starts it when it wants."""
    building = SecondBuilding(tmp_path)
    yield building
    building.close()


@pytest.fixture
def seat(chromium: Browser) -> Iterator[Seat]:
    """`seat(kiosk, login)`: somebody sits down at a browser of their own and logs in."""
    opened: list[BrowserContext] = []

    def sit(kiosk: str, login: str) -> Page:
        opened.append(chromium.new_context(viewport=SCREEN, base_url=kiosk, locale="fr-FR"))  # type: ignore[arg-type]
        page = opened[-1].new_page()
        page.goto("/connexion")
        page.fill("[name=nom]", login)
        page.fill("[name=secret]", PASSWORD)
        page.click("text=Entrer")
        page.wait_for_url(lambda url: "/connexion" not in url)
        return page

    yield sit
    for context in opened:
        context.close()


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    folder = tmp_path / "disque"
    folder.mkdir()
    return folder
