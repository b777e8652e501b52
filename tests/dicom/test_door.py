"""The door under rude visitors: everyone else is served meanwhile, nothing is left behind."""

from __future__ import annotations

import os
import socket
import threading
from datetime import UTC, datetime

import pytest

from core.clock import SetClock, SystemClock
from core.dicom import conformance, dimse, upper_layer
from core.dicom.handlers import Request, Routes
from core.dicom.limits import Limits
from core.dicom.notes import Happened, Note
from core.dicom.server import DicomServer
from core.errors import OutOfResources
from tests.dicom.conftest import Notes, OpenDoor, Registry, Shelf, offer
from tests.dicom.modality import (
    ECHO_CONTEXT,
    Modality,
    associate_request,
    cancel_command,
    echo_command,
    request_command,
)
from tests.people.descriptors import no_descriptor_left

CT = "1.2.840.10008.5.1.4.1.1.2"
STORE_CONTEXT = [(1, conformance.VERIFICATION, [conformance.IMPLICIT_LE]), (3, CT, [conformance.EXPLICIT_LE])]


def until_refused(modality: Modality) -> bool:
    """Talks until the other end is no longer there."""
    try:
        while True:
            modality.send(bytes(1000))
    except ConnectionError:
        return True


def set_clock() -> SetClock:
    return SetClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))


def store(modality: Modality, data: bytes, uid: str = "1.2.3", max_pdu: int = 131_072) -> int | None:
    return modality.ask(3, request_command(dimse.C_STORE_RQ, CT, 1, uid), data, max_pdu)


def test_an_echo_is_answered_and_the_release_too(door: DicomServer, notes: Notes) -> None:
    with Modality(door.address) as ct:
        ct.associate()
        assert ct.echo() == 0
        ct.release()
        assert ct.is_closed()
    assert notes.await_one(Happened.CLOSED).reason == "released"


def test_small_and_big_objects_arrive_unchanged(open_door: OpenDoor, shelf: Shelf) -> None:
    door = open_door(in_memory=100_000)
    small, big = os.urandom(99_998), os.urandom(700_002)
    with Modality(door.address) as ct:
        ct.associate(contexts=STORE_CONTEXT)
        assert store(ct, small, "1.1") == 0
        assert store(ct, big, "1.2") == 0
        assert store(ct, small[:10], "1.3", max_pdu=12) == 0
        assert ct.echo() == 0
    assert shelf.kept == {"1.1": small, "1.2": big, "1.3": small[:10]}
    assert shelf.leftovers() == []


def test_ten_silent_connections_do_not_keep_anyone_out(door: DicomServer) -> None:  # row 1
    silent = [Modality(door.address, "127.0.0.2") for _ in range(10)]
    with Modality(door.address, "127.0.0.3") as ct:
        ct.associate()
        assert ct.echo() == 0
    assert door.associations <= 1
    for modality in silent:
        modality.socket.close()


def test_a_silent_connection_is_closed_after_five_seconds(open_door: OpenDoor, notes: Notes) -> None:  # row 1
    clock = set_clock()
    door = open_door(clock)
    with Modality(door.address, "127.0.0.2") as silent, Modality(door.address, "127.0.0.3") as slow:
        slow.send(associate_request()[:40])
        with Modality(door.address) as ct:  # when this one is served, the two others are known
            ct.associate()
            assert ct.echo() == 0
        clock.advance(4.9)
        with Modality(door.address) as ct:
            ct.associate()
            assert ct.echo() == 0
        assert "no-association-request" not in notes.kinds()
        clock.advance(0.2)
        assert silent.is_closed()
        assert slow.is_closed()
    notes.await_one(Happened.SILENT, 2)


def test_beyond_four_silent_connections_an_address_gets_no_patience(open_door: OpenDoor) -> None:  # row 1
    door = open_door()
    silent = [Modality(door.address, "127.0.0.2") for _ in range(5)]
    assert silent[4].is_closed()
    for modality in silent:
        modality.socket.close()


