"""What must not hurt a box: one test a row of the list of bad inputs, against a whole box in a process of its own.

After each of them the box is alive, its memory never rose by 64 MB, and the other machines are served. Our own time
limits are tested with a clock in `test_door.py` (row 6), full disks in `test_storage.py` (row 31), death in mid-object
in `tests/crash` (row 32), discs in `tests/scanners` (rows 19 and 29), what other machines answer us in `test_send.py`
and `test_fetching.py` (row 37).
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind as Worklist
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyFind
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as StudyMove

from core.dicom import conformance, dimse, upper_layer
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from tests.dicom.dataset import CT, ct, ct_elements, dataset, element, nested
from tests.dicom.modality import (
    PATIENCE,
    Closed,
    Contexts,
    Modality,
    associate_request,
    cancel_command,
    request_command,
)
from tests.install.boxes import Box, init, yelen

MIB = 1 << 20
MOST_RISE = 64 * MIB
STORE: Contexts = [(1, conformance.VERIFICATION, [IMPLICIT_LE]), (3, CT, [EXPLICIT_LE]), (5, CT, [IMPLICIT_LE])]
QUARANTINED = "SELECT reason FROM quarantine WHERE sop_instance_uid = ? ORDER BY id DESC LIMIT 1"


class Target:
    """The box, its machines, and what its process takes."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.address = ("127.0.0.1", box.port("dicom"))
        self._proc = Path(f"/proc/{box.process.pid}")

    def status(self, name: str) -> int:
        """A number of /proc/PID/status: VmRSS and VmHWM in bytes, Threads as they are."""
        line = next(one for one in (self._proc / "status").read_text().splitlines() if one.startswith(f"{name}:"))
        number = int(line.split()[1])
        return number * 1024 if line.endswith("kB") else number

    def forget_peak(self) -> None:
        (self._proc / "clear_refs").write_text("5")

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the first row, once there is one."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.closing(sqlite3.connect(f"file:{self.box.data / 'index.sqlite'}?mode=ro", uri=True)) as db:
                row = db.execute(query, values).fetchone()
            if row is not None:
                return row[0]
        raise AssertionError(f"nothing: {query} {values}")

    def spooled(self) -> list[Path]:
        return [path for path in (self.box.data / "spool").iterdir() if path.suffix in (".spool", ".part")]

    def echo(self, source: str = "127.0.0.2") -> None:
        with Modality(self.address, source) as us1:
            us1.associate(calling=b"US1")
            assert us1.echo() == 0
            us1.release()

    def scanner(self) -> Modality:
        made = Modality(self.address)
        made.associate(contexts=STORE, max_pdu=131_072)
        return made

    def store(self, data: bytes, uid: str, context: int = 3) -> int | None:
        with self.scanner() as ct1:
            return ct1.ask(context, request_command(dimse.C_STORE_RQ, CT, 1, uid), data, 131_072)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    data = tmp_path_factory.mktemp("box") / "data"
    assert init(data).returncode == 0
    for title, address, role in (("CT1", "127.0.0.1", "modality"), ("US1", "127.0.0.2", "modality"),
                                 ("WS1", "127.0.0.1", "workstation")):  # fmt: skip
        added = yelen("device", "add", title, "--address", address, "--role", role, "--all-rooms", data=data)
        assert added.returncode == 0, added.stderr
    box = Box(data)
    made = Target(box)
    assert made.store(ct(sop_instance="1.2.3.4.100"), "1.2.3.4.100") == 0  # whatever is loaded once is loaded
    yield made
    assert box.stop() == 0


@pytest.fixture(autouse=True)
def _unharmed(target: Target) -> Iterator[None]:
    target.forget_peak()
    before = target.status("VmRSS")
    yield
    assert target.box.process.poll() is None
    target.echo()
    uid = f"1.2.3.4.{time.monotonic_ns()}"
    assert target.store(ct(sop_instance=uid), uid) == 0
    assert target.status("VmHWM") - before <= MOST_RISE
    assert target.spooled() == []


