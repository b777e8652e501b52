"""New studies go to other machines by themselves, once, and again after a failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from core.clock import SetClock
from core.dicom.router import Router
from core.dicom.send import DicomSender
from core.errors import BadInput, NotAllowed, NotFound
from core.index.tables import Audit, Study, TransferRow
from core.model.people import Actor, Role
from core.model.routing import GIVE_UP, MOST_REFUSALS, STABLE, Route
from tests.dicom.department import RECEPTION, Department
from tests.dicom.stored import Fetched, keep, sink
from tests.peers.ports import free_port

ADMIN = Actor("yacouba", frozenset({Role.ADMINISTRATOR}), origin="test")
US = "1.2.840.10008.5.1.4.1.1.6.1"


@pytest.fixture
def archive(department: Department) -> Iterator[Fetched]:
    """A second archive, declared, to which everything new is sent."""
    with sink("ARCHIVE1") as (port, received):
        department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive")
        department.services.routing.add(ADMIN, Route("ARCHIVE1"))
        yield received


@pytest.fixture
def router(department: Department, clock: SetClock) -> Router:
    services = department.services
    store = DicomSender("YELEN", clock).store
    return Router(services.routing, services.retrieval, services.devices, store, clock)


def rest(clock: SetClock) -> None:
    """No image comes for a while."""
    clock.advance(STABLE.total_seconds() + 1)


def rows() -> list[tuple[str, str, int]]:
    found = TransferRow.select().order_by(TransferRow.id)
    return [(row.destination, row.state, row.sent) for row in found]


def test_a_study_leaves_once_when_it_has_come_to_rest(
    department: Department, archive: Fetched, router: Router, clock: SetClock
) -> None:
    sent = {uid: keep(department, uid) for uid in ("1.2.9.1", "1.2.9.2")}
    router.turn()
    assert archive.objects == {}
    rest(clock)
    router.turn()
    assert archive.objects == sent
    router.turn()
    assert rows() == [("ARCHIVE1", "DONE", 2)]
    [row] = Audit.select().where(Audit.action == "instances_transferred")
    assert json.loads(row.detail)["to"] == "ARCHIVE1"


def test_late_images_leave_after_the_others_and_alone(
    department: Department, archive: Fetched, router: Router, clock: SetClock
) -> None:
    keep(department, "1.2.9.1")
    rest(clock)
    router.turn()
    archive.objects.clear()
    keep(department, "1.2.9.2")
    rest(clock)
    router.turn()
    assert list(archive.objects) == ["1.2.9.2"]


@pytest.mark.parametrize(
    ("route", "leaves"),
    [
        (Route("ARCHIVE1", "CT1", "CT"), True),
        (Route("ARCHIVE1", "ct1 "), True),
        (Route("ARCHIVE1", "US1"), False),
        (Route("ARCHIVE1", modality="MR"), False),
    ],
)
def test_a_route_takes_one_machine_and_one_modality(
    department: Department, router: Router, clock: SetClock, route: Route, leaves: bool
) -> None:
    with sink("ARCHIVE1") as (port, received):
        department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive")
        department.services.routing.add(ADMIN, route)
        keep(department, "1.2.9.1")
        rest(clock)
        router.turn()
        assert bool(received.objects) is leaves


def test_what_was_there_before_the_route_stays(department: Department, router: Router, clock: SetClock) -> None:
    keep(department, "1.2.9.1")
    with sink("ARCHIVE1") as (port, received):
        department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive")
        department.services.routing.add(ADMIN, Route("ARCHIVE1"))
        rest(clock)
        router.turn()
        assert received.objects == {}


def test_images_do_not_go_back_to_where_they_come_from(department: Department, router: Router, clock: SetClock) -> None:
    with sink("CT1") as (port, received):
        department.machine("CT1", host="127.0.0.1", port=port, room="SCAN", modality="CT")
        department.services.routing.add(ADMIN, Route("CT1"))
        keep(department, "1.2.9.1")
        router.turn()
        rest(clock)
        router.turn()
        assert (received.objects, rows()) == ({}, [])


def test_a_machine_that_is_off_is_tried_again_later(department: Department, router: Router, clock: SetClock) -> None:
    port = free_port()
    department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive")
    department.services.routing.add(ADMIN, Route("ARCHIVE1"))
    keep(department, "1.2.9.1")
    rest(clock)
    router.turn()
    assert rows() == [("ARCHIVE1", "QUEUED", 0)]
    assert "ne répond pas" in TransferRow.get().why
    with sink("ARCHIVE1") as (port, received):
        department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive")
        router.turn()
        assert received.objects == {}  # not yet
        clock.advance(61)
        router.turn()
        assert list(received.objects) == ["1.2.9.1"]
    assert rows() == [("ARCHIVE1", "DONE", 1)]


def test_a_machine_that_is_off_for_a_week_is_given_up_and_an_administrator_decides(
    department: Department, router: Router, clock: SetClock
) -> None:
    department.machine("ARCHIVE1", host="127.0.0.1", port=free_port(), role="archive")
    department.services.routing.add(ADMIN, Route("ARCHIVE1"))
    keep(department, "1.2.9.1")
    router.turn()
    rest(clock)
    router.turn()
    clock.advance(GIVE_UP.total_seconds())
    router.turn()
    assert rows() == [("ARCHIVE1", "DEAD", 0)]
    [line] = department.services.routing.transfers(ADMIN)
    assert (line.study_instance_uid, line.state) == ("1.2.3", "DEAD")
    assert department.services.status()["transfers"] == {"queued": 0, "failed": 1}
    department.services.routing.retry(ADMIN, line.id)
    assert rows() == [("ARCHIVE1", "QUEUED", 0)]
    department.services.routing.abandon(ADMIN, line.id)
    assert rows() == [("ARCHIVE1", "ABANDONED", 0)]


def test_what_is_refused_goes_again_alone_and_not_for_ever(
    department: Department, archive: Fetched, router: Router, clock: SetClock
) -> None:
    keep(department, "1.2.9.1")
    keep(department, "1.2.9.2", sop_class=US)
    rest(clock)
    router.turn()
    assert rows() == [("ARCHIVE1", "QUEUED", 1)]
    archive.objects.clear()
    for _attempt in range(MOST_REFUSALS):
        clock.advance(3601)
        router.turn()
    assert archive.objects == {}  # what it has is not sent twice
    assert rows() == [("ARCHIVE1", "DEAD", 1)]
    assert TransferRow.get().failed == ("1.2.9.2",)


def test_a_study_under_the_overlay_waits_until_somebody_knows_whose_it_is(
    department: Department, archive: Fetched, router: Router, clock: SetClock
) -> None:
    keep(department, "1.2.9.1", patient_id="")
    rest(clock)
    router.turn()
    assert (archive.objects, rows()) == ({}, [("ARCHIVE1", "WAITING", 0)])
    child = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    exam = department.order(child, "TDMCER", "SCAN", clock.now())
    department.services.reconciliation.attach(RECEPTION, Study.get().id, exam.step_id, "vu avec le manipulateur")
    router.turn()
    assert list(archive.objects) == ["1.2.9.1"]


def test_what_was_being_sent_at_a_cut_is_sent_again(
    department: Department, archive: Fetched, router: Router, clock: SetClock
) -> None:
    keep(department, "1.2.9.1")
    rest(clock)
    department.services.routing.plan()
    owed = department.services.routing.due()
    assert owed is not None
    department.services.routing.sending(owed)  # and the light goes out
    assert department.services.routing.due() is None
    router.start()
    try:
        department.until(lambda: rows() == [("ARCHIVE1", "DONE", 1)])
    finally:
        router.stop()
    assert list(archive.objects) == ["1.2.9.1"]


@pytest.mark.parametrize(
    ("route", "refusal"),
    [
        (Route("NOBODY"), NotFound),
        (Route("CT1"), BadInput),  # it does not listen
        (Route("FILM1"), BadInput),
        (Route("WS2", "NOBODY"), NotFound),
        (Route("WS2", "ws2"), BadInput),
    ],
)
def test_a_route_that_cannot_work_is_refused(department: Department, route: Route, refusal: type[Any]) -> None:
    department.machine("FILM1", host="127.0.0.1", port=104, role="film")
    department.machine("WS2", host="127.0.0.1", port=104, role="workstation")
    with pytest.raises(refusal):
        department.services.routing.add(ADMIN, route)


def test_only_an_administrator_makes_routes(department: Department) -> None:
    with pytest.raises(NotAllowed):
        department.services.routing.add(Actor("x", frozenset({Role.TECHNOLOGIST})), Route("WS1"))


def test_a_removed_route_takes_nothing_new(
    department: Department, archive: Fetched, router: Router, clock: SetClock
) -> None:
    [route] = department.services.routing.routes()
    department.services.routing.remove(ADMIN, route.id)
    keep(department, "1.2.9.1")
    rest(clock)
    router.turn()
    assert (archive.objects, rows()) == ({}, [])
