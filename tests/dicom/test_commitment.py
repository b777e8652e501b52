"""Storage commitment on the wire: a machine asks us to answer for its images before it deletes them."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from core.clock import SetClock
from core.dicom.commitment_report import CommitmentReports
from core.dicom.server import DicomServer
from core.index.tables import CommitmentRow, Instance, Study, Task
from core.model.people import Role
from core.services.commitment_proof import examine
from tests.dicom.dataset import CT, ct
from tests.dicom.department import RECEPTION, Department
from tests.dicom.modality import PATIENCE
from tests.dicom.test_storage import Scanner
from tests.peers.ports import free_port

TRANSACTION = "1.2.826.0.1.3680043.77.20.1"
MR = "1.2.840.10008.5.1.4.1.1.4"


class Told:
    """What a machine was told: (event type, safe UIDs, failed UIDs with their reasons), and on which association."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self._news: queue.Queue[tuple[Any, Dataset]] = queue.Queue()

    def hear(self, event: Any) -> tuple[int, None]:
        self._news.put((event, event.event_information))
        return self.status, None

    def next(self) -> tuple[int, list[str], dict[str, int]]:
        event, report = self._news.get(timeout=PATIENCE)
        self.association = event.assoc
        self.transaction = report.TransactionUID
        assert event.request.AffectedSOPInstanceUID == StorageCommitmentPushModelInstance
        safe = [str(item.ReferencedSOPInstanceUID) for item in report.get("ReferencedSOPSequence", [])]
        failed = {
            str(item.ReferencedSOPInstanceUID): int(item.FailureReason) for item in report.get("FailedSOPSequence", [])
        }
        return event.event_type, safe, failed

    @property
    def nothing(self) -> bool:
        return self._news.empty()


@pytest.fixture
def told() -> Told:
    return Told()


@contextmanager
def modality(door: DicomServer, told: Told, title: str = "CT1") -> Iterator[Any]:
    entity = AE(title)
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate(
        *door.address,
        ae_title="YELEN",
        ext_neg=[build_role(StorageCommitmentPushModel, scu_role=True, scp_role=True)],
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, told.hear)],
    )
    assert association.is_established
    yield association
    if association.is_established:
        association.release()


@contextmanager
def listening(told: Told, title: str = "CT1") -> Iterator[int]:
    """The machine's own port, where it hears reports; it wants us to be the SCP."""
    entity = AE(title)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, told.hear)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def images(*uids: str, sop_class: str = CT, transaction: str = TRANSACTION) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        request.ReferencedSOPSequence.append(item)
    return request


def ask(association: Any, request: Dataset, action: int = 1, instance: str = StorageCommitmentPushModelInstance) -> int:
    status, _ = association.send_n_action(request, action, StorageCommitmentPushModel, instance)
    return int(status.Status)


def store(door: DicomServer, *uids: str, **changes: object) -> None:
    with Scanner(door) as ct1:
        for uid in uids:
            assert ct1.store(ct(sop_instance=uid, **changes), uid) == 0
        ct1.release()


def settled(department: Department, state: str) -> Any:
    """The request, once it has reached this state."""
    department.until(lambda: bool(CommitmentRow.get().state == state))
    return CommitmentRow.get()


def test_what_is_safe_is_said_on_the_same_association(
    department: Department, reporting_door: DicomServer, told: Told
) -> None:
    store(reporting_door, "1.2.3.1", "1.2.3.2")
    with modality(reporting_door, told) as association:
        assert ask(association, images("1.2.3.1", "1.2.3.2")) == 0
        assert told.next() == (1, ["1.2.3.1", "1.2.3.2"], {})
        assert told.association is association
        assert told.transaction == TRANSACTION
        row = settled(department, "REPORTED")
    assert (row.calling_ae, row.attempts) == ("CT1", 0)


def test_the_technologist_sees_that_the_engagement_was_received(
    department: Department, reporting_door: DicomServer, told: Told
) -> None:
    store(reporting_door, "1.2.3.1", "1.2.3.2")
    [study] = [department.services.studies.get(RECEPTION, s.id) for s in Study.select()]
    assert (study.committed, study.is_committed) == (0, False)
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.1"))
        settled(department, "REPORTED")
        assert not department.services.studies.get(RECEPTION, study.id).is_committed  # one image of two
        ask(association, images("1.2.3.2", transaction="1.2.3.77"))
        told.next()
        told.next()
        department.until(lambda: department.services.studies.get(RECEPTION, study.id).is_committed)
    store(reporting_door, "1.2.3.3")
    assert not department.services.studies.get(RECEPTION, study.id).is_committed  # one more came since