def rejected(target: Target, source: str = "127.0.0.1", **request: Any) -> tuple[int, ...]:
    """Result, source and reason of the A-ASSOCIATE-RJ."""
    with Modality(target.address, source) as machine:
        machine.send(associate_request(**request))
        kind, body = machine.pdu()
        assert kind == upper_layer.ASSOCIATE_RJ
        return tuple(body[1:4])


def aborted(machine: Modality) -> bool:
    """The box says A-ABORT, or just closes."""
    try:
        return machine.pdu()[0] == upper_layer.ABORT
    except Closed:
        return True


def test_row_01_silent_connections_keep_nobody_out(target: Target) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(Modality(target.address, "127.0.0.3"))
        for _ in range(3):
            target.echo()


def test_row_02_silent_connections_cost_no_thread(target: Target) -> None:
    before = target.status("Threads")
    with contextlib.ExitStack() as stack:
        for number in range(210):
            stack.enter_context(Modality(target.address, f"127.0.1.{number % 50 + 1}"))
        target.echo()
        assert target.status("Threads") - before <= 2  # the one that answered, and the one that leaves


def test_row_03_an_impossible_request_length_is_not_believed(target: Target) -> None:
    with Modality(target.address, "127.0.0.3") as evil:
        evil.send(b"\x01\x00\xff\xff\xff\xff")
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                evil.send(bytes(MIB))
        assert evil.is_closed()


def test_row_04_a_pdu_of_300_megabytes_is_not_waited_for(target: Target) -> None:
    with target.scanner() as evil:
        evil.send(upper_layer.HEADER.pack(upper_layer.P_DATA_TF, 300_000_000))
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                evil.send(bytes(MIB))
        assert evil.is_closed()


def test_row_05_an_object_without_end_goes_to_the_disk(target: Target) -> None:
    piece = upper_layer.p_data(3, bytes(130_000), 0)
    with target.scanner() as evil:
        evil.send(upper_layer.message(3, request_command(dimse.C_STORE_RQ, CT, 1, "1.2.5"), None, 0))
        for _ in range(1600):  # 208 MB
            evil.send(piece)
    until = time.monotonic() + PATIENCE
    while target.spooled() and time.monotonic() < until:
        pass


def test_row_07_another_protocol_is_noted_as_a_probe(target: Target) -> None:
    with Modality(target.address, "127.0.0.7") as browser:
        browser.send(b"GET / HTTP/1.1\r\nHost: yelen\r\n\r\n")
        assert aborted(browser)
    assert target.one("SELECT result FROM caller_attempt WHERE address = '127.0.0.7'") == "not-dicom"


def test_row_08_strangers_are_rejected_and_shown(target: Target) -> None:
    assert rejected(target, calling=b"EVIL") == (1, 1, 3)
    assert rejected(target, "127.0.0.66", calling=b"CT1") == (1, 1, 3)
    for title, address in (("EVIL", "127.0.0.1"), ("CT1", "127.0.0.66")):
        query = "SELECT result FROM caller_attempt WHERE ae_title = ? AND address = ?"
        assert target.one(query, title, address).startswith("association-rejected")


def test_row_09_another_called_title_is_rejected(target: Target) -> None:
    assert rejected(target, called=b"ORTHANC") == (1, 1, 7)


def test_row_10_many_contexts_are_answered_and_impossible_ones_aborted(target: Target) -> None:
    syntaxes = [f"1.2.840.10008.1.2.4.{number}" for number in range(50, 95)]
    with Modality(target.address) as machine:  # about 158,000 bytes
        contexts = [(number, CT, [EXPLICIT_LE, *syntaxes]) for number in range(1, 256, 2)]
        assert machine.associate(contexts=contexts).count(EXPLICIT_LE.encode()) == 128
        machine.release()
    for numbers in ([*range(1, 256, 2), 257 & 0xFF], [1, 1], [2]):
        with Modality(target.address) as machine:
            machine.send(associate_request(contexts=[(number, CT, [EXPLICIT_LE]) for number in numbers]))
            assert aborted(machine)


