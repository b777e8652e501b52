"""Long answers: cut at a limit, cancelled, flooded, or given to somebody who has gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from core.dicom import conformance, dimse, upper_layer
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.dataset import element
from core.dicom.handlers import Routes
from core.dicom.notes import Happened
from core.dicom.query import QueryDoor
from core.dicom.server import DicomServer
from core.model.finding import Found, Search
from tests.dicom.conftest import Notes, OpenDoor, offer
from tests.dicom.dataset import ct
from tests.dicom.department import Department
from tests.dicom.modality import PATIENCE, Modality, cancel_command, request_command
from tests.dicom.test_query_levels import ask, identifier
from tests.dicom.test_storage import Scanner

STUDY = conformance.STUDY_ROOT_FIND
QUERY = element(0x00080052, "CS", b"STUDY ", EXPLICIT_LE) + element(0x0020000D, "UI", b"", EXPLICIT_LE)


class Endless:
    """An archive that never runs out of studies, and says when nobody reads it any more."""

    def __init__(self) -> None:
        self.given = 0
        self.left = threading.Event()

    def search(self, wanted: Search) -> Iterator[Found]:
        try:
            while self.given < 2_000_000:
                self.given += 1
                yield {"study_instance_uid": f"1.2.{self.given}", "patient_id": "P"}
        finally:
            self.left.set()

    def seen(self, ae_title: str, what: str) -> None:
        """A sign of life; nobody keeps it here."""


@pytest.fixture
def archive() -> Endless:
    return Endless()


@pytest.fixture
def door(open_door: OpenDoor, archive: Endless, monkeypatch: pytest.MonkeyPatch) -> DicomServer:
    monkeypatch.setattr("core.dicom.query.OPEN_LIMIT", 1_000_000)
    find = QueryDoor(archive, archive, "YELEN").find
    return open_door(routes=Routes(offer, {(STUDY, dimse.C_FIND_RQ): find}))


@pytest.fixture
def station(door: DicomServer) -> Iterator[Modality]:
    with Modality(door.address) as station:
        station.associate(contexts=[(1, STUDY, [EXPLICIT_LE])], max_pdu=0)
        station.send(upper_layer.message(1, request_command(dimse.C_FIND_RQ, STUDY, 7), QUERY, 16_384))
        yield station


def cancel(station: Modality, message_id: int) -> None:
    station.send(upper_layer.message(1, cancel_command(message_id), None, 16_384))


def until_final(station: Modality) -> int:
    """Read answers until one that is not pending."""
    while True:
        status = station.message()[0].status
        assert status is not None
        if status not in (0xFF00, 0xFF01):
            return status


def test_a_cancel_ends_the_answers_with_its_own_status(station: Modality, archive: Endless) -> None:
    assert station.message()[0].status == 0xFF00
    cancel(station, 7)
    assert until_final(station) == 0xFE00
    assert archive.left.wait(PATIENCE)
    assert archive.given < 1_000_000


def test_a_cancel_of_another_request_changes_nothing(station: Modality, archive: Endless) -> None:
    cancel(station, 8)
    for _ in range(2000):
        assert station.message()[0].status == 0xFF00
    cancel(station, 7)
    assert until_final(station) == 0xFE00


def test_a_flood_of_cancels_of_another_request_stops_neither_the_answers_nor_the_right_cancel(
    station: Modality, archive: Endless
) -> None:
    for _ in range(500):
        cancel(station, 8)
    cancel(station, 7)
    assert until_final(station) == 0xFE00
    assert archive.left.wait(PATIENCE)


def test_cancels_of_nothing_without_end_are_not_a_conversation(door: DicomServer, notes: Notes) -> None:
    with Modality(door.address) as station:
        station.associate(contexts=[(1, STUDY, [EXPLICIT_LE])])
        for _ in range(1001):
            cancel(station, 7)
        assert "cancels of nothing" in notes.await_one(Happened.ABORTED).reason


def test_a_station_that_vanishes_frees_its_thread(
    door: DicomServer, station: Modality, archive: Endless, notes: Notes
) -> None:  # row 36
    assert station.message()[0].status == 0xFF00
    station.socket.close()
    assert archive.left.wait(PATIENCE)
    notes.await_one(Happened.CLOSED)
    assert archive.given < 1_000_000


def test_answers_that_come_slowly_are_not_kept_until_there_are_many(open_door: OpenDoor) -> None:
    """One answer, then nothing for a while: it is on the wire before the next one is found."""
    more = threading.Event()

    class Slow(Endless):
        def search(self, wanted: Search) -> Iterator[Found]:
            for number in range(3):
                yield {"study_instance_uid": f"1.2.{number}", "patient_id": "P"}
                if number == 1:
                    assert more.wait(PATIENCE)

    slow = Slow()
    find = QueryDoor(slow, slow, "YELEN").find
    door = open_door(routes=Routes(offer, {(STUDY, dimse.C_FIND_RQ): find}), batch_time=0.0)
    with Modality(door.address) as station:
        station.associate(contexts=[(1, STUDY, [EXPLICIT_LE])])
        station.send(upper_layer.message(1, request_command(dimse.C_FIND_RQ, STUDY, 7), QUERY, 16_384))
        assert [station.message()[0].status for _ in range(2)] == [0xFF00, 0xFF00]
        more.set()
        assert until_final(station) == 0


# Limits of a machine


@pytest.fixture
def seven(department: Department, department_door: DicomServer) -> None:
    """Seven studies of seven days; WS1 may have three answers to an open question."""
    department.machine("WS1", role="workstation", charset="ISO_IR 192", find_limit=3)
    with Scanner(department_door) as ct1:
        for day in range(1, 8):
            uid = f"1.2.{day}"
            data = ct(sop_instance=f"{uid}.1.1", study=uid, series=f"{uid}.1", study_date=f"2026030{day}", accession="")
            assert ct1.store(data, f"{uid}.1.1") == 0
        ct1.release()


@pytest.mark.parametrize(("when_cut", "final"), [("failure", 0xA700), ("warning", 0xB001), ("success", 0)])
def test_a_machine_may_be_told_of_a_cut_list_in_its_own_way(
    seven: None, department: Department, department_door: DicomServer, when_cut: str, final: int
) -> None:
    department.machine("WS1", role="workstation", charset="ISO_IR 192", find_limit=3, when_cut=when_cut)
    found, statuses = ask(department_door, identifier("STUDY", StudyInstanceUID=""))
    assert (len(found), statuses[-1]) == (3, final)


@pytest.mark.parametrize(
    ("keys", "answers", "final"),
    [
        ({}, 3, 0xA700),
        ({"PatientName": "*"}, 3, 0xA700),
        ({"PatientName": "OU*"}, 3, 0xA700),  # two letters say little
        ({"StudyDate": "20200101-"}, 3, 0xA700),
        ({"StudyDate": "20260101-20261231"}, 3, 0xA700),
        ({"PatientName": "*" * 64, "StudyDate": "*", "PatientID": "*"}, 3, 0xA700),
        ({"PatientName": "OUE*"}, 7, 0),
        ({"PatientID": "P-0042"}, 7, 0),
        ({"StudyDate": "20260301-20260331"}, 7, 0),
        ({"StudyDate": "20260301-20260303"}, 3, 0),  # exactly three: nothing was cut
    ],
)
def test_an_open_question_is_cut_and_says_so(
    seven: None, department_door: DicomServer, keys: dict[str, Any], answers: int, final: int
) -> None:
    found, statuses = ask(department_door, identifier("STUDY", StudyInstanceUID="", **keys))
    assert (len(found), statuses[-1]) == (answers, final)
    newest = [f"1.2.{day}" for day in range(7, 7 - answers, -1)]
    assert sorted(s.StudyInstanceUID for s in found) == sorted(newest) or final == 0