def test_a_machine_that_has_left_is_called_back(
    department: Department, reporting_door: DicomServer, told: Told
) -> None:
    store(reporting_door, "1.2.3.1")
    with listening(told) as port:
        department.machine("CT1", room="SCAN", modality="CT", commit_host="127.0.0.1", commit_port=port)
        with modality(reporting_door, Told()) as association:
            assert ask(association, images("1.2.3.1")) == 0
            association.release()
        assert told.next() == (1, ["1.2.3.1"], {})
        assert told.association.requestor.ae_title == "YELEN"
        role = told.association.requestor.role_selection[StorageCommitmentPushModel]
        assert (role.scu_role, role.scp_role) == (False, True)
        settled(department, "REPORTED")


def test_a_report_that_is_late_goes_on_an_association_of_its_own(
    department: Department, reporting_door: DicomServer, told: Told, clock: SetClock
) -> None:
    with listening(told) as port:
        department.machine("CT1", room="SCAN", modality="CT", host="127.0.0.1", port=port)
        here = Told()
        with modality(reporting_door, here) as association:
            ask(association, images("1.2.3.1"))
            store(reporting_door, "1.2.3.1")
            clock.advance(3)
            assert told.next() == (1, ["1.2.3.1"], {})
            assert here.nothing


def test_a_machine_that_does_not_listen_hears_it_while_it_stays(
    department: Department, reporting_door: DicomServer, told: Told, clock: SetClock
) -> None:
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.1"))
        store(reporting_door, "1.2.3.1")
        clock.advance(30)
        assert told.next() == (1, ["1.2.3.1"], {})


def test_images_still_on_their_way_are_waited_for_ten_minutes(
    department: Department, reporting_door: DicomServer, told: Told, clock: SetClock, reports: CommitmentReports
) -> None:
    store(reporting_door, "1.2.3.1")
    reports.stop()  # its turns are taken by hand here
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.1", "1.2.3.9"))
        clock.advance(599)
        reports.turn()
        assert (CommitmentRow.get().state, told.nothing) == ("WAITING", True)
        clock.advance(2)
        reports.turn()
        assert told.next() == (2, ["1.2.3.1"], {"1.2.3.9": 0x0112})
        assert CommitmentRow.get().state == "REPORTED"
    [task] = Task.select().where(Task.kind == "commitment")
    assert task.role == Role.TECHNOLOGIST
    assert "CT1 demande" in task.text
    assert "1 images sur 2" in task.text


def test_another_class_than_ours_is_a_conflict(reporting_door: DicomServer, told: Told) -> None:
    store(reporting_door, "1.2.3.1")
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.1", sop_class=MR))
        assert told.next() == (2, [], {"1.2.3.1": 0x0119})


@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_a_damaged_file_is_never_answered_for(
    department: Department, reporting_door: DicomServer, told: Told, harm: str
) -> None:
    store(reporting_door, "1.2.3.1", "1.2.3.2")
    path = department.kit.archive.absolute(Instance.get(Instance.sop_instance_uid == "1.2.3.1").path)
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] + b"\x01" if harm == "altered" else content[:-2])
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.1", "1.2.3.2"))
        assert told.next() == (2, ["1.2.3.2"], {"1.2.3.1": 0x0110})
    assert Instance.get(Instance.sop_instance_uid == "1.2.3.1").damaged_at is not None


def test_an_incomplete_image_is_not_answered_for(reporting_door: DicomServer, told: Told) -> None:
    with Scanner(reporting_door) as ct1:
        assert ct1.store(ct()[:-4]) == 0
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.4.5"))
        assert told.next() == (2, [], {"1.2.3.4.5": 0x0110})


def test_quarantined_bytes_are_not_answered_for(reporting_door: DicomServer, told: Told, clock: SetClock) -> None:
    with Scanner(reporting_door) as ct1:
        assert ct1.store(ct(rows=("UL", 4))) == 0xC000
    with modality(reporting_door, told) as association:
        ask(association, images("1.2.3.4.5"))
        clock.advance(601)
        assert told.next() == (2, [], {"1.2.3.4.5": 0x0112})