@pytest.mark.parametrize("title", [b"CT\x011", b"../../etc", b" " * 16, "ÉCHO".encode(), b"CT1\\CT2", b"\x1b[2J"])
def test_row_11_a_title_that_is_none_is_rejected_and_never_a_path(target: Target, title: bytes) -> None:
    assert rejected(target, calling=title) == (1, 1, 3)
    assert rejected(target, called=title) == (1, 1, 7)
    assert not [path for path in target.box.data.rglob("*") if "etc" in path.name]
    assert "\x1b[2J" not in "".join(target.box.said)


def test_row_12_a_path_for_a_uid_is_set_aside(target: Target) -> None:
    uid = "../../etc/passwd"
    assert target.store(ct(sop_instance=uid), uid) == 0xC000
    assert target.one(QUARANTINED, uid) == "uid-invalid"
    assert not list(target.box.data.parent.rglob("*passwd*"))


@pytest.mark.parametrize(
    ("uid", "status", "reason"),
    [
        ("1." + "2" * 198, 0xC000, "uid-invalid"),
        ("1.2.3a", 0xC000, "uid-invalid"),
        ("1..2", 0xC000, "uid-invalid"),
        ("", 0xA900, "missing-uid"),
        ("1.2.003.13", 0x0000, ""),
    ],
)
def test_row_13_a_uid_that_is_none_is_set_aside_and_leading_zeros_pass(
    target: Target, uid: str, status: int, reason: str
) -> None:
    assert target.store(ct(sop_instance=uid), uid) == status
    if reason:
        assert target.one(QUARANTINED, uid[:64]) == reason


def test_row_14_a_command_for_another_object_is_a_mismatch(target: Target) -> None:
    assert target.store(ct(sop_instance="1.2.14.1"), "1.2.14.2") == 0xA900
    assert target.one(QUARANTINED, "1.2.14.2") == "uid-mismatch"


def test_row_15_the_same_bytes_are_stored_once(target: Target) -> None:
    for _ in range(3):
        assert target.store(ct(sop_instance="1.2.15"), "1.2.15") == 0
    assert target.one("SELECT COUNT(*) FROM instance WHERE sop_instance_uid = '1.2.15'") == 1


def test_row_16_other_pixels_under_a_uid_are_set_aside_once(target: Target) -> None:
    assert target.store(ct(sop_instance="1.2.16"), "1.2.16") == 0
    for _ in range(3):
        assert target.store(ct(sop_instance="1.2.16", pixels=b"\1" * 16), "1.2.16") == 0x0111
    assert target.one(QUARANTINED, "1.2.16") == "duplicate-uid-different-content"
    assert target.one("SELECT COUNT(*) FROM quarantine WHERE sop_instance_uid = '1.2.16'") == 1


def test_row_17_another_patient_under_a_study_is_never_merged(target: Target) -> None:
    for uid, patient in (("1.2.17.1", "P-17"), ("1.2.17.2", "P-18")):
        assert target.store(ct(sop_instance=uid, study="1.2.17", patient_id=patient), uid) == 0
    assert target.one("SELECT COUNT(*) FROM study WHERE study_instance_uid = '1.2.17'") == 2
    match = target.one("SELECT match FROM study WHERE study_instance_uid = '1.2.17' AND sent_id = 'P-18'")
    assert match == "unreconciled"


@pytest.mark.parametrize(("levels", "status"), [(32, 0), (33, 0xC000), (300, 0xC000), (20_000, 0xC000)])
def test_row_18_nested_sequences_pass_to_32_levels(target: Target, levels: int, status: int) -> None:
    uid = f"1.2.18.{levels}"
    elements = ct_elements(sop_instance=uid)
    data = dataset(elements[:9]) + nested(levels) + dataset(elements[9:])
    assert target.store(data, uid) == status
    if status:
        assert target.one(QUARANTINED, uid) == "too-deep"