def test_four_hundred_silent_connections_cost_no_thread(open_door: OpenDoor, notes: Notes) -> None:  # row 2
    door = open_door(pending=64)
    threads = threading.active_count()
    silent = [Modality(door.address, f"127.0.1.{number % 50 + 1}") for number in range(400)]
    notes.await_one(Happened.REFUSED, 300)
    assert threading.active_count() == threads
    for modality in silent:
        modality.socket.close()
    with Modality(door.address, "127.0.0.3") as ct:
        ct.associate()
        assert ct.echo() == 0


@pytest.mark.parametrize("length", [0xFFFFFFFF, 256 * 1024 + 1, 10])
def test_an_impossible_request_length_closes_after_the_header(door: DicomServer, notes: Notes, length: int) -> None:
    with Modality(door.address) as evil:  # row 3
        evil.send(upper_layer.HEADER.pack(1, length))
        assert evil.is_closed()
    assert notes.kinds() == ["not-dicom"]


def test_a_pdu_of_300_megabytes_is_aborted_at_its_header(door: DicomServer) -> None:  # row 4
    with Modality(door.address) as evil:
        evil.associate()
        evil.send(upper_layer.HEADER.pack(4, 300_000_000))
        assert evil.pdu() == (7, bytes((0, 0, 2, 6)))
        assert evil.is_closed()


def test_an_object_without_end_is_aborted_and_its_file_removed(
    open_door: OpenDoor, shelf: Shelf, notes: Notes
) -> None:  # row 5
    door = open_door(in_memory=50_000, object_size=300_000)
    with Modality(door.address) as evil:
        evil.associate(contexts=STORE_CONTEXT)
        evil.send(upper_layer.p_data(3, request_command(dimse.C_STORE_RQ, CT, 1, "1.2"), 3))
        for _ in range(4):
            evil.send(upper_layer.p_data(3, bytes(100_000), 0))
        assert evil.pdu()[0] == upper_layer.ABORT
    assert shelf.leftovers() == []
    assert shelf.kept == {}
    assert "300000" in notes.await_one(Happened.ABORTED).reason


def test_a_full_disk_is_said_and_the_association_lives(open_door: OpenDoor, shelf: Shelf) -> None:  # rows 5, 31
    door = open_door(in_memory=50_000)
    shelf.full_after = 100_000
    with Modality(door.address) as ct:
        ct.associate(contexts=STORE_CONTEXT)
        assert store(ct, bytes(500_000)) == 0xA700
        shelf.full_after = None
        assert store(ct, bytes(500_000)) == 0
    assert shelf.leftovers() == []


def test_a_refusal_at_the_command_still_reads_the_object(open_door: OpenDoor, shelf: Shelf) -> None:
    door = open_door(in_memory=50_000)
    shelf.refuse = OutOfResources("plus de place")
    with Modality(door.address) as ct:
        ct.associate(contexts=STORE_CONTEXT)
        assert store(ct, bytes(500_000)) == 0xA700
        assert store(ct, bytes(10)) == 0xA700
        shelf.refuse = None
        assert store(ct, bytes(10)) == 0


def test_a_programming_fault_says_nothing_to_the_peer(open_door: OpenDoor, shelf: Shelf) -> None:
    door = open_door()
    shelf.refuse = ZeroDivisionError("/secret/path")
    with Modality(door.address) as ct:
        ct.associate(contexts=STORE_CONTEXT)
        ct.send(upper_layer.message(3, request_command(dimse.C_STORE_RQ, CT, 1, "1.2"), b"x", 0))
        kind, body = ct.pdu()
        assert kind == 4
        assert b"secret" not in body
        assert b"Internal error" in body


def test_a_sender_that_vanishes_leaves_nothing(open_door: OpenDoor, shelf: Shelf) -> None:
    door = open_door(in_memory=50_000)
    with Modality(door.address) as ct:
        ct.associate(contexts=STORE_CONTEXT)
        ct.send(upper_layer.p_data(3, request_command(dimse.C_STORE_RQ, CT, 1, "1.2"), 3))
        ct.send(upper_layer.p_data(3, bytes(100_000), 0))
        ct.send(upper_layer.abort())
        assert ct.is_closed()
    door.stop()
    assert shelf.leftovers() == []


