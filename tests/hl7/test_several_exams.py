"""Orders of more than one exam: no line of a message ever changes, moves or stops the exam of another line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.index.tables import ImagingServiceRequest, RequestedProcedure, Step, Task
from core.model.order import Exam, Room
from core.model.worklist import ExamLine, WorklistStatus
from tests.hl7.hospital import ADMIN, Hospital, open_hospital
from tests.hl7.ward import Caller, msa, orm


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with open_hospital(tmp_path) as opened:
        opened.services.orders.save_room(ADMIN, Room("EC1", "Échographie", "US", ("ECHO",)))
        opened.services.orders.save_exam(ADMIN, Exam("ABD", "Échographie de l'abdomen", "US", ("EC1",)))
        opened.services.orders.save_exam(ADMIN, Exam("MAIN", "Radiographie de la main", "DX", ("RX1",)))
        yield opened


@pytest.fixture
def his(hospital: Hospital) -> Iterator[Caller]:
    caller = hospital.call()
    yield caller
    caller.hang_up()


def group(control: str, code: str, hour: int = 14, accession: str = "", placer: str = "D77") -> tuple[str, str]:
    """One order group of one exam."""
    orc = f"ORC|{control}|{placer}^SIH|||||^^^20260727{hour:02d}0000"
    return orc, f"OBR|1|{placer}^SIH||{code}^{code}" + (f"||||||||||||||{accession}" if accession else "")


def hours(hospital: Hospital) -> dict[str, int]:
    return {e.exam_code: e.scheduled_at.hour for e in hospital.exams() if e.scheduled_at}


def statuses(hospital: Hospital) -> dict[str, WorklistStatus]:
    return {e.exam_code: e.status for e in hospital.exams()}


def of(hospital: Hospital, code: str) -> ExamLine:
    [line] = [e for e in hospital.exams() if e.exam_code == code]
    return line


def test_two_groups_under_one_placer_number_are_two_exams(hospital: Hospital, his: Caller) -> None:
    assert msa(his.ask(orm("1", *group("NW", "THX", 14, "A1"), *group("NW", "ABD", 15, "A2")))) == ["AA", "1"]
    assert hours(hospital) == {"THX": 14, "ABD": 15}
    assert {e.exam_code: e.room for e in hospital.exams()} == {"THX": "RX1", "ABD": "EC1"}
    request = ImagingServiceRequest.get()
    assert (request.accession_number, request.foreign_accession) == ("A1", "A2")
    assert len({p.study_instance_uid for p in RequestedProcedure.select()}) == 2
    assert Task.select().count() == 0


def test_the_two_groups_sent_again_in_another_message_change_nothing(hospital: Hospital, his: Caller) -> None:
    both = (*group("NW", "THX", 14), *group("NW", "ABD", 15))
    his.ask(orm("1", *both))
    his.ask(orm("2", *both))
    assert hours(hospital) == {"THX": 14, "ABD": 15}


def test_an_exam_added_by_a_later_message_is_told_to_reception(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14)))
    his.ask(orm("2", *group("NW", "ABD", 15)))
    assert hours(hospital) == {"THX": 14, "ABD": 15}
    assert (
        Task.get(Task.kind == "order_grew").text == "La demande D77 a un examen de plus : ABD. En plus, ou à la place ?"
    )


def test_changes_in_another_order_find_their_own_exam(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14), *group("NW", "ABD", 15)))
    his.ask(orm("2", *group("XO", "ABD", 16), *group("XO", "THX", 17)))
    assert hours(hospital) == {"THX": 17, "ABD": 16}


def test_a_change_of_the_second_exam_alone_leaves_the_first(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14), *group("NW", "ABD", 15)))
    his.ask(orm("2", *group("XO", "ABD", 16)))
    assert hours(hospital) == {"THX": 14, "ABD": 16}


def test_a_change_to_an_exam_that_the_order_does_not_hold_is_for_a_person(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14), *group("NW", "ABD", 15)))
    assert msa(his.ask(orm("2", *group("XO", "MAIN", 16)))) == ["AA", "2"]
    assert hours(hospital) == {"THX": 14, "ABD": 15}
    assert hospital.states() == ["applied", "held"]
    assert "MAIN" in Task.get(Task.kind == "order_exam").text


def test_the_one_exam_of_an_order_may_become_another(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14)))
    his.ask(orm("2", *group("XO", "ABD", 16)))
    assert hours(hospital) == {"ABD": 16}
    exam, procedure = of(hospital, "ABD"), RequestedProcedure.get()
    assert (exam.modality, exam.room) == ("US", "EC1")
    assert (procedure.exam_code, procedure.exam_label) == ("ABD", "Échographie de l'abdomen")


def test_an_exam_that_nobody_could_code_is_coded_by_a_change(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "INCONNU", 14)))
    assert "uncoded" in of(hospital, "INCONNU").flags
    his.ask(orm("2", *group("XO", "THX", 14)))
    assert "uncoded" not in of(hospital, "THX").flags


def test_an_order_that_becomes_urgent_is_marked_and_no_change_takes_it_back(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14)))
    assert of(hospital, "THX").mark == ""
    for number, urgency in (("2", "S"), ("3", "R")):
        orc, obr = group("XO", "THX", 14)
        his.ask(orm(number, f"{orc}^^{urgency}", obr))
        assert (of(hospital, "THX").mark, of(hospital, "THX").urgency) == ("U", "V")


def test_the_same_exam_twice_is_twice(hospital: Hospital, his: Caller) -> None:
    """Both hands: one order, two procedures of one code."""
    orc, first = group("NW", "MAIN")
    his.ask(orm("1", orc, first, first.replace("OBR|1", "OBR|2")))
    assert [e.exam_code for e in hospital.exams()] == ["MAIN", "MAIN"]


def test_the_same_exam_in_two_groups_is_twice_and_stays_so(hospital: Hospital, his: Caller) -> None:
    both = (*group("NW", "MAIN", 14), *group("NW", "MAIN", 15))
    his.ask(orm("1", *both))
    his.ask(orm("2", *both))
    assert sorted(e.scheduled_at.hour for e in hospital.exams() if e.scheduled_at) == [14, 15]


def test_a_step_is_known_by_its_own_number_before_its_code(hospital: Hospital, his: Caller) -> None:
    def ipc(step: str) -> str:
        return f"IPC|A9|P{step}||{step}|DX"

    orc, obr = group("NW", "MAIN", 14)
    his.ask(orm("1", orc, obr, ipc("LEFT"), ipc("RIGHT")))
    later, _obr = group("XO", "MAIN", 16)
    his.ask(orm("2", later, obr, ipc("RIGHT")))
    moved = {row.scheduled_step_id: row.scheduled_at for row in Step.select()}
    assert {name: at.hour for name, at in moved.items() if at} == {"LEFT": 14, "RIGHT": 16}


def test_the_cancellation_of_one_exam_leaves_the_other_and_tells_reception(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14), *group("NW", "ABD", 15)))
    assert msa(his.ask(orm("2", *group("CA", "ABD")))) == ["AA", "2"]
    assert statuses(hospital) == {"THX": WorklistStatus.SCHEDULED, "ABD": WorklistStatus.CANCELED}
    assert "Radiographie du thorax" in Task.get(Task.kind == "partial_cancel").text


@pytest.mark.parametrize("obr", ["OBR|1|D77^SIH", "OBR|1|D77^SIH||AUTRE^Autre code"])
def test_a_cancellation_that_names_no_exam_of_the_order_is_of_the_whole(
    hospital: Hospital, his: Caller, obr: str
) -> None:
    his.ask(orm("1", *group("NW", "THX", 14), *group("NW", "ABD", 15)))
    his.ask(orm("2", "ORC|CA|D77^SIH", obr))
    assert set(statuses(hospital).values()) == {WorklistStatus.CANCELED}
    assert Task.select().count() == 0


def test_both_groups_cancelled_in_one_message_leave_no_task(hospital: Hospital, his: Caller) -> None:
    his.ask(orm("1", *group("NW", "THX", 14), *group("NW", "ABD", 15)))
    his.ask(orm("2", *group("CA", "THX"), *group("CA", "ABD")))
    assert set(statuses(hospital).values()) == {WorklistStatus.CANCELED}
    assert Task.select().count() == 0


def test_one_exam_held_from_birth_does_not_hold_its_neighbour(hospital: Hospital, his: Caller) -> None:
    orc, obr = group("NW", "ABD")
    his.ask(orm("1", *group("NW", "THX", 14), orc.replace("SIH|||||", "SIH|||HD||"), obr))
    assert "suspended" in of(hospital, "ABD").flags
    assert "suspended" not in of(hospital, "THX").flags
