"""One decision a message: the code, the place and the French sentence that its sender reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import hl7 as python_hl7
import pytest

from core.clock import SetClock
from core.errors import BadInput, BadMessage, Conflict, NotAllowed, NotFound, OutOfResources, YelenError
from core.hl7 import refusals
from core.hl7.acknowledge import ANSWERS, CONDITIONS, Header, Verdict, ack, header_of, verdict_of
from core.hl7.framing import Frame
from core.hl7.receive import Answer, Receiver
from core.hl7.sender import Sender, find
from core.model.his import AdtKind, Applied, InboxState, OrderAct
from tests.hl7.ward import HIS, NOW, OUAGADOUGOU, RememberingInbox, adt, msa, orm


class Desk:
    """A receiver without sockets, and the answers it gives."""

    def __init__(self, sender: Sender = HIS) -> None:
        self.inbox = RememberingInbox()
        self.sender = sender
        self.receiver = Receiver(self.inbox, lambda: (sender,), SetClock(NOW), OUAGADOUGOU)

    def give(self, message: bytes) -> Answer:
        return self.receiver.answer(Frame(message), self.sender, "127.0.0.1")

    def ask(self, message: str, codec: str = "utf-8") -> str:
        return self.give(message.encode(codec)).data.decode(codec).replace("\r", "\n")


def error_of(answer: str) -> tuple[str, str, str]:
    """MSA-1, ERR-3.1 and ERR-2 of an answer of version 2.5."""
    err = next((line.split("|") for line in answer.split("\n") if line.startswith("ERR")), ["", "", "", ""])
    return msa(answer)[0], err[3].split("^")[0], err[2]


MSH = "MSH|^~\\&|SIH|CDG|YELEN|RADIO|20260727083000||ADT^A04|1|P|2.5"
PID = "PID|||IP1^^^CDG||A^B"


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (MSH.replace("|2.5", "|9.9") + "\r" + PID, ("AR", "203", "MSH^1^12")),
        (MSH.replace("|2.5", "|1.0") + "\r" + PID, ("AR", "203", "MSH^1^12")),
        (MSH.replace("ADT^A04", "ZZZ^Z99") + "\r" + PID, ("AR", "200", "MSH^1^9")),
        (MSH.replace("ADT^A04", "ADT^Z99") + "\r" + PID, ("AR", "201", "MSH^1^9")),
        (MSH.replace("ADT^A04", "ORM^O99") + "\r" + PID, ("AR", "201", "MSH^1^9")),
        (MSH.replace("ADT^A04", "") + "\r" + PID, ("AR", "200", "MSH^1^9")),
        (MSH.replace("|1|P", "||P") + "\r" + PID, ("AE", "101", "MSH^1^10")),
        (MSH, ("AE", "101", "PID^1^3")),
        (MSH + "\rPID|||||A", ("AE", "101", "PID^1^3")),
        (MSH + "\rPID|||9^^^LABO", ("AE", "204", "PID^1^3")),
        (MSH + "\rPID|||IP1^^^CDG||A||31022015|F", ("AE", "102", "PID^1^7")),
        (MSH + "\rPID|||IP1^^^CDG||A||21900101|F", ("AE", "102", "PID^1^7")),
        (MSH + "\rPID|||IP1^^^CDG||A||2019|Q", ("AE", "103", "PID^1^8")),
        (MSH + "\rEVN||bientôt\r" + PID, ("AE", "102", "EVN^1^2")),
        (MSH + "||||||KLINGON\rPID|||IP1^^^CDG||É", ("AE", "103", "MSH^1^18")),
        (MSH + "\rPID|||IP1" + "~1" * 10_000, ("AR", "207", "PID^1^3")),
        (MSH + "\rPID|||IP1" + "^1" * 20_000, ("AR", "207", "PID^1^3")),
        (MSH + "\rOBX|1|NM" * 5_000, ("AR", "207", "")),
        (MSH.replace("^~\\&", "^^\\&") + "\r" + PID, ("AR", "100", "MSH^1^2")),
    ],
)
def test_what_is_refused_is_refused_by_its_code_and_its_field(message: str, answer: tuple[str, str, str]) -> None:
    desk = Desk()
    said = desk.ask(message)
    assert error_of(said) == answer
    assert desk.inbox.messages == []  # nothing of it was applied
    assert [state for _message, state, _reason in desk.inbox.aside] == [InboxState.REFUSED]
    err = next(line for line in said.split("\n") if line.startswith("ERR")).split("|")
    assert (err[4], len(err[8]) > 10) == ("E", True)


def test_a_message_without_header_is_not_answered_and_ends_the_connection() -> None:
    desk = Desk()
    for junk in (b"", b"PID|||1\r", b"\x00\xff", b"MSHAB"):
        assert desk.give(junk) == Answer(close=True)
    assert desk.inbox.alerts == ["no-msh"] * 4


def test_an_answer_needs_no_answer() -> None:
    assert Desk().give(MSH.replace("ADT^A04", "ACK^R01").encode()) == Answer()


@pytest.mark.parametrize(
    "version", ["2.1", "2.2", "2.3", "2.3.1", "2.3.2", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8.2", "2.5^FRA^2.1"]
)
def test_every_version_up_to_2_8_is_taken(version: str) -> None:
    assert msa(Desk().ask(MSH.replace("|2.5", f"|{version}") + "\r" + PID)) == ["AA", "1"]


def test_no_version_is_the_sender_s_default() -> None:
    answer = Desk().ask(MSH.replace("|2.5", "") + "\r" + PID)
    assert msa(answer) == ["AA", "1"]
    assert answer.split("\n")[0].split("|")[11] == "2.3.1"


def test_the_answer_swaps_the_names_and_repeats_what_is_the_sender_s() -> None:
    message = adt("A04", "C-77", version="2.5.1", msh18="8859/1")
    header = python_hl7.parse(Desk().ask(message, "latin-1").replace("\n", "\r")).segment("MSH")
    assert [str(header(n)) for n in (3, 4, 5, 6, 9, 11, 12, 18)] == [
        "YELEN", "RADIO", "SIH", "CDG", "ACK^A04^ACK", "P", "2.5.1", "8859/1",
    ]  # fmt: skip
    assert str(header(7)) == "20260727083000+0000"
    assert str(header(10)).startswith("Y")


def test_two_answers_never_have_one_number() -> None:
    desk = Desk()
    numbers = {desk.ask(adt()).split("|")[9] for _ in range(50)}
    assert len(numbers) == 50


def test_custom_separators_are_the_answer_s_too() -> None:
    message = "MSH#@~\\&#SIH#CDG#YELEN#RADIO#20260727##ADT@A04#5#P#2.5\rPID###IP1@@@CDG##A"
    lines = Desk().ask(message).split("\n")
    assert lines[0].startswith("MSH#@~\\&#YELEN#RADIO#SIH#CDG#")
    assert lines[1] == "MSA#AA#5"


def test_a_refusal_in_latin_1_is_written_in_latin_1() -> None:
    message = MSH + "||||||8859/1\rPID|||IP1^^^CDG||OUÉDRAOGO|||Q"
    raw = Desk().give(message.encode("latin-1")).data
    assert b"Sexe inconnu dans PID-8" in raw
    message = MSH + "||||||8859/1\rPID|||||OUÉDRAOGO"
    assert "Aucun identifiant de patient dans PID-3" in Desk().give(message.encode("latin-1")).data.decode("latin-1")


def test_the_answer_to_an_undeclared_set_is_ascii_without_question_marks() -> None:
    raw = Desk().give((MSH.replace("^~\\&", "^^\\&") + "\r" + PID).encode()).data
    assert b"Separateurs HL7 inutilisables" in raw
    assert raw.isascii()


def test_before_2_5_the_error_has_one_field() -> None:
    answer = Desk().ask(MSH.replace("|2.5", "|2.3.1") + "\rPID|||IP1^^^CDG||A|||Q")
    assert answer.split("\n")[1:3] == [
        "MSA|AE|1|Sexe inconnu dans PID-8 : Q",
        "ERR|PID^1^8^103&Table value not found&HL70357",
    ]


def test_warnings_travel_with_an_acceptance() -> None:
    message = MSH + "||||||UNICODE UTF-8\rPID|||IP1^^^CDG||OUÉDRAOGO"
    desk = Desk()
    answer = desk.give(message.encode("latin-1")).data.decode()
    assert msa(answer.replace("\r", "\n")) == ["AA", "1"]
    assert "|W|" in answer
    [kept] = desk.inbox.messages
    assert kept.adt is not None
    assert kept.adt.patients[0].family_name == "OUÉDRAOGO"


def test_nul_and_control_bytes_in_a_name_are_removed_with_a_warning() -> None:
    desk = Desk()
    assert "|W|" in desk.ask(MSH + "\rPID|||IP1^^^CDG||OUE\x00DRA\x07OGO^A\x1b[2J")
    [kept] = desk.inbox.messages
    assert kept.adt is not None
    assert (kept.adt.patients[0].family_name, kept.adt.patients[0].given_names) == ("OUEDRAOGO", "A[2J")


def test_what_the_services_decide_is_what_the_sender_reads() -> None:
    desk = Desk()
    desk.inbox.outcomes = [
        Applied("AR", InboxState.QUARANTINED, "MSH-10 déjà utilisé", "205", "MSH^1^10"),
        Applied("AA", InboxState.STALE),
        Applied("AA", InboxState.HELD, warnings=("Fusion à confirmer par une personne",)),
    ]
    assert error_of(desk.ask(adt())) == ("AR", "205", "MSH^1^10")
    assert desk.ask(adt()).count("ERR") == 0
    assert "Fusion à confirmer" in desk.ask(adt(msh18="UNICODE UTF-8"))


@pytest.mark.parametrize("failure", [OutOfResources("plus de place"), RuntimeError("bug"), MemoryError()])
def test_a_transient_fault_asks_the_sender_to_try_again(failure: Exception) -> None:
    desk = Desk()
    desk.inbox.failure = failure
    assert error_of(desk.ask(adt()))[:2] == ("AE", "207")


def test_a_sender_may_be_held_to_a_processing_id_and_to_its_events() -> None:
    message = MSH.replace("|P|", "|T|") + "\r" + PID
    assert error_of(Desk(replace(HIS, processing_id="P")).ask(message)) == ("AR", "202", "MSH^1^11")
    lab = replace(HIS, events=frozenset({"ADT^A08"}))
    assert error_of(Desk(lab).ask(MSH + "\r" + PID)) == ("AE", "204", "MSH^1^9")


def test_enhanced_mode_only_where_agreed_and_asked() -> None:
    message = MSH + "|||AL|NE\r" + PID
    assert msa(Desk().ask(message)) == ["AA", "1"]
    assert msa(Desk(replace(HIS, enhanced=True)).ask(message)) == ["CA", "1"]
    assert msa(Desk(replace(HIS, enhanced=True)).ask(MSH + "\r" + PID)) == ["AA", "1"]


def test_a_message_reaches_the_services_free_of_hl7_spelling() -> None:
    desk = Desk()
    desk.ask(adt("A40", "9", "PID|||IP1^^^CDG||A", "MRG|IP2^^^CDG"))
    desk.ask(orm("10", "ORC|NW|D1", "OBR|1|||THX^Thorax"))
    merge, order = desk.inbox.messages
    assert (merge.control_id, merge.message_type, merge.sender, merge.peer) == ("9", "ADT^A40", "SIH", "127.0.0.1")
    assert merge.event_time == datetime(2026, 7, 27, 8, 30, tzinfo=UTC)
    assert merge.adt is not None
    assert merge.adt.kind is AdtKind.MERGE
    assert len(merge.sha256) == 64
    assert order.adt is None
    assert order.patient is not None
    assert (order.patient.principal.value, order.orders[0].act) == ("IP0001", OrderAct.NEW)


def test_every_reason_has_an_answer_and_every_answer_a_condition() -> None:
    reasons = {value for name, value in vars(refusals).items() if name.isupper() and name != "JUNK"}
    assert reasons == set(ANSWERS)
    assert {number for _code, number in ANSWERS.values()} <= set(CONDITIONS)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (BadMessage("x", "frame-too-long"), ("AR", "207")),
        (BadMessage("x"), ("AR", "207")),
        (BadInput("x"), ("AE", "102")),
        (NotFound("x"), ("AE", "204")),
        (NotAllowed("x"), ("AE", "204")),
        (Conflict("x"), ("AE", "206")),
        (OutOfResources("x"), ("AE", "207")),
        (YelenError("x"), ("AE", "207")),
        (ValueError("x"), ("AE", "207")),
    ],
)
def test_each_error_of_the_house_has_its_code(error: Exception, answer: tuple[str, str]) -> None:
    verdict = verdict_of(error)
    assert (verdict.code, verdict.error) == answer


def test_a_fault_of_ours_tells_the_sender_nothing_of_our_insides() -> None:
    assert "secret" not in verdict_of(ValueError("secret")).sentence


def test_a_sentence_opens_no_segment_in_the_answer() -> None:
    header = header_of(MSH.encode())
    assert header is not None
    answer = ack(header, Verdict("AE", "103", "un\rMSA|AA|1 | ｜ ^"), "Y1", NOW)
    assert [line[:3] for line in answer.split(b"\r")] == [b"MSH", b"MSA", b"ERR", b""]


def test_a_sender_is_known_by_its_address_however_it_is_spelt() -> None:
    known = Sender("SIH", ("10.0.0.7", "fe80::1"))
    assert find([known], "::ffff:10.0.0.7") is known
    assert find([known], "fe80::1%eth0") is known
    assert find([known], "10.0.0.8") is None
    assert find([], "10.0.0.8", "accept") is None
    assert find([], "::1", "accept") is not None
    quarantined = find([], "10.0.0.8", "quarantine")
    assert quarantined is not None
    assert quarantined.quarantined


def test_an_empty_header_is_still_answered() -> None:
    assert ack(Header(), Verdict("AA"), "Y1", NOW).startswith(b"MSH|^~\\&|")
