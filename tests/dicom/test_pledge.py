"""An archive that we sent images to is asked to answer for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from core.clock import SetClock
from core.dicom.pledge import PledgeAsker
from core.dicom.router import Router
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.index.tables import PledgeRow, Task
from core.model.people import Actor, Role
from core.model.pledge import MOST_PATIENCE
from core.model.routing import STABLE, Route
from tests.dicom.department import Department
from tests.dicom.modality import PATIENCE
from tests.dicom.stored import keep, sink
from tests.dicom.test_send import free_port
from tests.peers.orthanc import orthanc
from tests.skips import needs_orthanc

ADMIN = Actor("yacouba", frozenset({Role.ADMINISTRATOR}), origin="test")


class Archive:
    """It takes the question, and says on which association it answers."""

    def __init__(self, lacks: tuple[str, ...] = (), here: bool = False, status: int = 0) -> None:
        self.lacks, self.here, self.status = lacks, here, status
        self.asked: list[Dataset] = []
        self.heard = threading.Event()
        self.answers: list[int] = []

    def take(self, event: Any) -> tuple[int, None]:
        self.asked.append(event.action_information)
        if self.here and not self.status:
            threading.Thread(target=self.answer, args=(event.assoc,)).start()
        return self.status, None

    def report(self) -> tuple[int, Dataset]:
        asked = self.asked[-1]
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        items = list(asked.ReferencedSOPSequence)
        report.ReferencedSOPSequence = [i for i in items if i.ReferencedSOPInstanceUID not in self.lacks]
        failed = [i for i in items if i.ReferencedSOPInstanceUID in self.lacks]
        for item in failed:
            item.FailureReason = 0x0112
        if failed:
            report.FailedSOPSequence = failed
        return 2 if failed else 1, report

    def answer(self, association: Any) -> None:
        kind, report = self.report()
        status, _ = association.send_n_event_report(
            report, kind, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        self.answers.append(int(status.Status))
        self.heard.set()

    def call(self, door: DicomServer, title: str = "ARCHIVE1") -> int:
        """It answers on an association of its own, as the SCP."""
        entity = AE(title)
        entity.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = entity.associate(*door.address, ae_title="YELEN", ext_neg=[role])
        assert association.is_established
        self.answer(association)
        association.release()
        return self.answers[-1]


@contextmanager
def listening(archive: Archive) -> Iterator[int]:
    entity = AE("ARCHIVE1")
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_ACTION, archive.take)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def sent(department: Department, clock: SetClock, *uids: str) -> None:
    """Images that were routed to ARCHIVE1, which is asked to answer for them."""
    services = department.services
    with sink("ARCHIVE1") as (port, _received):
        department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive", pledges=True)
        services.routing.add(ADMIN, Route("ARCHIVE1"))
        for uid in uids:
            keep(department, uid)
        store = DicomSender("YELEN", clock).store
        router = Router(services.routing, services.retrieval, services.devices, store, clock)
        router.turn()
        clock.advance(STABLE.total_seconds() + 1)
        router.turn()


def asker(department: Department, clock: SetClock) -> PledgeAsker:
    services = department.services
    return PledgeAsker(services.pledges, services.devices, DicomSender("YELEN", clock))


def ask(department: Department, clock: SetClock, port: int) -> Any:
    """One turn, with the archive on this port."""
    department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive", pledges=True)
    asker(department, clock).turn()
    return PledgeRow.get()


def test_an_archive_answers_on_our_association(department: Department, clock: SetClock) -> None:
    sent(department, clock, "1.2.9.1", "1.2.9.2")
    archive = Archive(here=True)
    with listening(archive) as port:
        row = ask(department, clock, port)
        assert archive.heard.wait(PATIENCE)
    assert [item.ReferencedSOPInstanceUID for item in archive.asked[0].ReferencedSOPSequence] == ["1.2.9.1", "1.2.9.2"]
    assert (row.state, row.failed, archive.answers) == ("ANSWERED", (), [0])
    [line] = department.services.pledges.lines(ADMIN)
    assert (line.archive, line.images, line.failed) == ("ARCHIVE1", 2, 0)


def test_an_archive_answers_on_an_association_of_its_own(
    department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    sent(department, clock, "1.2.9.1")
    archive = Archive()
    with listening(archive) as port:
        assert ask(department, clock, port).state == "ASKED"
        assert archive.call(department_door) == 0
    assert PledgeRow.get().state == "ANSWERED"
    assert archive.call(department_door) == 0  # said again, it changes nothing


def test_what_it_does_not_hold_becomes_a_line_for_a_person(
    department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    sent(department, clock, "1.2.9.1", "1.2.9.2")
    archive = Archive(lacks=("1.2.9.2",))
    with listening(archive) as port:
        ask(department, clock, port)
        assert archive.call(department_door) == 0
    assert PledgeRow.get().failed == ("1.2.9.2",)
    [task] = Task.select().where(Task.kind == "pledge")
    assert "1 images sur 2" in task.text


def test_nobody_answers_for_another(department: Department, department_door: DicomServer, clock: SetClock) -> None:
    sent(department, clock, "1.2.9.1")
    archive = Archive()
    with listening(archive) as port:
        ask(department, clock, port)
        assert archive.call(department_door, "WS1") == 0x0112
        archive.asked[-1].TransactionUID = "1.2.3.4"
        assert archive.call(department_door) == 0x0112
    assert PledgeRow.get().state == "ASKED"


def test_an_archive_that_is_off_is_asked_again_for_a_day(department: Department, clock: SetClock) -> None:
    sent(department, clock, "1.2.9.1")
    closed = free_port()
    for attempts in (1, 2, 3):
        row = ask(department, clock, closed)
        assert (row.state, row.attempts) == ("ASK", attempts)
        clock.advance((row.next_at - clock.now()).total_seconds())
    clock.advance(24 * 3600)
    assert ask(department, clock, closed).state == "ABANDONED"
    assert Task.select().where(Task.kind == "pledge").count() == 1


def test_an_archive_that_refuses_is_asked_again(department: Department, clock: SetClock) -> None:
    sent(department, clock, "1.2.9.1")
    with listening(Archive(status=0x0110)) as port:
        row = ask(department, clock, port)
    assert row.state == "ASK"
    assert "0110" in row.why


def test_an_archive_that_never_answers_is_told_to_a_person(department: Department, clock: SetClock) -> None:
    sent(department, clock, "1.2.9.1")
    archive = Archive()
    with listening(archive) as port:
        assert ask(department, clock, port).state == "ASKED"
        clock.advance(24 * 3600)
        assert ask(department, clock, port).state == "ASKED"
        clock.advance(MOST_PATIENCE.total_seconds())
        assert ask(department, clock, port).state == "ABANDONED"
    assert len(archive.asked) == 3


def test_a_machine_that_is_not_to_answer_is_not_asked(department: Department, clock: SetClock) -> None:
    with sink("ARCHIVE1") as (port, _received):
        department.machine("ARCHIVE1", host="127.0.0.1", port=port, role="archive")
        department.services.routing.add(ADMIN, Route("ARCHIVE1"))
        keep(department, "1.2.9.1")
        services, store = department.services, DicomSender("YELEN", clock).store
        router = Router(services.routing, services.retrieval, services.devices, store, clock)
        router.turn()
        clock.advance(STABLE.total_seconds() + 1)
        router.turn()
    assert PledgeRow.select().count() == 0


@needs_orthanc
@pytest.mark.parametrize("lost", [False, True])
def test_orthanc_answers_for_what_it_holds(
    tmp_path: Path, department: Department, department_door: DicomServer, clock: SetClock, lost: bool
) -> None:
    with orthanc(tmp_path, "ARCHIVE1", department_door.address[1], DicomAlwaysAllowStore=True) as beside:
        department.machine("ARCHIVE1", host="127.0.0.1", port=beside.dicom, role="archive", pledges=True)
        services, store = department.services, DicomSender("YELEN", clock).store
        services.routing.add(ADMIN, Route("ARCHIVE1"))
        keep(department, "1.2.9.1")
        router = Router(services.routing, services.retrieval, services.devices, store, clock)
        router.turn()
        clock.advance(STABLE.total_seconds() + 1)
        router.turn()
        if lost:
            [instance] = beside.get("/instances")
            beside.delete(f"/instances/{instance}")
        asker(department, clock).turn()
        department.until(lambda: bool(PledgeRow.get().state == "ANSWERED"))
    assert PledgeRow.get().failed == (("1.2.9.1",) if lost else ())