def test_row_19_deflated_objects_are_never_negotiated(target: Target) -> None:
    with Modality(target.address) as machine:
        body = machine.associate(contexts=[(1, CT, ["1.2.840.10008.1.2.1.99"])])
        assert b"\x21\x00" in body
        at = body.index(b"\x21\x00")
        assert body[at + 4 : at + 7] == b"\x01\x00\x04"  # context 1: transfer syntaxes not supported
        machine.send(upper_layer.message(1, request_command(dimse.C_STORE_RQ, CT, 1, "1.2.19"), b"", 0))
        assert aborted(machine)


@pytest.mark.parametrize("where", ["UT", "LT"])
def test_row_20_a_length_beyond_the_end_is_truncated(target: Target, where: str) -> None:
    uid = f"1.2.20.{len(where)}.{ord(where[0])}"
    tail = b"\x28\0\x80\2UT\0\0\xfe\xff\xff\xff0123456789" if where == "UT" else b"\x28\0\x80\2LT\xfe\xff0123456789"
    assert target.store(dataset(ct_elements(sop_instance=uid, pixels=None)) + tail, uid) == 0xC000
    assert target.one(QUARANTINED, uid) == "truncated"


def test_row_21_pixels_cut_short_are_shown_as_incomplete(target: Target) -> None:
    assert target.store(ct(sop_instance="1.2.21")[:-4], "1.2.21") == 0
    assert target.one("SELECT incomplete FROM instance WHERE sop_instance_uid = '1.2.21'") == 1


def test_row_22_a_picture_of_terabytes_reserves_nothing(target: Target) -> None:
    data = ct(sop_instance="1.2.22", rows=65_535, columns=65_535, frames="2000")
    assert target.store(data, "1.2.22") == 0
    assert target.one("SELECT frames FROM instance WHERE sop_instance_uid = '1.2.22'") == 2000


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("frames", "-5"), ("frames", "abcd")])
def test_row_23_impossible_dimensions_are_stored(target: Target, name: str, value: object) -> None:
    uid = f"1.2.23.{name == 'rows':d}.{len(str(value))}"
    assert target.store(ct(sop_instance=uid, **{name: value}), uid) == 0
    assert target.one("SELECT frames FROM instance WHERE sop_instance_uid = ?", uid) == 1


@pytest.mark.parametrize("context", [3, 5])
def test_row_24_rows_of_four_bytes_are_set_aside(target: Target, context: int) -> None:
    uid, syntax = f"1.2.24.{context}", EXPLICIT_LE if context == 3 else IMPLICIT_LE
    assert target.store(ct(syntax, sop_instance=uid, rows=("UL", 4)), uid, context) == 0xC000
    assert target.one(QUARANTINED, uid) == "bad-structure"


def test_row_25_an_unknown_vr_hides_nothing_else(target: Target) -> None:
    assert target.store(ct(sop_instance="1.2.25", body_part=("ZZ", b"opaque")), "1.2.25") == 0
    assert target.one("SELECT rows FROM instance WHERE sop_instance_uid = '1.2.25'") == 4


def test_row_26_numbers_that_are_none_are_not_indexed(target: Target) -> None:
    changes = {"weight": "NaN;rm -rf", "instance_number": "99999999999999", "study": "1.2.26"}
    assert target.store(ct(sop_instance="1.2.26.1", **changes), "1.2.26.1") == 0
    assert target.one("SELECT number IS NULL FROM instance WHERE sop_instance_uid = '1.2.26.1'") == 1
    assert target.one("SELECT sent_weight IS NULL FROM study WHERE study_instance_uid = '1.2.26'") == 1


