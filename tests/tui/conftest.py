"""A real department behind a real socket, and posts: the real program on pseudo-terminals."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.model import birth
from core.model.order import OrderDraft
from core.model.patient import Demographics
from core.model.query import DayFilter
from core.model.worklist import ExamLine
from core.rpc.server import RpcServer
from core.services import Ports, Services
from core.services.ports import Page
from tests.people.hospital import ADMIN, MORNING, PASSWORD, PIN, RECEPTION, USERS, hospital
from tests.tui.harness import Terminal

CHILDREN = (
    ("OUEDRAOGO", "Aïcha", "F", 1653, "TDM-CRANE"),
    ("SAWADOGO", "Moussa", "M", 340, "RX-THORAX"),
    ("KABORE", "Fatou", "F", 3300, "ECHO-ABDO"),
    ("ZONGO", "Rasmané", "M", 5200, "TDM-CRANE"),
    ("ZONGO", "Rasmané", "M", 2, "RX-THORAX"),
)
ROOM_OF = {"TDM-CRANE": "SC1", "RX-THORAX": "RX1", "ECHO-ABDO": "EC1"}


class PaperPages:
    """Sheets with one word: what is drawn on paper is tested elsewhere."""

    def report(self, version: object, exam: ExamLine) -> Page:
        return Page(b"%PDF compte rendu", "application/pdf", 1)

    def label(self, exam: ExamLine, language: str) -> Page:
        return Page(b"%PDF etiquette " + exam.patient_number.encode(), "application/pdf", 1)

    def wristband(self, exam: ExamLine) -> Page:
        return Page(b"%PDF wristband", "application/pdf", 1)

    def convocation(self, exam: ExamLine, preparation: str) -> Page:
        return Page(b"%PDF convocation", "application/pdf", 1)


@dataclass
class Department:
    """The services, their socket, and the people in it."""

    services: Services
    socket: Path
    server: RpcServer

    def line(self, step_id: int) -> ExamLine:
        return self.services.scheduling.line(RECEPTION, step_id)

    def lines(self) -> tuple[ExamLine, ...]:
        return self.services.scheduling.day_page(RECEPTION, DayFilter(self.services.today()), 0, 500).lines

    def child(self, family: str, given: str, sex: str, days: int, exam: str, minutes: int) -> ExamLine:
        """A child with an exam `minutes` after eight."""
        born = birth.on_day(self.services.today() - timedelta(days=days))
        child = Demographics(family, given, born, sex, guardian_phone="70 12 34 56")
        patient = self.services.patients.register(RECEPTION, child, reason="test")
        at = MORNING.replace(hour=8, minute=0) + timedelta(minutes=minutes)
        draft = OrderDraft(
            patient.id, exam, "Dr TRAORE", "Traumatisme", ward="URG", room=ROOM_OF[exam], scheduled_at=at
        )
        return self.services.orders.place(RECEPTION, draft)

    def multiply(self, count: int) -> None:
        """The day has `count` exams: copies of the real ones, later in the day."""
        columns = [c.name for c in self.services.kit.index.db.get_columns("step") if c.name != "id"]
        later = "printf('+%.3f seconds', 18000 + n.i * 0.05)"
        made = {
            "scheduled_step_id": "'C' || n.i || '-' || step.id",
            "scheduled_at": f"strftime('%Y-%m-%dT%H:%M:%f', step.scheduled_at, {later}) || 'Z'",
        }
        values = ", ".join(made.get(c, f"step.{c}") for c in columns)
        rounds = -(-(count - len(CHILDREN)) // len(CHILDREN))
        sql = (
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rounds}) "
            f"INSERT INTO step ({', '.join(columns)}) SELECT {values} FROM n, step WHERE step.id <= {len(CHILDREN)}"
        )
        self.services.kit.index.writer.do(lambda unit: unit.sql(sql, ()))


@pytest.fixture
def department(tmp_path: Path) -> Iterator[Department]:
    with hospital(tmp_path, ports=Ports(pages=PaperPages())) as services:
        for user in USERS[:2]:
            services.people.add_user(ADMIN, user, PASSWORD, PIN)
        server = RpcServer(services, tmp_path / "yelen.sock")
        server.start()
        made = Department(services, tmp_path / "yelen.sock", server)
        for i, (family, given, sex, days, exam) in enumerate(CHILDREN):
            made.child(family, given, sex, days, exam, 20 * i)
        yield made
        server.stop()


Post = Callable[..., Terminal]


@pytest.fixture
def post(department: Department) -> Iterator[Post]:
    """Starts the program on a pseudo-terminal and logs a person in; ended with the test."""
    with ExitStack() as opened:

        def start(login: str = "reception1", **how: Any) -> Terminal:
            argv = [sys.executable, "-m", "tui", str(department.socket), "poste-1"]
            terminal = opened.enter_context(Terminal(argv, **how))
            terminal.boot = terminal.wait_for("Identifiant")
            if login:
                terminal.write(f"{login}\r{PASSWORD}\r".encode())
                terminal.opening = terminal.wait_for("page 1/")
            return terminal

        yield start


@pytest.fixture
def reception(post: Post) -> Terminal:
    return post("reception1")
