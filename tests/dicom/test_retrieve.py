"""Workstations fetch studies with C-GET."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless

from core.archive.part10 import file_meta
from core.clock import SetClock
from core.dicom import conformance, dataset, dimse, upper_layer
from core.dicom.conformance import (
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    PATIENT_ROOT_GET,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from core.dicom.server import DicomServer
from core.imaging.imaging import Imaging
from core.index.tables import Audit, Instance
from tests.dicom.dataset import CT, ct, ct_elements, element
from tests.dicom.dataset import dataset as dataset_of
from tests.dicom.department import Department, open_department
from tests.dicom.modality import Modality, cancel_command, item, request_command
from tests.dicom.stored import get, keep, keys, move, sink
from tests.dicom.test_coercion import read, rename
from tests.dicom.test_peers import run, where
from tests.skips import needs_dcmtk

US = "1.2.840.10008.5.1.4.1.1.6.1"


GREY = (
    (0x00280002, "US", 1), (0x00280004, "CS", "MONOCHROME2"), (0x00280100, "US", 16), (0x00280101, "US", 16),
    (0x00280102, "US", 15), (0x00280103, "US", 0),
)  # fmt: skip


def transfers() -> list[dict[str, Any]]:
    rows = Audit.select().where(Audit.action == "instances_transferred").order_by(Audit.seq)
    return [json.loads(row.detail) | {"outcome": row.outcome, "object": row.object} for row in rows]


def test_a_study_comes_as_it_was_stored(department: Department, department_door: DicomServer) -> None:
    sent = {f"1.2.3.4.{n}": keep(department, f"1.2.3.4.{n}", instance_number=str(n)) for n in range(1, 4)}
    fetched = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"))
    assert fetched.objects == sent
    assert fetched.final.Status == 0
    assert (fetched.final.NumberOfCompletedSuboperations, fetched.final.NumberOfFailedSuboperations) == (3, 0)
    assert "NumberOfRemainingSuboperations" not in fetched.final


def test_a_big_object_and_a_small_pdu_change_nothing(department: Department, department_door: DicomServer) -> None:
    big = keep(department, "1.2.3.4.1", pixels=bytes(range(256)) * 4096)
    host, port = department_door.address
    with Modality((host, port)) as peer:
        role = item(0x54, len(CT).to_bytes(2, "big") + CT.encode() + b"\0\1")
        contexts = [(1, STUDY_ROOT_GET, [IMPLICIT_LE]), (3, CT, [EXPLICIT_LE])]
        peer.associate(contexts=contexts, calling=b"WS1", max_pdu=4096, user=role)
        peer.send(upper_layer.message(1, request_command(dimse.C_GET_RQ, STUDY_ROOT_GET, 7), study_key(), 4096))
        command, data = peer.message()
        assert (command.field, command.sop_instance) == (dimse.C_STORE_RQ, "1.2.3.4.1")
        assert data == big


def study_key(uid: str = "1.2.3") -> bytes:
    return dataset.element(0x00080052, "CS", b"STUDY", IMPLICIT_LE) + dataset.element(
        0x0020000D, "UI", uid.encode(), IMPLICIT_LE
    )


@needs_dcmtk
def test_getscu_receives_the_stored_bytes(department: Department, department_door: DicomServer, tmp_path: Path) -> None:
    sent = {f"1.2.3.4.{n}": keep(department, f"1.2.3.4.{n}") for n in range(1, 4)}
    done = run(
        "getscu", "-S", "-aet", "WS1", "-aec", "YELEN", "+B", "-od", str(tmp_path), "-k", "0008,0052=STUDY",
        "-k", "0020,000d=1.2.3", *where(department_door),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) == 3
    for content in sent.values():
        assert any(path.read_bytes().endswith(content) for path in files)


@pytest.mark.parametrize(
    ("model", "identifier", "expected"),
    [
        (STUDY_ROOT_GET, keys("STUDY", StudyInstanceUID=["1.2.3", "1.2.6"]), {"1", "2", "3", "6"}),
        (STUDY_ROOT_GET, keys("SERIES", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.5"), {"3"}),
        (STUDY_ROOT_GET, keys("SERIES", SeriesInstanceUID=["1.2.3.4", "1.2.3.5"]), {"1", "2", "3"}),
        (STUDY_ROOT_GET, keys("IMAGE", StudyInstanceUID="1.2.3", SOPInstanceUID=["1.2.9.1", "1.2.9.3"]), {"1", "3"}),
        (STUDY_ROOT_GET, keys("IMAGE", StudyInstanceUID="1.2.6", SOPInstanceUID="1.2.9.1"), set()),
        (PATIENT_ROOT_GET, keys("PATIENT", PatientID="P-0042"), {"1", "2", "3"}),
        (PATIENT_ROOT_GET, keys("STUDY", PatientID="P-0043", StudyInstanceUID="1.2.6"), {"6"}),
        (PATIENT_ROOT_GET, keys("STUDY", PatientID="P-0042", StudyInstanceUID="1.2.6"), set()),
        (STUDY_ROOT_GET, keys("STUDY", StudyInstanceUID="9.9.9"), set()),
    ],
)
def test_each_level_names_its_objects(
    department: Department, department_door: DicomServer, model: str, identifier: Any, expected: set[str]
) -> None:
    keep(department, "1.2.9.1")
    keep(department, "1.2.9.2")
    keep(department, "1.2.9.3", series="1.2.3.5")
    keep(department, "1.2.9.6", study="1.2.6", series="1.2.6.1", patient_id="P-0043", name="SANOU^Issa", sex="M")
    fetched = get(department_door, identifier, model=model)
    assert {uid.rpartition(".")[2] for uid in fetched.objects} == expected
    assert fetched.final.Status == 0


@pytest.mark.parametrize(
    "identifier",
    [
        keys("PATIENT", PatientID="P-0042"),  # not a level of the Study Root model
        keys("STUDY"),
        keys("SERIES", StudyInstanceUID="1.2.3"),
        keys("FRAME", StudyInstanceUID="1.2.3"),
    ],
)
def test_an_identifier_that_names_nothing_is_refused(
    department: Department, department_door: DicomServer, identifier: Any
) -> None:
    keep(department, "1.2.9.1")
    fetched = get(department_door, identifier)
    assert fetched.final.Status == 0xA900
    assert fetched.objects == {}


def test_a_requestor_that_did_not_take_the_role_gets_nothing(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1")
    fetched = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"), roles=False)
    assert (fetched.final.Status, fetched.failed) == (0xA702, ["1.2.9.1"])


def test_what_was_not_accepted_fails_alone(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    keep(department, "1.2.9.2", sop_class=US)
    fetched = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"))
    assert list(fetched.objects) == ["1.2.9.1"]
    assert (fetched.final.Status, fetched.failed) == (0xB000, ["1.2.9.2"])


def test_a_file_that_is_gone_fails_alone(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    keep(department, "1.2.9.2")
    path = Instance.get(Instance.sop_instance_uid == "1.2.9.1").path
    department.kit.archive.absolute(path).unlink()
    fetched = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"))
    assert list(fetched.objects) == ["1.2.9.2"]
    assert (fetched.final.Status, fetched.failed) == (0xB000, ["1.2.9.1"])


def test_what_the_requestor_refuses_is_a_failure_and_what_it_warns_of_is_not(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1")
    refused = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"), answer=0xA700)
    assert (refused.final.Status, refused.failed) == (0xA702, ["1.2.9.1"])
    warned = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"), answer=0xB000)
    assert (warned.final.Status, warned.final.NumberOfWarningSuboperations, warned.failed) == (0xB000, 1, [])


def test_a_study_under_the_overlay_goes_to_the_workstations_of_the_department_alone(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1", patient_id="")  # without a number it is nobody's
    study = keys("STUDY", StudyInstanceUID="1.2.3")
    assert get(department_door, study, calling="CT1").objects == {}
    assert list(get(department_door, study, calling="WS1").objects) == ["1.2.9.1"]


def test_what_waits_in_quarantine_is_never_sent(department: Department, department_door: DicomServer) -> None:
    first = keep(department, "1.2.9.1")
    keep(department, "1.2.9.1", pixels=b"other pixels!!!!")
    assert get(department_door, keys("STUDY", StudyInstanceUID="1.2.3")).objects == {"1.2.9.1": first}


def test_one_audit_row_says_what_left(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    keep(department, "1.2.9.2", sop_class=US)
    get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"))
    [row] = transfers()
    assert (row["to"], row["sent"], row["failed"], row["outcome"]) == ("WS1", 1, 1, "partial")


def fetching(peer: Modality, message_id: int = 7) -> None:
    """A C-GET of study 1.2.3 by hand."""
    role = item(0x54, len(CT).to_bytes(2, "big") + CT.encode() + b"\0\1")
    peer.associate(contexts=[(1, STUDY_ROOT_GET, [IMPLICIT_LE]), (3, CT, [EXPLICIT_LE])], calling=b"WS1", user=role)
    request = request_command(dimse.C_GET_RQ, STUDY_ROOT_GET, message_id)
    peer.send(upper_layer.message(1, request, study_key(), 16_384))


def stored(message_id: int, status: int = 0) -> bytes:
    answer = dimse.encode(
        [
            (dimse.AFFECTED_SOP_CLASS, CT),
            (dimse.COMMAND_FIELD, dimse.C_STORE_RQ | dimse.RESPONSE),
            (dimse.RESPONDED_TO, message_id),
            (dimse.DATA_SET_TYPE, dimse.NO_DATA_SET),
            (dimse.STATUS, status),
        ]
    )
    return upper_layer.message(3, answer, None, 16_384)


def test_a_cancelled_retrieve_stops_and_says_what_was_left(
    department: Department, department_door: DicomServer
) -> None:
    for number in range(1, 6):
        keep(department, f"1.2.9.{number}")
    with Modality(department_door.address) as peer:
        fetching(peer)
        first = peer.message()[0]
        peer.send(upper_layer.message(1, cancel_command(7), None, 16_384) + stored(first.message_id))
        command = peer.message()[0]
        assert (command.field, command.status) == (dimse.C_GET_RQ | dimse.RESPONSE, 0xFE00)
    [row] = transfers()
    assert (row["sent"], row["outcome"], row["why"]) == (1, "partial", "cancelled")


def test_a_requestor_that_vanishes_frees_its_thread(department: Department, department_door: DicomServer) -> None:
    for number in range(1, 6):
        keep(department, f"1.2.9.{number}")
    with Modality(department_door.address) as peer:
        fetching(peer)
        peer.message()
    department_door.stop(5.0)
    assert department_door.associations == 0
    [row] = transfers()
    assert (row["sent"], row["outcome"]) == (0, "failed")


def test_a_requestor_that_never_answers_is_left_by_the_clock(
    department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    keep(department, "1.2.9.1")
    with Modality(department_door.address) as peer:
        fetching(peer)
        peer.message()
        while not select.select([peer.socket], [], [], 0.05)[0]:
            clock.advance(10)
        assert peer.pdu()[0] == upper_layer.ABORT
    [row] = transfers_of(department_door)
    assert (row["sent"], row["why"]) == (0, "TimeLimit")


def test_a_requestor_that_takes_nothing_is_left_by_the_clock(
    department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    keep(department, "1.2.9.1", pixels=bytes(40 << 20))  # more than two sockets hold
    with Modality(department_door.address) as peer:
        fetching(peer)
        peer.socket.recv(1)  # it has begun
        while department_door.associations:
            clock.advance(10)
    [row] = transfers()
    assert (row["sent"], row["outcome"], row["why"]) == (0, "failed", "TimeLimit")


def transfers_of(door: DicomServer) -> list[dict[str, Any]]:
    """What was audited, once the association's thread has ended."""
    door.stop(5.0)
    assert door.associations == 0
    return transfers()


