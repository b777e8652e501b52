"""What the demo hospital has: rooms, machines, catalogue, printers, accounts, a HIS. Done twice it changes nothing."""

from __future__ import annotations

from pathlib import Path

from core.errors import Conflict
from core.model.device import Destination, Device, HisSender
from core.model.order import Exam, Room
from core.model.people import Actor, Role
from core.model.printing import Printer
from core.services import Services
from install.demo.accounts import PASSWORD, PIN, users

ROOMS = (
    Room("SC1", "Scanner", "CT", ("SCANNER1",), "00:00", "23:59"),
    Room("RX1", "Radiographie", "DX", ("RADIO1",), "00:00", "23:59"),
    Room("EC1", "Échographie", "US", ("ECHO1",), "00:00", "23:59"),
    Room("IR1", "IRM", "MR", ("IRM1",), "00:00", "23:59"),
)
EXAMS = (
    Exam("TDM-CRANE", "TDM CRANE C-", "CT", ("SC1",), 20, "À jeun 4 heures si sédation.", "TDM-CRANE"),
    Exam(
        "TDM-ABDO",
        "TDM ABDO C+",
        "CT",
        ("SC1",),
        30,
        "À jeun 4 heures. Créatinine de moins d'un mois.",
        contrast_possible=True,
    ),
    Exam("RX-THORAX", "RX THORAX F", "DX", ("RX1",), 10, "", "RX-THORAX"),
    Exam("RX-MAIN", "RX MAIN AGE OSSEUX", "DX", ("RX1",), 10),
    Exam(
        "ECHO-ABDO",
        "ECHO ABDO",
        "US",
        ("EC1",),
        20,
        "À jeun 4 heures (nourrisson : juste avant la tétée).",
        "ECHO-ABDO",
    ),
    Exam("ECHO-ETF", "ECHO TRANSFONTANELLAIRE", "US", ("EC1",), 15),
    Exam(
        "IRM-CRANE",
        "IRM CRANE",
        "MR",
        ("IR1",),
        40,
        "Pas d'objet métallique. Sédation à prévoir avant 5 ans.",
        "IRM-CRANE",
        True,
    ),
)
MACHINES = (("SCANNER1", "CT", "SC1"), ("RADIO1", "DX", "RX1"), ("ECHO1", "US", "EC1"), ("IRM1", "MR", "IR1"))


def furnish(services: Services, paper: Path, his_port: int) -> None:
    """Everything above, and the port where this day's HIS listens for results."""
    admin = Actor("demo", frozenset(Role), origin="demo")
    for room in ROOMS:
        services.orders.save_room(admin, room)
    for exam in EXAMS:
        services.orders.save_exam(admin, exam)
    for ae_title, modality, room_code in MACHINES:
        device = Device(
            ae_title, "127.0.0.1", 0, addresses=("127.0.0.1",), room=room_code, modality=modality, charset="ISO_IR 192"
        )
        services.devices.save(admin, device)
    services.devices.save(admin, Device("STATION1", "127.0.0.1", 11113, "workstation", ("127.0.0.1",), all_rooms=True))
    services.devices.save_sender(admin, HisSender("SIH", ("127.0.0.1",), "SIH", "CHUP", "CHUP"))
    services.devices.save_destination(admin, Destination("SIH", "127.0.0.1", his_port, "SIH", "CHUP"))
    paper.mkdir(exist_ok=True)
    services.printing.save_printer(admin, Printer("PAPIER", "folder", str(paper)))
    for user, _what in users():
        try:
            services.people.add_user(admin, user, PASSWORD, PIN)
        except Conflict:
            continue