def test_one_byte_every_ten_seconds_is_not_life(open_door: OpenDoor, notes: Notes) -> None:  # row 6
    clock = set_clock()
    door = open_door(clock)
    with Modality(door.address) as slow:
        slow.associate()
        assert slow.echo() == 0
        slow.send(upper_layer.HEADER.pack(4, 100)[:1])
        for byte in upper_layer.HEADER.pack(4, 100)[1:5]:
            clock.advance(10)
            slow.send(bytes((byte,)))
        with Modality(door.address) as ct:
            ct.associate()
            assert ct.echo() == 0
            assert "association-aborted" not in notes.kinds()
        clock.advance(61)
        assert slow.pdu()[0] == upper_layer.ABORT
    assert notes.await_one(Happened.ABORTED).reason == "no complete PDU for 60 s"


def test_an_idle_association_is_aborted_after_five_minutes(open_door: OpenDoor, notes: Notes) -> None:
    clock = set_clock()
    door = open_door(clock)
    with Modality(door.address) as idle:
        idle.associate()
        clock.advance(299)
        assert idle.echo() == 0
        clock.advance(301)
        assert idle.pdu()[0] == upper_layer.ABORT
    assert notes.await_one(Happened.ABORTED).reason == "idle for more than 300 s"


@pytest.mark.parametrize(
    "hello", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
)
def test_another_protocol_is_aborted_and_noted_as_a_probe(door: DicomServer, notes: Notes, hello: bytes) -> None:
    with Modality(door.address) as browser:  # row 7
        browser.send(hello)
        assert browser.pdu()[0] == upper_layer.ABORT
        assert browser.is_closed()
    assert notes.kinds() == ["not-dicom"]
    assert notes.await_one(Happened.PROBE).address == "127.0.0.1"


@pytest.mark.parametrize(
    ("request_with", "source", "codes"),
    [
        ({"calling": b"EVIL"}, "127.0.0.1", (1, 1, 3)),  # row 8
        ({"calling": b"CT1"}, "127.0.0.66", (1, 1, 3)),  # row 8
        ({"called": b"NOTUS"}, "127.0.0.1", (1, 1, 7)),  # row 9
        ({"calling": b"../../etc\x01"}, "127.0.0.1", (1, 1, 3)),  # row 11
    ],
)
def test_strangers_are_rejected_with_the_code_and_noted(
    door: DicomServer, notes: Notes, request_with: dict[str, bytes], source: str, codes: tuple[int, int, int]
) -> None:
    with Modality(door.address, source) as stranger:
        stranger.send(associate_request(**request_with))  # type: ignore[arg-type]
        assert stranger.pdu() == (upper_layer.ASSOCIATE_RJ, bytes((0, *codes)))
        stranger.socket.shutdown(1)
        assert stranger.is_closed()
    assert notes.kinds() == ["association-rejected"]
    assert notes.await_one(Happened.REJECTED).calling.isprintable()


def test_impossible_contexts_are_aborted(door: DicomServer, notes: Notes) -> None:  # row 10
    with Modality(door.address) as evil:
        evil.send(associate_request(contexts=ECHO_CONTEXT * 2))
        assert evil.pdu()[0] == upper_layer.ABORT
    assert notes.kinds() == ["not-dicom"]


def test_a_rejected_peer_that_stays_is_closed_after_the_artim_time(open_door: OpenDoor) -> None:
    clock = set_clock()
    door = open_door(clock)
    with Modality(door.address) as stranger:
        stranger.send(associate_request(calling=b"EVIL"))
        assert stranger.pdu()[0] == upper_layer.ASSOCIATE_RJ
        with Modality(door.address) as ct:
            ct.associate()
            assert ct.echo() == 0
        clock.advance(6)
        assert until_refused(stranger)


