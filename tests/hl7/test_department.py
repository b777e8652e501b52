"""What the HIS sends, seen by reception and the modality; what the radiologist signs, seen by the HIS."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import hl7 as python_hl7
import pytest

from core.errors import OutOfResources
from core.hl7.door import open_sender
from core.index.tables import Inbox
from core.model.device import Destination, HisSender
from core.model.outbox import Letter
from core.model.report import ReportText
from core.model.worklist import WorklistStatus
from tests.hl7.hospital import ADMIN, RADIOLOGIST, Hospital, open_hospital
from tests.hl7.test_send import Receiver, ack, frame, number_of
from tests.hl7.ward import Caller, adt, msa, orm

NW = ("ORC|NW|D77^SIH|||||^^^20260727140000^^S|||||7^KABORÉ^Salif", "OBR|1|D77^SIH||THX^Thorax|||||||||Toux")


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with open_hospital(tmp_path) as opened:
        yield opened


@pytest.fixture
def his(hospital: Hospital) -> Iterator[Caller]:
    caller = hospital.call()
    yield caller
    caller.hang_up()


def test_a_child_admitted_by_the_his_is_found_by_reception(hospital: Hospital, his: Caller) -> None:
    assert msa(his.ask(adt("A04", "1"))) == ["AA", "1"]
    [child] = hospital.services.patients.search(ADMIN, "ouedraogo")
    assert (child.number, child.name, child.demographics.sex) == ("IP0001", "OUÉDRAOGO Aïssata", "F")


def test_an_order_is_on_the_list_once_acknowledged(hospital: Hospital, his: Caller) -> None:
    assert msa(his.ask(orm("1", *NW))) == ["AA", "1"]
    [exam] = hospital.exams()
    assert (exam.status, exam.exam_code, exam.room) == (WorklistStatus.SCHEDULED, "THX", "RX1")
    assert (exam.urgency, exam.indication, exam.patient_name) == ("V", "Toux", "OUÉDRAOGO Aïssata")


def test_the_same_message_twice_is_answered_the_same_and_applied_once(hospital: Hospital, his: Caller) -> None:
    first, second = his.ask(orm("1", *NW)), his.ask(orm("1", *NW))
    assert msa(first) == msa(second) == ["AA", "1"]
    assert len(hospital.exams()) == 1
    assert hospital.states() == ["applied"]


def test_the_same_number_and_time_with_another_body_is_refused(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1"))
    answer = his.ask(adt("A04", "1", "PID|||IP0002^^^CDG||AUTRE^Enfant"))
    assert msa(answer) == ["AR", "1"]
    assert "|205^" in answer
    assert hospital.states() == ["applied", "quarantined"]
    assert hospital.services.patients.search(ADMIN, "autre") == []


def test_a_counter_that_restarted_is_only_a_warning(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1"))
    later = adt("A04", "1", "PID|||IP0002^^^CDG||AUTRE^Enfant").replace("20260727083000", "20260727093000")
    answer = his.ask(later)
    assert msa(answer) == ["AA", "1"]
    assert "|W|" in answer


def test_older_news_does_not_overwrite_newer(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A08", "2", "PID|||IP0001^^^CDG||NOUVEAU^Nom"))
    older = adt("A08", "1", "PID|||IP0001^^^CDG||ANCIEN^Nom").replace("20260727083000", "20260727080000")
    assert msa(his.ask(older)) == ["AA", "1"]
    assert hospital.states() == ["applied", "stale"]
    assert [p.name for p in hospital.services.patients.search(ADMIN, "IP0001")] == ["NOUVEAU Nom"]


def test_two_numbers_become_one_child_and_a_second_time_changes_nothing(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", "PID|||IP0001^^^CDG||OUÉDRAOGO^Aïssata"))
    his.ask(adt("A04", "2", "PID|||IP0002^^^CDG||OUEDRAOGO^Aissata"))
    for number in ("3", "4"):
        merge = adt("A40", number, "PID|||IP0001^^^CDG||OUÉDRAOGO^Aïssata", "MRG|IP0002^^^CDG")
        assert msa(his.ask(merge)) == ["AA", number]
    [child] = hospital.services.patients.search(ADMIN, "ouedraogo")
    found = hospital.services.patients.by_number(ADMIN, "IP0002")
    assert found is not None
    assert found.id == child.id


def test_a_merge_of_a_boy_and_a_girl_is_held_for_a_person(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", "PID|||IP0001^^^CDG||OUÉDRAOGO^Paul|||M"))
    his.ask(adt("A04", "2", "PID|||IP0002^^^CDG||OUÉDRAOGO^Paule|||F"))
    merge = adt("A40", "3", "PID|||IP0001^^^CDG||OUÉDRAOGO^Paul|||M", "MRG|IP0002^^^CDG")
    assert msa(his.ask(merge)) == ["AA", "3"]
    assert hospital.states()[-1] == "held"
    assert len(hospital.services.patients.search(ADMIN, "ouedraogo")) == 2


def test_a_sender_without_the_right_to_merge_is_refused(hospital: Hospital) -> None:
    hospital.services.devices.save_sender(ADMIN, HisSender("SIH", ("127.0.0.1",), authority="CDG", may_merge=False))
    his = hospital.call()
    his.ask(adt("A04", "1", "PID|||IP0002^^^CDG||A^B"))
    assert msa(his.ask(adt("A40", "3", "PID|||IP0001^^^CDG||A^B", "MRG|IP0002^^^CDG"))) == ["AE", "3"]
    his.hang_up()


def test_an_undeclared_sender_never_merges_even_where_everybody_is_taken(tmp_path: Path) -> None:
    with open_hospital(tmp_path, "hl7.unknown_senders=accept") as hospital:
        hospital.services.devices.remove_sender(ADMIN, "SIH")
        stranger = hospital.call()
        assert msa(stranger.ask(adt("A04", "1", "PID|||IP0002^^^CDG||A^B"))) == ["AA", "1"]
        assert msa(stranger.ask(adt("A04", "2", "PID|||IP0001^^^CDG||A^B"))) == ["AA", "2"]
        refusal = stranger.ask(adt("A40", "3", "PID|||IP0001^^^CDG||A^B", "MRG|IP0002^^^CDG"))
        assert msa(refusal) == ["AE", "3"]
        assert "|204^" in refusal
        assert len(hospital.services.patients.search(ADMIN, "A")) == 2
        stranger.hang_up()


@pytest.mark.parametrize("unknown", ["reject", "accept"])
def test_a_sender_that_is_switched_off_is_not_heard_on_the_line_it_has_open(tmp_path: Path, unknown: str) -> None:
    with open_hospital(tmp_path, f"hl7.unknown_senders={unknown}") as hospital:
        his = hospital.call()
        his.ask(adt("A04", "1", "PID|||IP0001^^^CDG||A^B"))
        his.ask(adt("A04", "2", "PID|||IP0002^^^CDG||A^B"))
        off = HisSender("SIH", ("127.0.0.1",), authority="CDG", active=False)
        hospital.services.devices.save_sender(ADMIN, off)
        answer = his.ask(adt("A40", "3", "PID|||IP0001^^^CDG||A^B", "MRG|IP0002^^^CDG"))
        assert msa(answer) == []
        assert hospital.call().answer() == ""
        assert len(hospital.services.patients.search(ADMIN, "A")) == 2
        his.hang_up()


def test_a_sender_with_habits_is_read_by_its_row(hospital: Hospital) -> None:
    row = HisSender(
        "SIH", ("127.0.0.1",), authority="CDG", sexes=("1=M", "2=F"), legacy_merge=True, enhanced=True,
        events=("ADT^A04", "ADT^A18"), charset_terms=("LATIN=latin-1",),
    )  # fmt: skip
    hospital.services.devices.save_sender(ADMIN, row)
    his = hospital.call()
    born = adt("A04", "1", "PID|||IP0001^^^CDG||OUÉDRAOGO^Paul|||1", msh18="LATIN").replace("2.5||||||", "2.5|||AL|||")
    assert msa(his.ask(born, codec="latin-1")) == ["CA", "1"]
    assert [(p.name, p.demographics.sex) for p in hospital.services.patients.search(ADMIN, "ouedraogo")] == [
        ("OUÉDRAOGO Paul", "M")
    ]
    assert msa(his.ask(adt("A08", "2", "PID|||IP0001^^^CDG||AUTRE^Nom"))) == ["AE", "2"]
    his.ask(adt("A04", "3", "PID|||IP0002^^^CDG||OUÉDRAOGO^Paul|||1"))
    his.ask(adt("A18", "4", "PID|||IP0001^^^CDG||OUÉDRAOGO^Paul|||1", "MRG|IP0002^^^CDG"))
    assert len(hospital.services.patients.search(ADMIN, "ouedraogo")) == 1
    his.hang_up()


def test_a_frame_without_a_header_is_kept_once_and_listed(hospital: Hospital) -> None:
    for _try in range(2):
        his = hospital.call()
        his.say("PID|||IP0001^^^CDG||PERDU^Sans en-tête\r")
        assert his.answer() == ""
        his.hang_up()
    [line] = hospital.services.his.messages(ADMIN)
    assert (line.state.word, line.sender, line.peer, line.ack_code) == ("mis de côté", "SIH", "127.0.0.1", "")
    assert "MSH" in line.text
    [row] = Inbox.select()
    assert bytes(row.message) == "PID|||IP0001^^^CDG||PERDU^Sans en-tête\r".encode()


def test_a_cancelled_order_leaves_the_list_and_a_late_one_is_born_cancelled(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *NW))
    assert msa(his.ask(orm("2", "ORC|CA|D77^SIH", "OBR|1|D77^SIH"))) == ["AA", "2"]
    assert [e.status for e in hospital.exams()] == [WorklistStatus.CANCELED]
    assert msa(his.ask(orm("3", "ORC|CA|D99^SIH", "OBR|1|D99^SIH"))) == ["AA", "3"]
    assert msa(his.ask(orm("4", *(line.replace("D77", "D99") for line in NW)))) == ["AA", "4"]
    assert [e.status for e in hospital.exams()] == [WorklistStatus.CANCELED] * 2


def test_an_order_that_moves_keeps_its_exam(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *NW))
    his.ask(orm("2", *(line.replace("ORC|NW", "ORC|XO").replace("140000", "150000") for line in NW)))
    [exam] = hospital.exams()
    assert exam.scheduled_at is not None
    assert exam.scheduled_at.hour == 15


def test_a_cancellation_after_the_exam_is_accepted_and_not_applied(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *NW))
    [exam] = hospital.exams()
    hospital.do_exam(exam.step_id)
    assert msa(his.ask(orm("2", "ORC|CA|D77^SIH", "OBR|1|D77^SIH"))) == ["AA", "2"]
    [after] = hospital.exams()
    assert after.status in (WorklistStatus.DONE, WorklistStatus.TO_READ)
    assert "late_cancel" in after.flags


def test_an_order_held_from_birth_is_suspended(hospital: Hospital, his: Caller) -> None:
    assert msa(his.ask(orm("1", NW[0].replace("D77^SIH|||||", "D77^SIH|||HD||"), NW[1]))) == ["AA", "1"]
    [exam] = hospital.exams()
    assert "suspended" in exam.flags
    his.ask(orm("2", "ORC|RL|D77^SIH", "OBR|1|D77^SIH"))
    assert "suspended" not in hospital.exams()[0].flags


def test_orders_that_only_we_number_stay_apart(hospital: Hospital, his: Caller) -> None:
    """A sender that gives ORC-3 and no ORC-2: each filler number is an order of its own."""
    other = "PID|||IP0002^^^CDG^PI||ZONGO^Issa||20180101|M"
    assert msa(his.ask(orm("1", "ORC|NW||F1||||^^^20260727140000", "OBR|1||F1|THX^Thorax"))) == ["AA", "1"]
    second = ("ORC|NW||F2||||^^^20260727150000", "OBR|1||F2|THX^Thorax")
    assert msa(his.ask(orm("2", *second, pid=other))) == ["AA", "2"]
    assert sorted(e.family_name for e in hospital.exams()) == ["OUÉDRAOGO", "ZONGO"]
    assert msa(his.ask(orm("3", "ORC|CA||F1", "OBR|1||F1"))) == ["AA", "3"]
    assert {e.family_name: e.status for e in hospital.exams()} == {
        "OUÉDRAOGO": WorklistStatus.CANCELED,
        "ZONGO": WorklistStatus.SCHEDULED,
    }


def test_an_unknown_cancellation_without_the_placers_number_cancels_nothing_to_come(
    hospital: Hospital, his: Caller
) -> None:
    assert msa(his.ask(orm("1", "ORC|CA||F9", "OBR|1||F9"))) == ["AA", "1"]
    assert hospital.states() == ["held"]
    assert msa(his.ask(orm("2", "ORC|NW||F1||||^^^20260727140000", "OBR|1||F1|THX^Thorax"))) == ["AA", "2"]
    [exam] = hospital.exams()
    assert exam.status is WorklistStatus.SCHEDULED


def test_what_is_refused_is_kept_and_writes_no_patient(hospital: Hospital, his: Caller) -> None:
    assert msa(his.ask(adt("A04", "1", "PV1|1|E"))) == ["AE", "1"]
    assert msa(his.ask(adt("A04", "2", "PID|||IP0001^^^CDG||OUÉDRAOGO||31022015"))) == ["AE", "2"]
    assert hospital.states() == ["refused", "refused"]
    assert hospital.services.patients.search(ADMIN, "ouedraogo") == []
    assert bytes(Inbox.get_by_id(1).message) == adt("A04", "1", "PV1|1|E").encode()


def test_strangers_are_listed_for_the_administrator(tmp_path: Path) -> None:
    with open_hospital(tmp_path) as hospital:
        hospital.services.devices.remove_sender(ADMIN, "SIH")
        caller = hospital.call()
        assert caller.answer() == ""
        hospital.server.stop()
        hospital.services.kit.index.writer.do(lambda _unit: None)  # after everything that was submitted
        [attempt] = hospital.services.devices.attempts(ADMIN)
        assert (attempt.door, attempt.address, attempt.times) == ("hl7", "127.0.0.1", 1)


@pytest.mark.parametrize("policy", ["quarantine", "accept"])
def test_what_a_site_does_with_strangers(tmp_path: Path, policy: str) -> None:
    with open_hospital(tmp_path, f"hl7.unknown_senders={policy}") as hospital:
        hospital.services.devices.remove_sender(ADMIN, "SIH")
        caller = hospital.call()
        assert msa(caller.ask(adt())) == ["AA", "1"]
        assert hospital.states() == [{"quarantine": "quarantined", "accept": "applied"}[policy]]
        assert len(hospital.services.patients.search(ADMIN, "ouedraogo")) == (policy == "accept")
        caller.hang_up()


def test_what_was_acknowledged_is_there_after_a_restart_and_answered_the_same(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *NW))
    hospital.restart()
    again = hospital.call()
    assert msa(again.ask(orm("1", *NW))) == ["AA", "1"]
    assert len(hospital.exams()) == 1
    again.hang_up()


def test_the_order_of_arrival_does_not_change_what_is_known(tmp_path: Path) -> None:
    """The final state is one, in every order of arrival, when the times are given."""

    def at(message: str, minute: int) -> str:
        return message.replace("20260727083000", f"202607270830{minute:02d}")

    def child(name: str) -> str:
        return f"PID|||IP0001^^^CDG||{name}^Aïssata||20190315|F"

    told = [
        at(orm("1", *NW, pid=child("PREMIER")), 1),
        at(
            orm("2", "ORC|XO|D77^SIH|||||^^^20260727150000", "OBR|1|D77^SIH||THX|||||||||Fièvre", pid=child("PREMIER")),
            2,
        ),
        at(adt("A08", "3", child("DERNIER")), 5),
        at(orm("4", "ORC|CA|D77^SIH", "OBR|1|D77^SIH", pid=child("PREMIER")), 4),
    ]
    orders = list(itertools.permutations(told))
    random.Random(7).shuffle(orders)
    finals = set()
    for number, messages in enumerate(orders[:6]):
        data = tmp_path / str(number)
        data.mkdir()
        with open_hospital(data) as hospital:
            caller = hospital.call()
            assert [msa(caller.ask(m))[0] for m in messages] == ["AA"] * 4
            caller.hang_up()
            finals.add(tuple((e.status, e.family_name) for e in hospital.exams()))
    assert finals == {((WorklistStatus.CANCELED, "DERNIER"),)}


TEXT = ReportText(indication="Toux & fièvre", findings="Poumons clairs.\nCœur normal.", conclusion="Normal.")


@contextlib.contextmanager
def receiving(hospital: Hospital, answer: Callable[[bytes], bytes]) -> Iterator[Receiver]:
    """The HIS that takes results, and the box that sends them there."""
    sih = Receiver(answer)
    hospital.services.devices.save_destination(ADMIN, Destination("SIH", "127.0.0.1", sih.port, "SIH", "CDG"))
    sender = open_sender(hospital.services)
    try:
        yield sih
    finally:
        sender.stop()
        sih.close()


def examined(hospital: Hospital, his: Caller) -> int:
    """The step of an exam that the HIS ordered and that is ready to be read."""
    his.ask(orm("1", *NW))
    [exam] = hospital.exams()
    hospital.do_exam(exam.step_id)
    return exam.step_id


def test_a_signed_report_reaches_the_his_and_the_exam_is_sent(hospital: Hospital, his: Caller) -> None:
    answered = threading.Event()

    def answer(message: bytes) -> bytes:
        answered.set()
        return frame(ack("AA", number_of(message)))

    with receiving(hospital, answer) as sih:
        step = examined(hospital, his)
        hospital.sign(step, TEXT)
        assert answered.wait(30)
        _settled(hospital, step, WorklistStatus.SENT)
    [message] = sih.messages
    report = python_hl7.parse(message.decode())
    assert str(report.segment("OBR")(25)) == "F"
    assert str(report.segment("OBR")(2)) == "D77^SIH"
    assert str(report.segment("PID")(3)) == "IP0001^^^CDG^PI"
    said = [o.extract_field(1, 5, 1, 1) for o in report.segments("OBX") if str(o(2)) == "TX"]
    assert said == ["Toux & fièvre", "Poumons clairs.", "Cœur normal.", "Normal."]


def test_a_report_that_the_his_will_not_have_stays_with_a_person(hospital: Hospital, his: Caller) -> None:
    with receiving(hospital, lambda m: frame(ack("AR", number_of(m), "type inconnu"))) as sih:
        step = examined(hospital, his)
        hospital.sign(step, TEXT)
        sih.wait()
        _settled(hospital, step, WorklistStatus.VALIDATED)
        sih.answer = lambda m: frame(ack("AA", number_of(m)))
        [letter] = [line for line in hospital.services.outbox.letters(ADMIN) if line.state == "DEAD"]
        assert letter.answer == "type inconnu"
        hospital.services.outbox.replay(ADMIN, letter.id, "corrigé chez le SIH")
        _settled(hospital, step, WorklistStatus.SENT)


def test_a_report_whose_answer_could_not_be_noted_goes_again_without_a_restart(
    hospital: Hospital, his: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = hospital.services.outbox
    noted, refusals = outbox.accepted, [OutOfResources("disque plein")]

    def accepted(letter: Letter, answer: str) -> None:
        if refusals:
            raise refusals.pop()
        noted(letter, answer)

    monkeypatch.setattr(outbox, "accepted", accepted)
    with receiving(hospital, lambda m: frame(ack("AA", number_of(m)))) as sih:
        step = examined(hospital, his)
        hospital.sign(step, TEXT)
        _settled(hospital, step, WorklistStatus.SENT)
    first, second = sih.messages
    assert first == second


def test_a_correction_is_said_as_one(hospital: Hospital, his: Caller) -> None:
    with receiving(hospital, lambda m: frame(ack("AA", number_of(m)))) as sih:
        step = examined(hospital, his)
        hospital.services.reports.open(RADIOLOGIST, step)
        hospital.services.reports.release_preliminary(RADIOLOGIST, step, TEXT, "2468")
        sih.wait()
    report = python_hl7.parse(sih.messages[0].decode())
    assert str(report.segment("OBR")(25)) == "P"
    assert "NON VALIDÉ" in sih.messages[0].decode()


def _settled(hospital: Hospital, step_id: int, status: WorklistStatus) -> None:
    """Waits until the exam shows a status, at each commit; gives up only to keep a broken test from hanging."""
    bell = threading.Event()
    undo = hospital.services.events.subscribe(lambda _changes: bell.set())
    try:
        for _ in range(50):
            line = hospital.services.scheduling.line(ADMIN, step_id)
            if line.status is status and (status is WorklistStatus.SENT or line.state.delivery.name == "FAILED"):
                return
            bell.wait(1)
            bell.clear()
    finally:
        undo()
    raise AssertionError(f"never {status}")
