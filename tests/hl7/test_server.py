"""The HL7 port on real sockets: answers in order, rude callers cut, a clean stop."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import hl7.mllp
import pytest
from hl7.client import MLLPClient

from core.hl7 import server as mllp_server
from core.hl7.limits import Limits
from core.hl7.sender import Sender
from core.model.his import InboxState
from tests import skips
from tests.hl7.ward import HIS, Caller, Ward, adt, msa
from tests.people.descriptors import no_descriptor_left


def test_a_second_adt_on_the_same_connection_is_acknowledged(ward: Ward, his: Caller) -> None:
    assert msa(his.ask(adt("A04", "1"))) == ["AA", "1"]
    assert msa(his.ask(adt("A08", "2"))) == ["AA", "2"]
    assert [m.control_id for m in ward.inbox.messages] == ["1", "2"]


def test_three_pipelined_messages_get_three_answers_in_order(his: Caller) -> None:
    his.say(adt("A04", "1"), adt("A08", "2"), adt("A31", "3"))
    assert [msa(his.answer()) for _ in range(3)] == [["AA", "1"], ["AA", "2"], ["AA", "3"]]


def test_a_frame_cut_at_every_byte_is_read_the_same(ward: Ward, his: Caller) -> None:
    his.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"\x0b" + adt("A04", "1").encode() + b"\x1c\r":
        his.send(bytes([byte]))
    assert msa(his.answer()) == ["AA", "1"]
    assert ward.inbox.messages[0].raw == adt("A04", "1").encode()


def test_two_messages_in_one_frame_are_two_messages_with_one_answer_frame(ward: Ward, his: Caller) -> None:
    answer = his.ask(adt("A04", "1") + adt("A08", "2"))
    assert [line for line in answer.split("\n") if line.startswith("MSA")] == ["MSA|AA|1", "MSA|AA|2"]
    assert len(ward.inbox.messages) == 2


def test_a_batch_is_answered_as_a_batch(his: Caller) -> None:
    answer = his.ask("FHS|^~\\&|SIH\rBHS|^~\\&|SIH\r" + adt("A04", "1") + adt("A08", "2") + "BTS|2\rFTS|1\r")
    lines = answer.strip().split("\n")
    assert [line[:3] for line in lines] == ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS"]
    assert lines[-1] == "BTS|2"


def test_half_close_after_the_last_message_is_answered_then_closed(his: Caller) -> None:
    his.say(adt("A04", "1"))
    his.sock.shutdown(socket.SHUT_WR)
    assert msa(his.answer()) == ["AA", "1"]
    assert his.answer() == ""


def test_the_python_hl7_client_is_answered_twice_on_one_connection(ward: Ward) -> None:
    with MLLPClient("127.0.0.1", ward.server.port) as client:
        first = client.send_message(adt("A04", "7"))
        second = client.send_message(hl7.parse(adt("A08", "8")))
    for reply, number in ((first, "7"), (second, "8")):
        parsed = hl7.parse(reply.decode().strip("\x0b\x1c\r"))
        assert str(parsed.segment("MSA")(1)) == "AA"
        assert str(parsed.segment("MSA")(2)) == number
        assert str(parsed.segment("MSH")(9)) == f"ACK^{'A04' if number == '7' else 'A08'}^ACK"


def test_the_asynchronous_python_hl7_client_is_answered(ward: Ward) -> None:
    async def talk() -> list[str]:
        reader, writer = await hl7.mllp.open_hl7_connection("127.0.0.1", ward.server.port, encoding="utf-8")
        codes = []
        for number in ("1", "2", "3"):
            writer.writemessage(hl7.parse(adt("A08", number)))
            await writer.drain()
            codes.append(str((await reader.readmessage()).segment("MSA")(2)))
        writer.close()
        return codes

    # In a thread of its own: the browser of other tests keeps a loop in this one.
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(asyncio.run, asyncio.wait_for(talk(), 30)).result() == ["1", "2", "3"]


def test_junk_without_a_frame_is_closed_and_reported(ward: Ward, his: Caller) -> None:
    his.send(b"GET / HTTP/1.1\r\n" * 5000)
    assert his.answer() == ""
    assert ward.inbox.alerts == ["junk"]


def test_a_frame_over_its_cap_is_refused_by_name_and_closed(ward: Ward, his: Caller) -> None:
    his.send(b"\x0b" + adt("A04", "9").encode() + b"NTE|1||" + b"x" * 40_000_000)
    answer = his.answer()
    assert his.answer() == ""
    assert msa(answer) == ["AR", "9"]
    assert "207" in answer
    assert ward.inbox.alerts == ["frame-too-long"]
    assert ward.inbox.messages == []


def test_a_slow_sender_is_cut_when_its_frame_has_lasted_too_long(ward: Ward, his: Caller) -> None:
    his.send(b"\x0bMSH|")
    _until(lambda: any(c.mid_frame for c in ward.server._connections))
    ward.clock.advance(29)
    his.send(b"^")
    ward.server.sweep()
    assert ward.server.connections == 1
    ward.clock.advance(2)
    assert his.answer() == ""
    _until(lambda: ward.inbox.alerts == ["message too slow"])


def test_a_silent_connection_is_closed_without_a_word_after_a_minute(ward: Ward, his: Caller) -> None:
    assert msa(his.ask(adt())) == ["AA", "1"]
    ward.clock.advance(61)
    assert his.answer() == ""
    assert ward.inbox.alerts == []


def test_dripping_junk_does_not_keep_a_connection_open(ward: Ward, his: Caller) -> None:
    assert msa(his.ask(adt())) == ["AA", "1"]
    ward.clock.advance(50)
    his.send(b"\r")
    ward.clock.advance(11)
    assert his.answer() == ""


def test_a_message_being_applied_is_not_cut_by_the_clock(open_ward: Callable[..., Ward]) -> None:
    ward = open_ward()
    ward.inbox.gate = threading.Event()
    his = ward.call()
    his.say(adt())
    assert ward.inbox.entered.wait(30)
    ward.clock.advance(3600)
    ward.server.sweep()
    ward.inbox.gate.set()
    assert msa(his.answer()) == ["AA", "1"]
    his.hang_up()


def test_one_peer_may_hold_four_connections_and_no_more(ward: Ward) -> None:
    callers = [ward.call() for _ in range(4)]
    assert [msa(c.ask(adt("A04", "1"))) for c in callers] == [["AA", "1"]] * 4
    fifth = ward.call()
    assert fifth.answer() == ""
    assert ward.inbox.alerts == ["too many connections"]
    callers[0].hang_up()
    _until(lambda: ward.server.connections == 3)
    again = ward.call()
    assert msa(again.ask(adt("A04", "2"))) == ["AA", "2"]
    for caller in [*callers, fifth, again]:
        caller.hang_up()


def test_all_peers_together_hold_no_more_than_the_port_has(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp_server, "CONNECTIONS", 2)
    callers = [ward.call() for _ in range(2)]
    assert [msa(c.ask(adt("A04", "1"))) for c in callers] == [["AA", "1"]] * 2
    third = ward.call()
    assert third.answer() == ""
    for caller in [*callers, third]:
        caller.hang_up()


def test_an_unknown_sender_is_closed_and_reported(open_ward: Callable[..., Ward]) -> None:
    ward = open_ward(Sender("AUTRE", ("10.0.0.7",)))
    his = ward.call()
    assert his.answer() == ""
    assert ward.inbox.alerts == ["unknown sender"]


def test_an_unknown_sender_may_be_kept_for_a_person(open_ward: Callable[..., Ward]) -> None:
    ward = open_ward(Sender("AUTRE", ("10.0.0.7",)), unknown="quarantine")
    his = ward.call()
    answer = his.ask(adt())
    assert msa(answer) == ["AA", "1"]
    assert "non appliqué" in answer.encode("latin-1").decode() or "non applique" in answer
    assert ward.inbox.messages == []
    [(message, state, _reason)] = ward.inbox.aside
    assert (message.raw, state) == (adt().encode(), InboxState.QUARANTINED)


def test_an_unknown_sender_on_loopback_may_be_accepted(open_ward: Callable[..., Ward]) -> None:
    ward = open_ward(Sender("AUTRE", ("10.0.0.7",)), unknown="accept")
    assert msa(ward.call().ask(adt())) == ["AA", "1"]


def test_stopping_lets_the_answer_under_way_leave(open_ward: Callable[..., Ward]) -> None:
    ward = open_ward()
    ward.inbox.gate = threading.Event()
    his = ward.call()
    his.say(adt("A04", "1"), adt("A08", "2"))
    assert ward.inbox.entered.wait(30)
    stopper = threading.Thread(target=ward.server.stop)
    stopper.start()
    ward.inbox.gate.set()
    answers = [his.answer(), his.answer()]
    stopper.join(30)
    assert not stopper.is_alive()
    assert msa(answers[0]) == ["AA", "1"]
    assert len([m for m in answers if m]) == len(ward.inbox.messages)  # what was applied was answered
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ward.server.port), timeout=5)


def test_a_report_of_ten_megabytes_is_read(ward: Ward, his: Caller) -> None:
    header = "MSH|^~\\&|SIH|CDG|YELEN|RADIO|20260727||ORU^R01|5|P|2.5.1\rOBX|1|ED|||^application^pdf^Base64^"
    his.send(b"\x0b" + header.encode() + b"A" * 10_000_000 + b"\r\x1c\r")
    assert msa(his.answer()) == ["AR", "5"]  # read whole; its type is what is refused
    assert len(ward.inbox.aside[0][0].raw) > 10_000_000


def test_a_sender_has_limits_of_its_own(open_ward: Callable[..., Ward]) -> None:
    ward = open_ward(replace(HIS, limits=Limits(message=300, report=300)))
    his = ward.call()
    his.send(b"\x0b" + adt("A04", "3").encode() + b"x" * 300)
    assert msa(his.answer()) == ["AR", "3"]


@skips.needs_corpus
@pytest.mark.corpus
def test_every_message_of_the_corpus_gets_one_decision_on_one_connection(open_ward: Callable[..., Ward]) -> None:
    folder = skips.corpus()
    assert folder is not None
    ward = open_ward(Sender("LABO", ("127.0.0.1",)))
    for path in [*sorted(folder.glob("hl7/*")), *sorted(folder.glob("hl7-bad/*"))]:
        caller = ward.call()
        caller.send(b"\x0b" + path.read_bytes() + b"\x1c\r")
        caller.sock.shutdown(socket.SHUT_WR)
        answer = caller.answer()
        codes = [line.split("|")[1] for line in answer.split("\n") if line.startswith("MSA")]
        headers = len(re.findall(rb"(?:\A|[\r\n]|\xef\xbb\xbf)MSH\|", path.read_bytes()))
        if path.parent.name == "hl7-bad":
            assert set(codes) <= {"AE", "AR"}, path.name
        else:
            assert len(codes) == headers, path.name
        caller.hang_up()
        _until(lambda: ward.server.connections == 0)
    assert not [m for m in ward.inbox.messages if not m.control_id]


def _until(true: Callable[[], bool]) -> None:
    """Waits for a thread of ours to have seen what happened; gives up only to keep a broken test from hanging."""
    waiting = threading.Event()
    for _ in range(3000):
        if true():
            return
        waiting.wait(0.01)
    raise AssertionError("never happened")


def test_a_port_without_a_descriptor_left_says_so_and_takes_the_message_later(ward: Ward) -> None:
    with socket.socket() as sock:
        with no_descriptor_left():
            sock.connect(("127.0.0.1", ward.server.port))
            assert ward.inbox.alerted.wait(30)
        assert ward.inbox.alerts == ["door-fault: EMFILE"]
        sock.sendall(b"\x0b" + adt("A04", "1").encode() + b"\x1c\r")
        sock.settimeout(30)
        assert b"MSA|AA|1" in sock.recv(65536)


def test_a_fault_while_a_caller_is_let_in_costs_that_caller_alone(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(_address: str) -> Sender | None:
        monkeypatch.undo()
        raise RuntimeError("the list of senders cannot be read")

    monkeypatch.setattr(ward.receiver, "admit", fault)
    assert ward.call().answer() == ""
    his = ward.call()
    assert msa(his.ask(adt("A04", "1"))) == ["AA", "1"]
    his.hang_up()
    assert ward.inbox.alerts == ["door-fault: RuntimeError"]