@pytest.mark.parametrize(("charset", "name"), [("ISO_IR 999", b"Oum\xe9 "), ("ISO_IR 192", b"Oum\xe9\xff^A")])
def test_row_27_an_unreadable_name_is_marked_and_found_by_its_number(target: Target, charset: str, name: bytes) -> None:
    uid = f"1.2.27.{len(name)}"
    data = ct(sop_instance=uid, charset=charset, name=name, patient_id=f"P-{len(name)}", study=f"1.2.27.0.{len(name)}")
    assert target.store(data, uid) == 0
    assert target.one("SELECT charset_suspect FROM instance WHERE sop_instance_uid = ?", uid) == 1
    number = f"P-{len(name)}"
    assert target.one("SELECT COUNT(*) FROM study WHERE sent_id = ?", number) == 1
    key = Dataset()
    key.QueryRetrieveLevel, key.PatientID, key.StudyInstanceUID = "STUDY", number, ""
    found, statuses = find(target, key)
    assert statuses[-1] == 0
    assert [answer.StudyInstanceUID for answer in found] == [f"1.2.27.0.{len(name)}"]


def test_row_28_tags_out_of_order_and_twice_are_read(target: Target) -> None:
    plain = ct_elements(sop_instance="1.2.28.1")
    assert target.store(dataset([*plain[:-1][::-1], plain[-1]]), "1.2.28.1") == 0
    two_names = [*ct_elements(sop_instance="1.2.28.2", study="1.2.28"), (0x00100020, "LO", "OTHER")]
    pixels_last = sorted(two_names, key=lambda one: one[0] == 0x7FE00010)
    assert target.store(dataset(pixels_last), "1.2.28.2") == 0
    assert target.one("SELECT match FROM study WHERE study_instance_uid = '1.2.28'") == "unreconciled"
    two_studies = [*ct_elements(sop_instance="1.2.28.3")[:-1], (0x0020000D, "UI", "1.9.28")]
    assert target.store(dataset(two_studies), "1.2.28.3") == 0xA900
    assert target.one(QUARANTINED, "1.2.28.3") == "bad-structure"


def test_row_30_without_patient_it_waits_under_the_overlay_without_study_outside(target: Target) -> None:
    assert target.store(ct(sop_instance="1.2.30.1", study="1.2.30", patient_id=None), "1.2.30.1") == 0
    assert target.one("SELECT match FROM study WHERE study_instance_uid = '1.2.30'") == "unreconciled"
    assert target.store(ct(sop_instance="1.2.30.2", study=None), "1.2.30.2") == 0xA900
    assert target.one(QUARANTINED, "1.2.30.2") == "missing-uid"


def find(target: Target, key: Dataset, model: str = StudyFind) -> tuple[list[Dataset], list[int]]:
    station = AE("WS1")
    station.add_requested_context(model)
    association = station.associate(*target.address, ae_title="YELEN")
    assert association.is_established
    answers = list(association.send_c_find(key, model))
    association.release()
    found = [identifier for _status, identifier in answers if identifier is not None]
    return found, [int(status.Status) for status, _identifier in answers]


@pytest.mark.parametrize("everything", ["", "*"])
def test_row_33_an_open_question_is_answered_within_its_limit(target: Target, everything: str) -> None:
    key = Dataset()
    key.QueryRetrieveLevel = "STUDY"
    key.PatientName = key.PatientID = key.AccessionNumber = everything
    key.StudyInstanceUID = ""
    found, statuses = find(target, key)
    assert 0 < len(found) <= 500
    assert statuses[-1] in (0x0000, 0xA700, 0xB001)
    item = Dataset()
    item.ScheduledStationAETitle, item.Modality = "", everything
    steps = Dataset()
    steps.PatientName, steps.ScheduledProcedureStepSequence = everything, [item]
    assert find(target, steps, Worklist)[1][-1] == 0x0000