@pytest.mark.parametrize(
    ("request_", "action", "instance", "status"),
    [
        (images("1.2.3.1"), 2, StorageCommitmentPushModelInstance, 0x0123),
        (images("1.2.3.1"), 1, "1.2.3", 0x0112),
        (images(), 1, StorageCommitmentPushModelInstance, 0x0115),
        (images("1.2.3.1", transaction=""), 1, StorageCommitmentPushModelInstance, 0x0115),
        (images("1.2.3.1", transaction="../etc"), 1, StorageCommitmentPushModelInstance, 0x0115),
        (images("../etc"), 1, StorageCommitmentPushModelInstance, 0x0115),
    ],
)
def test_what_is_no_request_is_refused_and_not_kept(
    reporting_door: DicomServer, told: Told, request_: Dataset, action: int, instance: str, status: int
) -> None:
    with modality(reporting_door, told) as association:
        assert ask(association, request_, action, instance) == status
    assert CommitmentRow.select().count() == 0


def test_a_film_printer_has_nothing_to_be_answered_for(
    department: Department, reporting_door: DicomServer, told: Told
) -> None:
    department.machine("FILM", role="film")
    with modality(reporting_door, told, "FILM") as association:
        assert ask(association, images("1.2.3.1")) == 0x0124


def test_a_machine_that_is_off_is_called_again_for_a_day(
    department: Department, reporting_door: DicomServer, clock: SetClock
) -> None:
    department.machine("CT1", room="SCAN", modality="CT", commit_host="127.0.0.1", commit_port=free_port())
    store(reporting_door, "1.2.3.1")
    with modality(reporting_door, Told()) as association:
        ask(association, images("1.2.3.1"))
        association.release()
    pauses = []
    for attempt in range(1, 7):
        department.until(lambda attempt=attempt: CommitmentRow.get().attempts == attempt)  # type: ignore[misc]
        wait = (CommitmentRow.get().next_at - clock.now()).total_seconds()
        pauses.append(round(wait / 60))
        clock.advance(wait)
    assert pauses == [1, 5, 15, 60, 60, 60]
    clock.advance(24 * 3600)
    department.until(lambda: CommitmentRow.get().state == "ABANDONED")
    [task] = Task.select().where(Task.kind == "commitment")
    assert "24 h" in task.text


def test_a_machine_that_comes_back_hears_it(
    department: Department, reporting_door: DicomServer, told: Told, clock: SetClock
) -> None:
    department.machine("CT1", room="SCAN", modality="CT", commit_host="127.0.0.1", commit_port=free_port())
    store(reporting_door, "1.2.3.1")
    with modality(reporting_door, Told()) as association:
        ask(association, images("1.2.3.1"))
        association.release()
    department.until(lambda: CommitmentRow.get().attempts == 1)
    with listening(told) as port:
        department.machine("CT1", room="SCAN", modality="CT", commit_host="127.0.0.1", commit_port=port)
        clock.advance(60)
        assert told.next() == (1, ["1.2.3.1"], {})
        assert settled(department, "REPORTED").attempts == 1


def test_the_same_request_again_is_answered_again(
    department: Department, reporting_door: DicomServer, told: Told
) -> None:
    store(reporting_door, "1.2.3.1")
    with modality(reporting_door, told) as association:
        for _ in range(2):
            assert ask(association, images("1.2.3.1")) == 0
            assert told.next() == (1, ["1.2.3.1"], {})
            settled(department, "REPORTED")
    assert CommitmentRow.select().count() == 1


def test_three_thousand_images_take_one_row(department: Department, reporting_door: DicomServer, told: Told) -> None:
    uids = [f"1.2.826.0.1.3680043.77.4711.20260302.{number}" for number in range(3000)]
    with modality(reporting_door, told) as association:
        assert ask(association, images(*uids)) == 0
    [row] = CommitmentRow.select()
    assert len(row.images) < 40_000


def test_bytes_are_compared_with_what_was_received(department: Department, reporting_door: DicomServer) -> None:
    from core.model.commitment import Named

    store(reporting_door, "1.2.3.1")
    assert list(examine(department.kit, [Named(CT, "1.2.3.1"), Named(CT, "1.2.3.2")])) == [(Named(CT, "1.2.3.1"), None)]


def test_explicit_vr_is_spoken_too(reporting_door: DicomServer, told: Told) -> None:
    store(reporting_door, "1.2.3.1")
    entity = AE("CT1")
    entity.add_requested_context(StorageCommitmentPushModel, ExplicitVRLittleEndian)
    association = entity.associate(
        *reporting_door.address, ae_title="YELEN", evt_handlers=[(evt.EVT_N_EVENT_REPORT, told.hear)]
    )
    assert ask(association, images("1.2.3.1")) == 0
    assert told.next() == (1, ["1.2.3.1"], {})
    association.release()
