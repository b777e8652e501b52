"""The hospital of the tests: rooms, exams, machines and people on a real index and archive in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from core.archive.disk import Disk
from core.clock import Clock, SetClock
from core.config import (
    Archive,
    Config,
    Dicom,
    Hl7,
    Imaging,
    Printing,
    Replica,
    Reports,
    Rpc,
    Scheduling,
    Site,
    Storage,
    Web,
)
from core.imaging.imaging import Imaging as Worker
from core.model.device import Destination, Device, HisSender
from core.model.order import Exam, Room
from core.model.people import Actor, Role, User
from core.model.printing import Printer
from core.services import Ports, Services, open_services

MORNING = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
PASSWORD, PIN = "bonjour-yelen", "4321"

EXAMS = (
    Exam("TDM-CRANE", "TDM CRANE C-", "CT", ("SC1",), 20, "à jeun 4 h si sédation"),
    Exam("TDM-ABDO", "TDM ABDO C+", "CT", ("SC1",), 30, "à jeun 4 h", contrast_possible=True),
    Exam("RX-THORAX", "RX THORAX F", "DX", ("RX1",), 10),
    Exam("ECHO-ABDO", "ECHO ABDO", "US", ("EC1",), 20, "à jeun 4 h"),
    Exam("IRM-CRANE", "IRM CRANE", "MR", ("IR1",), 40, needs_vetting=True),
)
ROOMS = (
    Room("SC1", "Scanner", "CT", ("SCANNER1",)),
    Room("RX1", "Radiographie", "DX", ("RADIO1",)),
    Room("EC1", "Échographie", "US", ("ECHO1",)),
    Room("IR1", "IRM", "MR", ("IRM1",)),
)
DEVICES = (
    Device("SCANNER1", "127.0.0.1", 0, addresses=("127.0.0.1",), room="SC1", modality="CT"),
    Device("RADIO1", "127.0.0.1", 0, addresses=("127.0.0.1",), room="RX1", modality="DX"),
    Device("ECHO1", "127.0.0.1", 0, addresses=("127.0.0.1",), room="EC1", modality="US"),
    Device("IRM1", "127.0.0.1", 0, addresses=("127.0.0.1",), room="IR1", modality="MR"),
    Device("STATION1", "127.0.0.1", 0, role="workstation", addresses=("127.0.0.1",), all_rooms=True),
)
USERS = (
    User("reception1", "Awa KABORE", frozenset({Role.RECEPTION})),
    User("manip1", "Issa SANOU", frozenset({Role.TECHNOLOGIST})),
    User("dr.traore", "Dr Salif TRAORE", frozenset({Role.RADIOLOGIST})),
    User("interne1", "Dr Mariam OUATTARA", frozenset({Role.RESIDENT})),
    User("urg1", "Dr Fatou DIALLO", frozenset({Role.CLINICIAN}), ward="URG"),
    User("ped1", "Dr Paul ZONGO", frozenset({Role.CLINICIAN}), ward="PED"),
    User("iv1", "Rasmata ILBOUDO", frozenset({Role.IDENTITY_OFFICER})),
    User("admin", "Yacouba NIKIEMA", frozenset({Role.ADMINISTRATOR})),
)


def site_config(data: Path, **sections: object) -> Config:
    """The site of the tests; a section may be replaced by keyword."""
    made: dict[str, object] = {
        "data": data,
        "site": Site("CHU pédiatrique", "CDG", "CHUP"),
        "dicom": Dicom(port=0),
        "hl7": Hl7(port=0),
        "web": Web(port=0),
        "rpc": Rpc(),
        "storage": Storage(warn_percent=0, reserve_percent=0),
        "archive": Archive(),
        "imaging": Imaging(),
        "replica": Replica(),
        "printing": Printing(),
        "reports": Reports(),
        "scheduling": Scheduling(),
    }
    return Config(**(made | sections))  # type: ignore[arg-type]


def actor(login: str, origin: str = "test") -> Actor:
    """A person of the hospital, already logged in."""
    user = next(u for u in USERS if u.login == login)
    return Actor(user.login, user.roles, ward=user.ward, origin=origin, full_name=user.full_name)


RECEPTION = actor("reception1")
TECHNOLOGIST = actor("manip1")
RADIOLOGIST = actor("dr.traore")
RESIDENT = actor("interne1")
CLINICIAN = actor("urg1")
OTHER_WARD = actor("ped1")
IDENTITY = actor("iv1")
ADMIN = actor("admin")
HIS = Actor.system("SIH", "hl7 SIH@127.0.0.1")


def furnish(services: Services, paper: Path | None = None, accounts: bool = True) -> None:
    """Rooms, catalogue, machines, people, a HIS and a folder printer."""
    for room in ROOMS:
        services.orders.save_room(ADMIN, room)
    for exam in EXAMS:
        services.orders.save_exam(ADMIN, exam)
    for device in DEVICES:
        services.devices.save(ADMIN, device)
    services.devices.save_sender(ADMIN, HisSender("SIH", ("127.0.0.1",), authority="CHUP"))
    if paper is not None:
        paper.mkdir(exist_ok=True)
        services.printing.save_printer(ADMIN, Printer("LASER1", "folder", str(paper)))
    if accounts:
        for user in USERS:
            services.people.add_user(ADMIN, user, PASSWORD, PIN)


def add_destination(services: Services, port: int) -> None:
    """The HIS also listens, for results."""
    services.devices.save_destination(ADMIN, Destination("SIH", "127.0.0.1", port))


@contextmanager
def hospital(
    folder: Path,
    clock: Clock | None = None,
    ports: Ports | None = None,
    config: Config | None = None,
    disk: Disk | None = None,
    imaging: Worker | None = None,
    accounts: bool = False,
) -> Iterator[Services]:
    """An open hospital, one at a time in a process. accounts: argon2 takes its time, so only when somebody logs in."""
    (folder / "secrets").mkdir(parents=True, exist_ok=True, mode=0o700)
    services = open_services(config or site_config(folder), ports, clock or SetClock(MORNING), imaging, disk)
    try:
        if not services.orders.rooms():
            furnish(services, folder / "papier", accounts)
        yield services
    finally:
        services.close()
