"""A whole department behind the HL7 door: real index, real verbs, real sockets, a clock the test turns."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from core.clock import SetClock
from core.config import load
from core.hl7.door import open_door
from core.hl7.server import MllpServer
from core.index.tables import Inbox
from core.model.device import HisSender
from core.model.order import Exam, Room
from core.model.people import Actor, Role, User
from core.model.query import DayFilter
from core.model.report import ReportText
from core.model.worklist import ExamLine
from core.services import Services, open_services
from tests.hl7.ward import NOW, Caller

ADMIN = Actor("admin", frozenset({Role.ADMINISTRATOR, Role.RECEPTION}), origin="test")
TECHNOLOGIST = Actor("issa", frozenset({Role.TECHNOLOGIST}), origin="test", full_name="Issa TRAORÉ")
RADIOLOGIST = Actor("awa", frozenset({Role.RADIOLOGIST}), origin="test", full_name="Dr Awa SANOU")


class Hospital:
    """Services and the open door; `restart` closes and opens everything on the same data."""

    def __init__(self, data: Path, *settings: str) -> None:
        self.data = data
        self.settings = ("hl7.port=0", "site.authority=CDG", *settings)
        self.clock = SetClock(NOW)
        self.services: Services
        self.server: MllpServer
        self.open()

    def open(self) -> None:
        self.services = open_services(load(self.data, self.settings), clock=self.clock)
        self.server = open_door(self.services)

    def close(self) -> None:
        self.server.stop()
        self.services.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def call(self) -> Caller:
        return Caller(self.server.port)

    def exams(self) -> list[ExamLine]:
        day = DayFilter(self.services.today())
        return list(self.services.scheduling.day_page(ADMIN, day).lines)

    def names(self) -> list[str]:
        return sorted(p.name for p in self.services.patients.search(ADMIN, "O"))

    def states(self) -> list[str]:
        """Of every message kept, in order of arrival."""
        return [row.state for row in Inbox.select().order_by(Inbox.id)]

    def do_exam(self, step_id: int) -> None:
        self.services.scheduling.arrive(ADMIN, step_id)
        self.services.acquisition.start(TECHNOLOGIST, step_id)
        self.services.acquisition.complete(TECHNOLOGIST, step_id)

    def sign(self, step_id: int, text: ReportText) -> None:
        reports = self.services.reports
        reports.open(RADIOLOGIST, step_id)
        reports.save_draft(RADIOLOGIST, step_id, text)
        view = reports.signer_view(RADIOLOGIST, step_id, text)
        reports.sign(RADIOLOGIST, step_id, text, "2468", view.shown_hash, "sans image" if view.reason_needed else "")


@contextlib.contextmanager
def open_hospital(data: Path, *settings: str) -> Iterator[Hospital]:
    (data / "yelen.toml").write_text(
        '[site]\nhospital = "CHU Charles de Gaulle"\npatient_prefix = "CDG"\nauthority = "CDG"\n'
    )
    hospital = Hospital(data, *settings)
    try:
        services = hospital.services
        services.devices.save_sender(ADMIN, HisSender("SIH", ("127.0.0.1",), authority="CDG"))
        services.orders.save_room(ADMIN, Room("RX1", "Radiographie 1", "DX", ("RX_AE",)))
        services.orders.save_exam(ADMIN, Exam("THX", "Radiographie du thorax", "DX", ("RX1",)))
        services.people.add_user(
            ADMIN, User("awa", "Dr Awa SANOU", frozenset({Role.RADIOLOGIST})), "une phrase assez longue", "2468"
        )
        yield hospital
    finally:
        hospital.close()


def main() -> None:
    """Serve the data folder of the first argument until somebody kills us; says the port."""
    hospital = Hospital(Path(sys.argv[1]))
    print(hospital.server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