def test_the_eleventh_association_of_a_machine_is_told_to_wait(open_door: OpenDoor) -> None:
    door = open_door(associations_per_ae=2)
    with Modality(door.address) as first, Modality(door.address) as second, Modality(door.address) as third:
        first.associate(calling=b"CT1")
        second.associate(calling=b"ct1")
        third.send(associate_request(calling=b"CT1"))
        assert third.pdu() == (upper_layer.ASSOCIATE_RJ, bytes((0, 2, 3, 2)))
        with Modality(door.address) as other:
            other.associate(calling=b"US1")
            assert other.echo() == 0
        first.release()
        assert first.is_closed()


def test_a_full_stage_is_told_to_wait_and_recovers(open_door: OpenDoor) -> None:
    door = open_door(associations=1)
    with Modality(door.address) as first, Modality(door.address) as second:
        first.associate()
        second.send(associate_request())
        assert second.pdu() == (upper_layer.ASSOCIATE_RJ, bytes((0, 2, 3, 2)))
        assert first.echo() == 0


def test_an_unknown_operation_is_answered_and_three_in_a_row_are_aborted(door: DicomServer) -> None:
    with Modality(door.address) as ct:
        ct.associate()
        move = request_command(dimse.C_MOVE_RQ, conformance.VERIFICATION)
        assert ct.ask(1, move, b"data") == 0x0211
        assert ct.ask(1, move, b"data") == 0x0211
        assert ct.echo() == 0
        for _ in range(2):
            assert ct.ask(1, move, b"data") == 0x0211
        ct.send(upper_layer.message(1, move, b"data", 0))
        assert ct.pdu()[0] == upper_layer.ABORT


def test_an_unreadable_command_is_aborted(door: DicomServer) -> None:
    with Modality(door.address) as evil:
        evil.associate()
        evil.send(upper_layer.p_data(1, b"\0\0\0\1\xff\xff\xff\xff", 3))
        assert evil.pdu()[0] == upper_layer.ABORT


def test_an_identifier_above_its_limit_is_aborted(open_door: OpenDoor) -> None:
    door = open_door(identifier_size=1000)
    with Modality(door.address) as evil:
        evil.associate()
        evil.send(upper_layer.message(1, request_command(dimse.C_FIND_RQ, conformance.VERIFICATION), bytes(2000), 0))
        assert evil.pdu()[0] == upper_layer.ABORT


def test_a_second_server_on_the_same_port_does_not_start(door: DicomServer, routes: Routes) -> None:
    from core.clock import SystemClock
    from tests.dicom.conftest import Registry

    second = DicomServer("YELEN", *door.address, Registry(), routes, SystemClock())
    with pytest.raises(OSError, match="in use"):
        second.start()


def endless(request: Request):  # type: ignore[no-untyped-def]
    number = 0
    while True:
        number += 1
        yield dimse.Reply(0xFF00, str(number).encode() * 500)


FIND_CONTEXT = [(1, conformance.STUDY_ROOT_FIND, [conformance.IMPLICIT_LE])]
FIND = request_command(dimse.C_FIND_RQ, conformance.STUDY_ROOT_FIND, 9)


@pytest.fixture
def endless_routes() -> Routes:
    return Routes(offer, {(conformance.STUDY_ROOT_FIND, dimse.C_FIND_RQ): endless})


def test_a_cancel_stops_the_answers(open_door: OpenDoor, endless_routes: Routes) -> None:
    door = open_door(routes=endless_routes)
    with Modality(door.address) as station:
        station.associate(contexts=FIND_CONTEXT)
        assert station.ask(1, FIND, b"key") == 0xFF00
        station.send(upper_layer.message(1, cancel_command(8), None, 0))  # somebody else's: nothing stops
        station.send(upper_layer.message(1, cancel_command(9), None, 0))
        while (status := station.message()[0].status) == 0xFF00:
            pass
        assert status == 0xFE00
        station.release()