@pytest.mark.parametrize("name", ["%' OR 1=1--", "[A-Z]", "_", "*" * 64, "*?" * 32, "\\", "';DROP TABLE study;--"])
def test_row_34_a_hostile_name_is_letters_like_others(target: Target, name: str) -> None:
    for model in (StudyFind, Worklist):
        key = Dataset()
        key.PatientName = name
        if model is StudyFind:
            key.QueryRetrieveLevel, key.StudyInstanceUID = "STUDY", ""
        found, statuses = find(target, key, model)
        assert statuses[-1] in (0x0000, 0xA700)
        assert not found or set(name) <= set("*?\\")
    assert target.one("SELECT COUNT(*) > 0 FROM study") == 1


@pytest.mark.parametrize("destination", ["NOWHERE", "YELEN", "../../etc"])
def test_row_35_a_move_to_nobody_or_to_ourselves_is_refused(target: Target, destination: str) -> None:
    station = AE("WS1")
    station.add_requested_context(StudyMove)
    association = station.associate(*target.address, ae_title="YELEN")
    key = Dataset()
    key.QueryRetrieveLevel, key.StudyInstanceUID = "STUDY", "1.2.3"
    answers = list(association.send_c_move(key, destination, StudyMove))
    association.release()
    assert [int(status.Status) for status, _identifier in answers] == [0xA801]


def test_row_36_a_flood_of_cancels_and_a_client_that_vanishes_free_their_threads(target: Target) -> None:
    before = target.status("Threads")
    key = element(0x00080052, "CS", b"STUDY ") + element(0x0020000D, "UI", b"")
    request = upper_layer.message(1, request_command(dimse.C_FIND_RQ, conformance.STUDY_ROOT_FIND, 7), key, 16_384)
    cancel = upper_layer.message(1, cancel_command(7), None, 16_384)
    contexts: Contexts = [(1, conformance.STUDY_ROOT_FIND, [EXPLICIT_LE])]
    for flood in (cancel * 2000, b""):
        with Modality(target.address) as ws1:
            ws1.associate(contexts=contexts, calling=b"WS1")
            with contextlib.suppress(ConnectionError):
                ws1.send(request + flood)
    until = time.monotonic() + PATIENCE
    while target.status("Threads") > before and time.monotonic() < until:
        pass
    assert target.status("Threads") <= before


def test_unknown_operations_are_answered_and_three_in_a_row_end_it(target: Target) -> None:
    event = dimse.encode(
        [
            (dimse.AFFECTED_SOP_CLASS, conformance.VERIFICATION),
            (dimse.COMMAND_FIELD, dimse.N_EVENT_REPORT_RQ),
            (dimse.MESSAGE_ID, 1),
            (dimse.DATA_SET_TYPE, dimse.NO_DATA_SET),
            (dimse.AFFECTED_INSTANCE, "1.2.3"),
            (dimse.EVENT_TYPE, 1),
        ]
    )
    with Modality(target.address) as machine:
        machine.associate()
        assert machine.ask(1, event) == 0x0211
        assert machine.ask(1, event) == 0x0211
        machine.send(upper_layer.message(1, event, None, 16_384))
        assert aborted(machine)


def test_a_response_that_nobody_asked_for_is_not_answered(target: Target) -> None:
    stray = dimse.encode(
        [
            (dimse.COMMAND_FIELD, dimse.C_ECHO_RQ | dimse.RESPONSE),
            (dimse.RESPONDED_TO, 99),
            (dimse.DATA_SET_TYPE, dimse.NO_DATA_SET),
            (dimse.STATUS, 0),
        ]
    )
    with Modality(target.address) as machine:
        machine.associate()
        machine.send(upper_layer.message(1, stray, None, 16_384))
        assert machine.echo() == 0


def test_random_bytes_in_an_association_end_it(target: Target) -> None:
    for start in (b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x03junk", struct.pack(">BxI", 9, 4) + b"junk"):
        with Modality(target.address) as machine:
            machine.associate()
            machine.send(start + bytes(range(256)))
            assert machine.is_closed()
