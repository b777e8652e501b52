"""A department on disk: the real index, archive and verbs, with two rooms, three machines and a few children."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from core.clock import Clock
from core.config import filled_template, load
from core.dicom.commitment_report import CommitmentReports
from core.dicom.door import open_door
from core.dicom.header import walk
from core.dicom.limits import Limits
from core.dicom.rejection_note import write
from core.dicom.server import DicomServer
from core.imaging.imaging import Imaging
from core.index.opening import Index
from core.model.birth import UNKNOWN, on_day
from core.model.device import Device
from core.model.order import Exam, OrderDraft, Room
from core.model.patient import Demographics
from core.model.people import Actor, Role
from core.model.worklist import ExamLine
from core.services import Ports, Services, open_services
from tests.dicom.modality import PATIENCE

RECEPTION = Actor("mariam", frozenset({Role.RECEPTION, Role.ADMINISTRATOR}), origin="test")


class Department:
    """What the door asks, and what the hospital does meanwhile."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.reports: CommitmentReports | None = None
        self.kit = services.kit
        self.devices = services.devices
        self.ingest = services.ingest
        self.scheduling = services.scheduling
        self.orders = services.orders
        self.patients = services.patients

    @property
    def index(self) -> Index:
        return self.kit.index

    def door(self, **limits: Any) -> DicomServer:
        settings = self.kit.config.dicom
        chosen = Limits(**{"tick": 0.05, **limits})
        spool = self.kit.archive.data / "spool"
        zone = self.kit.config.site.timezone
        leave = self.services.release_thread
        return open_door(self.services, settings, zone, spool, self.kit.clock, leave, chosen, reports=self.reports)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true, looked at after each act that tells the screens."""
        news = threading.Event()
        undo = self.index.writer.watch(lambda _changes: news.set())
        try:
            while not true():
                assert news.wait(PATIENCE), "it never came"
                news.clear()
        finally:
            undo()

    def machine(self, ae_title: str, **fields: Any) -> None:
        self.devices.save(RECEPTION, Device(ae_title, **{"addresses": ("127.0.0.1",), **fields}))

    def child(self, family: str, given: str, birth: str = "", sex: str = "F") -> int:
        born = on_day(date.fromisoformat(birth)) if birth else UNKNOWN
        who = Demographics(family, given, born, sex)
        return self.patients.register(RECEPTION, who, reason="un autre enfant").id

    def order(self, patient_id: int, exam: str, room: str, at: datetime, **fields: Any) -> ExamLine:
        draft = OrderDraft(
            patient_id,
            exam,
            prescriber="SAWADOGO^Paul",
            indication="Traumatisme crânien, œdème",
            scheduled_at=at,
            room=room,
            **fields,
        )
        return self.orders.place(RECEPTION, draft)


def open_department(data: Path, clock: Clock, *settings: str, imaging: Imaging | None = None) -> Department:
    hospital = ["site.hospital=CHU pédiatrique", "site.patient_prefix=CDG", "site.authority=CHUP-CDG"]
    (data / "yelen.toml").write_text(filled_template(hospital), "utf-8")
    config = load(data, ["dicom.port=0", *settings])
    department = Department(open_services(config, Ports(read_header=walk, write_note=write), clock, imaging))
    _furnish(department)
    return department


def department_of(data: Path) -> Department:
    """A department around an index that is there already, which a machine called BENCH may ask anything."""
    from core.clock import SystemClock

    (data / "spool").mkdir(exist_ok=True)
    department = open_department(data, SystemClock())
    department.machine("BENCH", role="workstation", charset="ISO_IR 192", all_rooms=True)
    return department


def _furnish(department: Department) -> None:
    department.orders.save_room(RECEPTION, Room("SCAN", "Scanner", "CT", ("CT1",)))
    department.orders.save_room(RECEPTION, Room("ECHO", "Échographie", "US", ("US1", "US2")))
    department.orders.save_exam(RECEPTION, Exam("TDMCER", "Scanner cérébral", "CT", ("SCAN",)))
    department.orders.save_exam(RECEPTION, Exam("ECHABD", "Échographie abdominale", "US", ("ECHO",)))
    department.machine("CT1", room="SCAN", modality="CT")
    department.machine("US1", room="ECHO", modality="US", charset="ascii")
    department.machine("WS1", role="workstation", charset="ISO_IR 192")