def test_an_answer_to_something_else_ends_the_association(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    with Modality(department_door.address) as peer:
        fetching(peer)
        first = peer.message()[0]
        peer.send(stored(first.message_id + 1))
        assert peer.pdu()[0] == upper_layer.ABORT


def test_pending_responses_count_down(department: Department, department_door: DicomServer) -> None:
    for number in range(1, 122):
        keep(department, f"1.2.9.{number}")
    fetched = get(department_door, keys("STUDY", StudyInstanceUID="1.2.3"))
    counts = [
        (status.Status, status.get("NumberOfRemainingSuboperations"), status.NumberOfCompletedSuboperations)
        for status, _identifier in fetched.responses
    ]
    assert counts == [(0xFF00, 71, 50), (0xFF00, 21, 100), (0, None, 121)]


@pytest.mark.parametrize("stored_as", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE])
def test_a_file_goes_as_it_is_stored_whenever_that_is_accepted(
    department: Department, department_door: DicomServer, stored_as: str
) -> None:
    sent = keep(department, "1.2.9.1", stored_as)
    fetched = get(
        department_door, keys("STUDY", StudyInstanceUID="1.2.3"), syntaxes=(EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE)
    )
    assert (fetched.objects, fetched.syntaxes) == ({"1.2.9.1": sent}, {"1.2.9.1": stored_as})


