"""A child's further numbers (PID-3 repeats): one that another child bears never blocks the HIS; a person decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.index.tables import Task
from core.model.people import Actor, Role
from tests.hl7.hospital import ADMIN, Hospital, open_hospital
from tests.hl7.ward import Caller, adt, msa, orm

IDENTITY = Actor("iv", frozenset({Role.IDENTITY_OFFICER}), origin="test")
FIRST = "PID|||IP0001^^^CDG~NIP-9^^^ETAT||OUÉDRAOGO^Aïssata||20190315|F"
SECOND = "PID|||IP0002^^^CDG~NIP-9^^^ETAT||ZONGO^Odette||20180101|F"


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with open_hospital(tmp_path) as opened:
        yield opened


@pytest.fixture
def his(hospital: Hospital) -> Iterator[Caller]:
    caller = hospital.call()
    yield caller
    caller.hang_up()


def bearer(hospital: Hospital, number: str) -> str:
    found = hospital.services.patients.by_number(ADMIN, number)
    return found.number if found else ""


def questions() -> list[str]:
    return [t.text for t in Task.select().where(Task.kind == "identifier", Task.done_at.is_null())]


def test_a_new_child_with_anothers_number_is_received_and_a_person_is_asked(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", FIRST))
    assert msa(his.ask(adt("A04", "2", SECOND))) == ["AA", "2"]
    assert hospital.states() == ["applied", "held"]
    assert (bearer(hospital, "IP0002"), bearer(hospital, "NIP-9")) == ("IP0002", "IP0001")
    [text] = questions()
    assert "IP0001" in text
    assert "NIP-9" in text


def test_the_next_messages_of_that_child_go_on_and_ask_no_more(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", FIRST))
    his.ask(adt("A04", "2", SECOND))
    assert msa(his.ask(adt("A08", "3", SECOND.replace("Odette", "Odette Marie")))) == ["AA", "3"]
    order = ("ORC|NW|D77^SIH|||||^^^20260727140000", "OBR|1|D77^SIH||THX^Thorax")
    assert msa(his.ask(orm("4", *order, pid=SECOND))) == ["AA", "4"]
    assert [e.patient_name for e in hospital.exams()] == ["ZONGO Odette"]
    assert len(questions()) == 1


def test_a_known_child_that_is_given_anothers_number_is_a_question_too(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", FIRST))
    his.ask(adt("A04", "2", "PID|||IP0002^^^CDG||ZONGO^Odette||20180101|F"))
    assert msa(his.ask(adt("A08", "3", SECOND))) == ["AA", "3"]
    assert hospital.states()[-1] == "held"
    assert len(questions()) == 1


def test_once_a_person_has_merged_the_two_nothing_is_in_doubt(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", FIRST))
    his.ask(adt("A04", "2", SECOND))
    by_number = hospital.services.patients.by_number
    survivor, prior = by_number(ADMIN, "IP0001"), by_number(ADMIN, "IP0002")
    assert survivor is not None
    assert prior is not None
    hospital.services.patients.merge(IDENTITY, survivor.id, prior.id, "même enfant, vérifié")
    assert questions() == []
    assert msa(his.ask(adt("A08", "3", SECOND))) == ["AA", "3"]
    assert hospital.states()[-1] == "applied"


def test_a_merge_whose_survivor_already_lists_the_other_number_asks_nothing(hospital: Hospital, his: Caller) -> None:
    his.ask(adt("A04", "1", "PID|||IP0001^^^CDG||OUÉDRAOGO^Aïssata"))
    his.ask(adt("A04", "2", "PID|||IP0002^^^CDG||OUEDRAOGO^Aissata"))
    merge = adt("A40", "3", "PID|||IP0001^^^CDG~IP0002^^^CDG||OUÉDRAOGO^Aïssata", "MRG|IP0002^^^CDG")
    assert msa(his.ask(merge)) == ["AA", "3"]
    assert (hospital.states()[-1], bearer(hospital, "IP0002"), questions()) == ("applied", "IP0001", [])
