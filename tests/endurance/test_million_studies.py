"""A hospital after many years: a million studies in the index, the box that opens it, and what people ask of it.

Only hanging is a failure here; the figures are printed beside their targets, which are compared on a quiet machine.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.model.device import Device
from core.model.query import DayFilter
from core.rpc.client import Client
from core.rpc.contract import GetDayPage, SaveDevice, SearchPatients, Unmatched
from install.demo.accounts import PASSWORD
from install.demo.browser import Browser
from install.place import Place
from install.reach import reach
from tests.bench.find import Client as Asker
from tests.bench.find import Question
from tests.bench.full_archive import FAMILIES
from tests.days.site import Site
from tests.endurance.years import WARDS, written

TIMES = 40
HANGING_S = 10.0  # for one answer
START_S = 60.0
STUDIES = [20_000, pytest.param(1_000_000, marks=pytest.mark.full)]


@dataclass
class Figures:
    """What was measured: seconds of each answer, and how much was in it."""

    rows: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def of(self, what: str, target: str, ask: Callable[[], int], times: int = TIMES) -> None:
        ask()
        seconds, found = [], 0
        for _ in range(times):
            start = time.perf_counter()
            found = ask()
            seconds.append(time.perf_counter() - start)
        seconds.sort()
        p95 = seconds[int(len(seconds) * 0.95)]
        self.slowest = max(self.slowest, seconds[-1])
        self.add(
            what, f"{found} rows, median {1e3 * statistics.median(seconds):.1f} ms, p95 {1e3 * p95:.1f} ms", target
        )

    def add(self, what: str, measured: str, target: str) -> None:
        self.rows.append(f"{what:<44} {measured:<52} {target}")


@pytest.fixture(params=STUDIES, scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, int]]:
    """A box that was never started before its index was full."""
    site = Site(tmp_path_factory.mktemp("annees"))
    written(site.data, request.param)
    yield site, request.param
    site.close()


@contextmanager
def opened(site: Site, figures: Figures) -> Iterator[Site]:
    """The first start makes the triggers again and looks at nothing else; the second is what every morning is."""
    for what in ("first start to « prêt »", "start to « prêt »", "start to « prêt » after a kill"):
        start = time.perf_counter()
        site.start()
        figures.add(what, f"{time.perf_counter() - start:.2f} s", "≤ 3 s at 100,000; ≤ 10 s after a kill")
        assert time.perf_counter() - start < START_S
        if "kill" not in what:
            (site.box.kill if what.startswith("start") else site.box.stop)()
    with reach(Place(site.data)) as box:
        box.ask(SaveDevice(Device("BENCH", role="workstation", addresses=("127.0.0.1",), all_rooms=True)))
    site.furnish()
    yield site


def test_years_of_work_are_found_quickly(site: tuple[Site, int]) -> None:
    house, studies = site
    figures = Figures()
    with opened(house, figures):
        _machines(house, studies, figures)
        _terminals(house, figures)
        _browsers(house, figures)
    print(f"\n{studies:,} studies", *figures.rows, sep="\n")
    assert figures.slowest < HANGING_S


def _machines(site: Site, studies: int, figures: Figures) -> None:
    asker, dice = Asker(("127.0.0.1", site.box.port("dicom"))), random.Random(studies)
    today = datetime.now(UTC)
    week = f"{today - timedelta(days=7):%Y%m%d}-{today:%Y%m%d}"

    def find(*keys: tuple[int, str, str]) -> int:
        return asker.find(Question("", "STUDY", lambda _dice: []), list(keys))[0]

    one = lambda: find((0x0020000D, "UI", f"1.2.826.0.1.{dice.randrange(1, studies)}"))  # noqa: E731
    figures.of("C-FIND one study by UID", "p95 < 10 ms", one)
    number = lambda: find((0x00100020, "LO", f"CDG{dice.randrange(1, studies // 3):07}"))  # noqa: E731
    figures.of("C-FIND one patient number", "p95 < 10 ms", number)
    figures.of(
        "C-FIND a week of one modality", "any capped query < 300 ms",
        lambda: find((0x00080020, "DA", week), (0x00080061, "CS", "CT")),
    )  # fmt: skip
    prefix = lambda: find((0x00100010, "PN", f"{dice.choice(FAMILIES)[:4]}*"), (0x00080020, "DA", week))  # noqa: E731
    figures.of("C-FIND a name prefix in a week", "any capped query < 300 ms", prefix)
    figures.of(
        "C-FIND a name prefix, all years", "any capped query < 300 ms", lambda: find((0x00100010, "PN", "OUED*"))
    )
    figures.of("C-FIND nothing but empty keys", "any capped query < 300 ms", find)
    asker.socket.close()


def _terminals(site: Site, figures: Figures) -> None:
    today = datetime.now(UTC).date()
    with _terminal(site, "salle1", "manip") as desk:
        pages = {
            "day list, first page": DayFilter(today),
            "day list of a ward": DayFilter(today, ward=WARDS[0]),
            "day list, a name typed": DayFilter(today, text="sawa"),
            "day list, a number typed": DayFilter(today, text="CDG0000123"),
        }
        for what, wanted in pages.items():
            figures.of(what, "< 200 ms", lambda w=wanted: len(desk.ask(GetDayPage(w, 0, 50)).lines))  # type: ignore[misc]
        figures.of("« à rapprocher »", "< 200 ms", lambda: len(desk.ask(Unmatched())), 10)
    with _terminal(site, "accueil1", "accueil") as desk:
        for text in ("ouedraogo awa", "CDG0001234", "zzz"):
            search = SearchPatients(text)
            figures.of(f"patients « {text} »", "< 200 ms", lambda s=search: len(desk.ask(s)), 10)  # type: ignore[misc]


@contextmanager
def _terminal(site: Site, post: str, login: str) -> Iterator[Client]:
    client = Client(Path(site.box.addresses["rpc"]), post).start()
    try:
        assert client.wait_until_up(20)
        client.login(login, PASSWORD)
        yield client
    finally:
        client.close()


def _browsers(site: Site, figures: Figures) -> None:
    for login, path, what in (
        ("radiologue", "/lecture", "kiosk: reading list"),
        ("urgences", "/", "kiosk: the ward's list"),
        ("manip", "/", "kiosk: the whole day"),
    ):
        browser = Browser(site.kiosk)
        browser.get("/connexion")
        browser.submit("/connexion", nom=login, secret=PASSWORD)
        figures.of(f"{what} (bytes)", "p95 ≤ 200 ms", lambda b=browser, p=path: len(b.get(p)))  # type: ignore[misc]