def test_the_retrieve_classes_are_declared() -> None:
    assert {*conformance.GETS, *conformance.MOVES} <= conformance.QUESTIONS


def test_another_spelling_is_sent_to_a_machine_that_takes_no_other(
    imaging_department: Department, imaging_door: DicomServer
) -> None:
    keep(imaging_department, "1.2.9.1", IMPLICIT_LE, pixels=bytes(range(16)))
    fetched = get(imaging_door, keys("STUDY", StudyInstanceUID="1.2.3"), syntaxes=(EXPLICIT_LE,))
    assert fetched.final.Status == 0
    assert fetched.objects == {"1.2.9.1": ct(EXPLICIT_LE, sop_instance="1.2.9.1", pixels=bytes(range(16)))}


def test_a_compressed_object_is_decoded_for_a_machine_that_cannot(
    imaging_department: Department, imaging_door: DicomServer
) -> None:
    pixels = np.arange(8, dtype=np.uint16).reshape(4, 2)
    keep(imaging_department, "1.2.9.1", JPEGLSLossless, compressed("1.2.9.1", imagecodecs.jpegls_encode(pixels)))
    asked = keys("STUDY", StudyInstanceUID="1.2.3")
    as_it_is = get(imaging_door, asked, syntaxes=(EXPLICIT_LE, JPEGLSLossless))
    assert as_it_is.syntaxes == {"1.2.9.1": JPEGLSLossless}
    decoded = get(imaging_door, asked, syntaxes=(EXPLICIT_LE,))
    assert (decoded.final.Status, decoded.syntaxes) == (0, {"1.2.9.1": EXPLICIT_LE})
    assert pixels.tobytes() in decoded.objects["1.2.9.1"]