def test_a_flood_of_cancels_is_one_cancel(open_door: OpenDoor, endless_routes: Routes) -> None:  # row 36
    door = open_door(routes=endless_routes)
    with Modality(door.address) as station:
        station.associate(contexts=FIND_CONTEXT)
        station.send(upper_layer.message(1, FIND, b"key", 0))
        station.send(upper_layer.message(1, cancel_command(9), None, 0) * 500)
        while (status := station.message()[0].status) == 0xFF00:
            pass
        assert status == 0xFE00
        station.release()


def test_a_reader_that_stops_reading_frees_its_thread(
    open_door: OpenDoor, endless_routes: Routes, notes: Notes
) -> None:  # row 36
    clock = set_clock()
    door = open_door(clock, routes=endless_routes)
    with Modality(door.address) as station:
        station.associate(contexts=FIND_CONTEXT)
        assert station.ask(1, FIND, b"key") == 0xFF00
        clock_mover = threading.Event()
        while door.associations and not clock_mover.wait(0.02):
            clock.advance(31)
    assert "answer not taken" in notes.await_one(Happened.ABORTED).reason


def test_a_client_that_vanishes_in_mid_answer_frees_its_thread(
    open_door: OpenDoor, endless_routes: Routes, notes: Notes
) -> None:  # row 36
    door = open_door(routes=endless_routes)
    with Modality(door.address) as station:
        station.associate(contexts=FIND_CONTEXT)
        assert station.ask(1, FIND, b"key") == 0xFF00
    door.stop(20.0)
    assert door.associations == 0
    assert notes.await_one(Happened.CLOSED).reason == "connection lost"


def test_stopping_ends_the_associations_at_rest(open_door: OpenDoor) -> None:
    door = open_door()
    with Modality(door.address) as ct:
        ct.associate()
        assert ct.echo() == 0
        door.stop()
        assert ct.pdu()[0] == upper_layer.ABORT
    assert door.associations == 0


def test_data_sent_before_our_acceptance_is_not_lost(door: DicomServer) -> None:
    with Modality(door.address) as hasty:
        hasty.send(associate_request() + upper_layer.message(1, echo_command(), None, 0))
        assert hasty.pdu()[0] == upper_layer.ASSOCIATE_AC
        assert hasty.message()[0].status == 0


def test_a_port_without_a_descriptor_left_notes_it_once_and_answers_later(door: DicomServer, notes: Notes) -> None:
    with socket.socket() as sock:
        with no_descriptor_left():
            sock.connect(door.address)
            assert notes.await_one(Happened.FAULT).reason == "EMFILE"
        with Modality(door.address) as ct:
            ct.associate()
            assert ct.echo() == 0
    assert notes.kinds().count("door-fault") == 1


def test_a_note_that_cannot_be_written_does_not_close_the_port(routes: Routes, notes: Notes) -> None:
    def write(note: Note) -> None:
        if note.what is Happened.PROBE:
            raise RuntimeError("nobody expected this")
        notes.append(note)

    door = DicomServer("YELEN", "127.0.0.1", 0, Registry(), routes, SystemClock(), Limits(tick=0.05), write)
    door.start()
    try:
        with Modality(door.address) as stranger:
            stranger.send(b"GET / HTTP/1.1\r\n\r\n")
            assert stranger.is_closed()
        assert notes.await_one(Happened.FAULT).reason == "RuntimeError"
        with Modality(door.address) as ct:
            ct.associate()
            assert ct.echo() == 0
    finally:
        door.stop(2.0)


def test_an_association_for_which_there_is_no_thread_costs_no_place(
    open_door: OpenDoor, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = open_door(associations=1)

    def no_thread(_thread: threading.Thread) -> None:
        monkeypatch.undo()
        raise RuntimeError("can't start new thread")

    with Modality(door.address) as unlucky:
        monkeypatch.setattr(threading.Thread, "start", no_thread)
        unlucky.send(associate_request())
        assert unlucky.is_closed()
    notes.await_one(Happened.FAULT)
    with Modality(door.address) as ct:
        ct.associate()
        assert ct.echo() == 0
