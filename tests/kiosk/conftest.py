"""A hospital with its imaging worker and its paper, and people at browsers without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from core.clock import SetClock
from core.errors import Conflict
from core.imaging.imaging import Imaging
from core.services import Ports, Services
from kiosk import create_app
from printers.pages.press import Press
from tests.kiosk.exams import Exams
from tests.kiosk.person import Person
from tests.people.hospital import ADMIN, MORNING, PASSWORD, PIN, USERS, hospital, site_config


@pytest.fixture(scope="session")
def worker() -> Iterator[Imaging]:
    imaging = Imaging()
    yield imaging
    imaging.close()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def services(tmp_path: Path, worker: Imaging, clock: SetClock) -> Iterator[Services]:
    ports = Ports(pages=Press(site_config(tmp_path).site))
    with hospital(tmp_path, clock, ports, imaging=worker) as opened:
        yield opened


@pytest.fixture
def exams(services: Services) -> Exams:
    account(services, "dr.traore")
    return Exams(services)


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@pytest.fixture
def log_in(app: Flask, services: Services) -> Callable[[str], Person]:
    def enter(login: str) -> Person:
        account(services, login)
        person = Person(app.test_client())
        person.log_in(login, PASSWORD)
        return person

    return enter


@pytest.fixture
def clinician(log_in: Callable[[str], Person]) -> Person:
    """Of the ward that asks for the exams of the tests: URG."""
    return log_in("urg1")


@pytest.fixture
def other_ward(log_in: Callable[[str], Person]) -> Person:
    return log_in("ped1")


@pytest.fixture
def radiologist(log_in: Callable[[str], Person]) -> Person:
    return log_in("dr.traore")


@pytest.fixture
def stranger(app: Flask) -> Person:
    return Person(app.test_client())


def account(services: Services, login: str) -> None:
    """An account when it is first needed: hashing takes its time."""
    user = next(user for user in USERS if user.login == login)
    try:
        services.people.add_user(ADMIN, user, PASSWORD, PIN)
    except Conflict:
        return