def test_a_machine_that_shows_compressed_images_badly_is_sent_none(
    imaging_department: Department, imaging_door: DicomServer
) -> None:
    pixels = np.arange(8, dtype=np.uint16).reshape(4, 2)
    keep(imaging_department, "1.2.9.1", JPEGLSLossless, compressed("1.2.9.1", imagecodecs.jpegls_encode(pixels)))
    both = (EXPLICIT_LE, JPEGLSLossless)
    imaging_department.machine("WS1", role="workstation", uncompressed=True)
    fetched = get(imaging_door, keys("STUDY", StudyInstanceUID="1.2.3"), syntaxes=both)
    assert fetched.syntaxes == {"1.2.9.1": EXPLICIT_LE}
    with sink(syntaxes=both) as (port, received):
        imaging_department.machine("SINK", host="127.0.0.1", port=port, role="workstation", uncompressed=True)
        move(imaging_door, keys("STUDY", StudyInstanceUID="1.2.3"), "SINK", STUDY_ROOT_MOVE)
    assert received.syntaxes == {"1.2.9.1": EXPLICIT_LE}


def test_what_nobody_can_decode_goes_only_as_it_is(imaging_department: Department, imaging_door: DicomServer) -> None:
    mpeg = "1.2.840.10008.1.2.4.102"
    sent = keep(imaging_department, "1.2.9.1", mpeg, compressed("1.2.9.1", bytes(64)))
    asked = keys("STUDY", StudyInstanceUID="1.2.3")
    assert get(imaging_door, asked, syntaxes=(mpeg, EXPLICIT_LE)).objects == {"1.2.9.1": sent}
    assert get(imaging_door, asked, syntaxes=(EXPLICIT_LE,)).final.Status == 0xA702


