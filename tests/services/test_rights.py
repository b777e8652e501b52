"""Who may see and do what is decided in the services, not in a page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import BadInput, NotAllowed, NotFound
from core.model.device import Device, HisSender
from core.model.order import Exam, OrderDraft, Room
from core.model.people import Role, User
from core.model.printing import Printer
from core.model.query import DayFilter
from core.model.worklist import WorklistStatus
from core.services import Services
from tests.people.hospital import (
    ADMIN,
    CLINICIAN,
    OTHER_WARD,
    PASSWORD,
    PIN,
    RADIOLOGIST,
    RECEPTION,
    TECHNOLOGIST,
    USERS,
    hospital,
)
from tests.services.test_identity import planned

ADMINISTRATION: dict[str, Callable[[Services], object]] = {
    "machine": lambda s: s.devices.save(RECEPTION, Device("X")),
    "machine removed": lambda s: s.devices.remove(RECEPTION, "SCANNER1"),
    "sender": lambda s: s.devices.save_sender(RECEPTION, HisSender("X")),
    "account": lambda s: s.people.add_user(RECEPTION, User("x", "X", frozenset({Role.RECEPTION})), "motdepasse"),
    "account removed": lambda s: s.people.remove_user(RECEPTION, "admin"),
    "another's password": lambda s: s.people.set_secret(RECEPTION, "admin", "motdepasse"),
    "room": lambda s: s.orders.save_room(RECEPTION, Room("X", "X", "CT")),
    "exam": lambda s: s.orders.save_exam(RECEPTION, Exam("X", "X", "CT")),
    "printer": lambda s: s.printing.save_printer(RECEPTION, Printer("X", "folder", "/tmp")),
    "messages": lambda s: s.his.messages(RECEPTION),
    "letters": lambda s: s.outbox.letters(RECEPTION),
    "audit": lambda s: s.audit.rows(RECEPTION),
    "quarantine": lambda s: s.ingest.quarantine(RECEPTION),
    "quarantine again": lambda s: s.retrying.retry(RECEPTION, 1),
}


@pytest.mark.parametrize("act", ADMINISTRATION)
def test_reception_does_not_administer(tmp_path: Path, act: str) -> None:
    with hospital(tmp_path) as services, pytest.raises(NotAllowed):
        ADMINISTRATION[act](services)


def test_another_ward_does_not_even_know_the_exam(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, _uid = planned(services)
        patient = services.patients.by_number(RECEPTION, number)
        assert patient is not None
        assert services.scheduling.line(CLINICIAN, step).step_id == step
        for look in (services.scheduling.line, services.scheduling.history, services.reports.versions):
            with pytest.raises(NotFound):
                look(OTHER_WARD, step)
        assert services.patients.exams(OTHER_WARD, patient.id) == []
        assert len(services.patients.exams(CLINICIAN, patient.id)) == 1


def test_a_ward_sees_its_own_list_whatever_it_asks_for(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        planned(services)
        day = services.today()
        assert services.scheduling.day_page(CLINICIAN, DayFilter(day)).total == 1
        assert services.scheduling.day_page(OTHER_WARD, DayFilter(day, ward="URG")).total == 0


def test_the_reading_list_is_the_departments(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        assert services.reports.reading_list(RADIOLOGIST) == []
        with pytest.raises(NotAllowed):
            services.reports.reading_list(CLINICIAN)
        with pytest.raises(NotAllowed):
            services.reconciliation.unmatched(CLINICIAN)


def test_a_technologist_does_not_order(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, _uid = planned(services)
        patient = services.patients.by_number(RECEPTION, number)
        assert patient is not None
        with pytest.raises(NotAllowed):
            services.orders.place(TECHNOLOGIST, OrderDraft(patient.id, "TDM-CRANE", "Dr", "x"))


def test_a_lock_that_nobody_renewed_is_released_and_the_lists_say_so(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        services.reports.open(RADIOLOGIST, step)
        assert services.scheduling.line(RADIOLOGIST, step).report_author == "dr.traore"
        services.reports.release_expired()
        assert services.scheduling.line(RADIOLOGIST, step).report_author == "dr.traore"
        services.clock.advance(31 * 60)  # type: ignore[attr-defined]
        before = services.events.last_id()
        services.reports.release_expired()
        assert services.scheduling.line(RADIOLOGIST, step).report_author == ""
        assert f"report:{step}" in {e.topic for e in services.events.since(before)}


def test_only_who_registers_children_registers_an_unknown_one(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        assert services.patients.register_unknown(TECHNOLOGIST, "F").provisional
        with pytest.raises(NotAllowed):
            services.patients.register_unknown(RADIOLOGIST, "F")


def test_wrong_pins_typed_together_count_one_by_one(tmp_path: Path) -> None:
    """Ten at once are ten; afterwards the right PIN no longer opens, the password does."""
    with hospital(tmp_path) as services:
        services.people.add_user(ADMIN, USERS[0], PASSWORD, PIN)
        together = threading.Barrier(10)

        def guess(pin: int) -> None:
            together.wait(30)
            with pytest.raises(NotAllowed):
                services.people.confirm(RECEPTION, str(pin))
            services.release_thread()

        with ThreadPoolExecutor(10) as guessers:
            list(guessers.map(guess, range(1000, 1010)))
        with pytest.raises(NotAllowed):
            services.people.confirm(RECEPTION, PIN)
        refused = [row for row in services.audit.rows(ADMIN) if row.action == "confirm"]
        assert len(refused) == 11
        services.people.confirm(RECEPTION, PASSWORD)
        services.people.confirm(RECEPTION, PIN)


def test_another_ward_cancels_nothing(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        before = services.scheduling.line(RECEPTION, step).status
        with pytest.raises(NotFound):
            services.scheduling.cancel(OTHER_WARD, step, "erreur")
        assert services.scheduling.line(RECEPTION, step).status is before
        assert services.scheduling.cancel(CLINICIAN, step, "guéri").status is WorklistStatus.CANCELED


@pytest.mark.parametrize("kg", [-5, 0, 2000, float("nan")])
def test_an_order_with_an_impossible_weight_is_not_placed(tmp_path: Path, kg: float) -> None:
    with hospital(tmp_path) as services:
        _step, number, _uid = planned(services)
        patient = services.patients.by_number(RECEPTION, number)
        assert patient is not None
        with pytest.raises(BadInput):
            services.orders.place(RECEPTION, OrderDraft(patient.id, "TDM-CRANE", "Dr", "x", weight_kg=kg))
