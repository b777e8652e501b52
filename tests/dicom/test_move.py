"""A workstation asks us to send a study somewhere with C-MOVE."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import SetClock, SystemClock
from core.dicom import dimse, upper_layer
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE, PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.index.tables import Audit
from core.model.device import Device
from tests.dicom.department import Department
from tests.dicom.modality import PATIENCE, Modality, cancel_command
from tests.dicom.stored import keep, keys, move, sink
from tests.dicom.test_coercion import read, rename
from tests.dicom.test_peers import run, where
from tests.dicom.test_retrieve import US, study_key
from tests.dicom.test_send import await_listener
from tests.peers.ports import free_port
from tests.skips import needs_dcmtk

STUDY = keys("STUDY", StudyInstanceUID="1.2.3")


def audited() -> list[dict[str, Any]]:
    rows = Audit.select().where(Audit.action == "instances_transferred").order_by(Audit.seq)
    return [json.loads(row.detail) | {"outcome": row.outcome} for row in rows]


def test_a_study_arrives_as_it_was_stored(department: Department, department_door: DicomServer) -> None:
    sent = {f"1.2.9.{n}": keep(department, f"1.2.9.{n}", (EXPLICIT_LE, IMPLICIT_LE)[n % 2]) for n in range(1, 4)}
    with sink() as (port, received):
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        moved = move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
    assert received.objects == sent
    assert (moved.final.Status, moved.final.NumberOfCompletedSuboperations) == (0, 3)
    origin = {
        (command.MoveOriginatorApplicationEntityTitle, command.MoveOriginatorMessageID) for command in received.commands
    }
    assert origin == {("WS1", 1)}
    [row] = audited()
    assert (row["to"], row["sent"], row["outcome"]) == ("SINK", 3, "ok")


def test_patient_root_moves_a_patient(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    with sink() as (port, received):
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        move(department_door, keys("PATIENT", PatientID="P-0042"), "SINK", PATIENT_ROOT_MOVE)
    assert list(received.objects) == ["1.2.9.1"]


@pytest.mark.parametrize("to", ["NOBODY", "YELEN", "yelen ", "FILM1", "CT1", "SLEEPER"])
def test_a_destination_that_is_not_declared_for_images_is_refused(
    department: Department, department_door: DicomServer, to: str
) -> None:
    """CT1 does not listen; YELEN would be a loop."""
    keep(department, "1.2.9.1")
    department.machine("FILM1", host="127.0.0.1", port=4242, role="film")
    department.machine("YELEN", host="127.0.0.1", port=department_door.address[1], role="archive")
    department.machine("SLEEPER", host="127.0.0.1", port=4242, role="archive", active=False)
    moved = move(department_door, STUDY, to, STUDY_ROOT_MOVE)
    assert moved.final.Status == 0xA801
    assert audited() == []


def test_a_destination_that_is_off_fails_every_object(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    keep(department, "1.2.9.2")
    department.machine("SINK", host="127.0.0.1", port=free_port(), role="workstation")
    moved = move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
    assert (moved.final.Status, moved.failed) == (0xA702, ["1.2.9.1", "1.2.9.2"])
    [row] = audited()
    assert (row["sent"], row["failed"], row["outcome"]) == (0, 2, "failed")
    assert "ne répond pas" in row["why"]


def test_what_the_destination_does_not_take_fails_alone(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1", sop_class=US)
    keep(department, "1.2.9.2")
    with sink() as (port, received):
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        moved = move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
    assert list(received.objects) == ["1.2.9.2"]
    assert (moved.final.Status, moved.failed) == (0xB000, ["1.2.9.1"])


def test_pending_responses_come_every_fifty_objects(department: Department, department_door: DicomServer) -> None:
    for number in range(1, 103):
        keep(department, f"1.2.9.{number}")
    with sink() as (port, _received):
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        moved = move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
    assert [status.Status for status, _ in moved.responses] == [0xFF00, 0xFF00, 0]
    assert moved.responses[0][0].NumberOfRemainingSuboperations == 52


@pytest.mark.parametrize("role", ["archive", "modality"])
def test_a_study_under_the_overlay_is_not_sent_out_of_the_department(
    department: Department, department_door: DicomServer, role: str
) -> None:
    keep(department, "1.2.9.1", patient_id="")
    with sink() as (port, received):
        department.machine("SINK", host="127.0.0.1", port=port, role=role)
        move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
        assert received.objects == {}
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
        assert list(received.objects) == ["1.2.9.1"]


class SlowSink:
    """Holds the first object until it is told to go on."""

    def __init__(self) -> None:
        self.arrived, self.go_on = threading.Event(), threading.Event()
        self.taken: list[str] = []

    def take(self, event: Any) -> int:
        self.taken.append(str(event.request.AffectedSOPInstanceUID))
        self.arrived.set()
        self.go_on.wait(PATIENCE)
        return 0


@pytest.fixture
def slow(department: Department, department_door: DicomServer) -> Iterator[SlowSink]:
    for number in range(1, 6):
        keep(department, f"1.2.9.{number}")
    slow = SlowSink()
    with sink(take=slow.take) as (port, _received):
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        yield slow
        slow.go_on.set()


def moving(peer: Modality) -> None:
    """A C-MOVE of study 1.2.3 to SINK by hand, message 7."""
    peer.associate(contexts=[(1, STUDY_ROOT_MOVE, [IMPLICIT_LE])], calling=b"WS1")
    command = dimse.encode(
        [
            (dimse.AFFECTED_SOP_CLASS, STUDY_ROOT_MOVE),
            (dimse.COMMAND_FIELD, dimse.C_MOVE_RQ),
            (dimse.MESSAGE_ID, 7),
            (dimse.MOVE_DESTINATION, "SINK"),
            (dimse.PRIORITY, 0),
            (dimse.DATA_SET_TYPE, dimse.WITH_DATA_SET),
        ]
    )
    peer.send(upper_layer.message(1, command, study_key(), 16_384))


def test_a_cancel_stops_even_while_the_destination_is_busy(slow: SlowSink, department_door: DicomServer) -> None:
    with Modality(department_door.address) as peer:
        moving(peer)
        assert slow.arrived.wait(PATIENCE)
        peer.send(upper_layer.message(1, cancel_command(7), None, 16_384))
        command = peer.message()[0]
        assert command.status == 0xFE00
    assert len(slow.taken) == 1


def test_a_requestor_hears_how_far_it_is_while_a_destination_is_slow(
    slow: SlowSink, department_door: DicomServer, clock: SetClock
) -> None:
    with Modality(department_door.address) as peer:
        moving(peer)
        assert slow.arrived.wait(PATIENCE)
        clock.advance(10.5)
        command = peer.message()[0]
        assert command.status == 0xFF00
        slow.go_on.set()
        while command.status == 0xFF00:
            command = peer.message()[0]
        assert command.status == 0
    assert len(slow.taken) == 5


def test_a_requestor_that_vanishes_stops_the_sending(slow: SlowSink, department_door: DicomServer) -> None:
    with Modality(department_door.address) as peer:
        moving(peer)
        assert slow.arrived.wait(PATIENCE)
    department_door.stop(5.0)
    assert department_door.associations == 0
    assert len(slow.taken) == 1
    assert audited()[0]["why"] == "requestor gone"


@pytest.fixture
def storescp(department: Department, tmp_path: Path) -> Iterator[Path]:
    """DCMTK's receiver as machine SINK, and its folder."""
    program = shutil.which("storescp")
    assert program is not None
    folder, port = tmp_path / "received", free_port()
    folder.mkdir()
    process = subprocess.Popen([program, "-aet", "SINK", "+xa", "+B", "-od", str(folder), str(port)])
    try:
        device = Device("SINK", "127.0.0.1", port, role="workstation")
        await_listener(DicomSender("YELEN", SystemClock()), device, process)
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        yield folder
    finally:
        process.terminate()
        process.wait(10)


@needs_dcmtk
def test_movescu_and_storescp_get_the_stored_bytes(
    department: Department, department_door: DicomServer, storescp: Path
) -> None:
    sent = [keep(department, f"1.2.9.{n}", pixels=bytes(300_000)) for n in range(1, 4)]
    done = run(
        "movescu", "-S", "-aet", "WS1", "-aec", "YELEN", "-aem", "SINK", "-k", "0008,0052=STUDY",
        "-k", "0020,000d=1.2.3", *where(department_door),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files = [path.read_bytes() for path in storescp.iterdir()]
    assert len(files) == 3
    assert all(any(file.endswith(content) for file in files) for content in sent)


def test_an_image_of_a_corrected_child_leaves_corrected(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1", pixels=bytes(300_000))
    rename(department, "KABORÉ", "Awa")
    with sink() as (port, received):
        department.machine("SINK", host="127.0.0.1", port=port, role="workstation")
        move(department_door, STUDY, "SINK", STUDY_ROOT_MOVE)
    left = read(received.objects["1.2.9.1"])
    assert left.PatientName == "KABORÉ^Awa"
    assert left.PixelData == bytes(300_000)