def test_a_converted_object_carries_the_identity_of_today(
    imaging_department: Department, imaging_door: DicomServer
) -> None:
    keep(imaging_department, "1.2.9.1", IMPLICIT_LE)
    rename(imaging_department, "KABORÉ", "Awa")
    fetched = get(imaging_door, keys("STUDY", StudyInstanceUID="1.2.3"), syntaxes=(EXPLICIT_LE,))
    left = read(fetched.objects["1.2.9.1"])
    assert (left.PatientName, left.OriginalAttributesSequence[0].SourceOfPreviousValues) == ("KABORÉ^Awa", "CT1")


def test_an_object_made_smaller_while_it_is_being_fetched_still_goes_as_promised(
    imaging_department: Department,
) -> None:
    pixels = np.arange(8, dtype=np.uint16).reshape(4, 2)
    keep(imaging_department, "1.2.9.1", data=uncompressed("1.2.9.1", pixels.tobytes()))
    [found] = imaging_department.services.retrieval.of_study(1)
    archive = imaging_department.kit.archive
    smaller = archive.store(
        "archive/2026/03/02/smaller",
        [
            file_meta(CT, "1.2.9.1", JPEGLSLossless, "CT1"),
            compressed("1.2.9.1", imagecodecs.jpegls_encode(pixels)),
        ],
    )
    imaging_department.index.writer.do(
        lambda unit: Instance.update(path=smaller.path, transfer_syntax=str(JPEGLSLossless)).execute()
    )
    Path(found.path).unlink()
    body = imaging_department.services.retrieval.dresser().body(found, EXPLICIT_LE)
    data = os.pread(body.descriptor, body.length, body.offset)
    body.close()
    assert read(data).PixelData == pixels.tobytes()


def uncompressed(uid: str, pixels: bytes) -> bytes:
    """A small slice whose pixels can be decoded."""
    elements = [*ct_elements(sop_instance=uid, pixels=None), *GREY]
    return dataset_of(elements) + element(0x7FE00010, "OW", pixels)


def compressed(uid: str, stream: bytes) -> bytes:
    """A small slice around one code stream."""
    elements = dataset_of([*ct_elements(sop_instance=uid, pixels=None), *GREY])
    fragments = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0" + len(stream).to_bytes(4, "little") + stream
    return elements + element(0x7FE00010, "OB", fragments + b"\xfe\xff\xdd\xe0\0\0\0\0", length=0xFFFFFFFF)


@pytest.fixture
def imaging_department(tmp_path: Path, clock: SetClock) -> Iterator[Department]:
    data = tmp_path / "data"
    data.mkdir()
    imaging = Imaging()
    department = open_department(data, clock, imaging=imaging)
    yield department
    department.index.close()
    imaging.close()


@pytest.fixture
def imaging_door(imaging_department: Department) -> Iterator[DicomServer]:
    server = imaging_department.door()
    server.start()
    yield server
    server.stop(2.0)
