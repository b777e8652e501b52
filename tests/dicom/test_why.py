"""« Pourquoi n'est-il pas sur la machine ? »: every finding said in one sentence, and the key that relaxes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind, Verification

from core.clock import SetClock
from core.dicom import conformance
from core.dicom.server import DicomServer
from core.errors import BadInput, NotAllowed, NotFound
from core.index.tables import Audit, DeviceContact
from core.model.matching import Name
from core.model.order import Exam, Room
from core.model.people import Actor, Role
from core.model.query import WorklistQuery
from core.model.why import ContactKind, Finding, Relax, Why
from core.services.contacts import KEPT
from tests.dicom.conftest import MORNING
from tests.dicom.department import RECEPTION, Department
from tests.dicom.modality import Modality, associate_request
from tests.dicom.test_worklist import ask, keys

F, R = Finding, Relax
TECHNOLOGIST = Actor("issa", frozenset({Role.TECHNOLOGIST}), origin="test")


@pytest.fixture
def accession(department: Department) -> str:
    """Aïssata's scanner at 9:00."""
    child = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    return department.order(child, "TDMCER", "SCAN", MORNING.replace(hour=9)).accession_number


@pytest.fixture
def why(department: Department, accession: str) -> Callable[[], Why]:
    """Why it is not on CT1."""

    def of(ae_title: str = "CT1") -> Why:
        [answer] = department.services.why.ask(TECHNOLOGIST, accession, ae_title)
        return answer

    return of


def relax(department: Department, accession: str, how: Relax, ae_title: str = "CT1") -> str:
    return department.services.why.relax(RECEPTION, accession, ae_title, how)


# Before any query


def test_a_machine_that_never_called(why: Callable[[], Why]) -> None:
    answer = why()
    assert answer.sentence == "CT1 : aucune connexion reçue."
    assert (answer.findings, answer.relax) == ((F.NO_CONTACT,), (R.TEST,))


def test_a_machine_whose_title_is_not_declared_where_it_calls_from(
    department: Department, department_door: DicomServer, why: Callable[[], Why]
) -> None:
    department.machine("CT1", room="SCAN", modality="CT", addresses=("127.0.0.9",))
    with Modality(department_door.address) as ct1:
        ct1.send(associate_request())
        assert ct1.is_closed()
    answer = why()
    assert answer.findings == (F.REJECTED,)
    assert answer.sentence == (
        "CT1 : association refusée le 02/03/2026 08:00 : titre « CT1 » à l'adresse 127.0.0.1 non déclaré."
    )


def test_a_machine_that_calls_us_something_else(department_door: DicomServer, why: Callable[[], Why]) -> None:
    with Modality(department_door.address) as ct1:
        ct1.send(associate_request(called=b"PACS"))
        assert ct1.is_closed()
    assert "titre appelé « PACS », ce n'est pas le nôtre" in why().sentence


def test_a_machine_that_took_another_title_than_its_row(department_door: DicomServer, why: Callable[[], Why]) -> None:
    """CT_1 is not declared; it comes from CT1's address, so the sentence is found under CT1."""
    with Modality(department_door.address) as stranger:
        stranger.send(associate_request(calling=b"CT_1"))
        assert stranger.is_closed()
    assert "titre « CT_1 » à l'adresse 127.0.0.1 non déclaré" in why().sentence


def test_a_machine_that_does_not_propose_the_worklist(department_door: DicomServer, why: Callable[[], Why]) -> None:
    station = AE("CT1")
    station.add_requested_context(Verification)
    station.associate(*department_door.address, ae_title="YELEN").release()
    assert (why().findings, why().sentence) == (
        (F.NO_WORKLIST,),
        "CT1 : connectée le 02/03/2026 08:00 sans proposer la liste de travail.",
    )


def test_a_machine_that_proposes_syntaxes_we_do_not_speak(department_door: DicomServer, why: Callable[[], Why]) -> None:
    with Modality(department_door.address) as ct1:
        ct1.associate(contexts=[(1, conformance.MODALITY_WORKLIST_FIND, [conformance.EXPLICIT_BE])])
        ct1.release()
    assert f"des syntaxes refusées ({conformance.EXPLICIT_BE})" in why().sentence


def test_a_machine_that_connects_and_does_not_ask(department_door: DicomServer, why: Callable[[], Why]) -> None:
    station = AE("CT1")
    station.add_requested_context(ModalityWorklistInformationFind)
    station.associate(*department_door.address, ae_title="YELEN").release()
    assert why().findings == (F.NO_QUERY,)


# Every predicate


@pytest.mark.parametrize(
    ("step", "key", "finding", "words"),
    [
        ({"Modality": "MR"}, {}, F.MODALITY, "modalité demandée MR, examen CT"),
        (
            {"ScheduledProcedureStepStartDate": "20260303"},
            {},
            F.DATE,
            "date demandée 03/03/2026 00:00 - 03/03/2026 23:59, examen le 02/03/2026 09:00",
        ),
        ({"ScheduledProcedureStepStartTime": "1200-"}, {}, F.HOURS, "heure demandée 1200 - , examen à 090000"),
        ({"ScheduledStationAETitle": "US1"}, {}, F.STATION, "station demandée US1, examen en salle SCAN (CT1)"),
        ({}, {"PatientName": "DIALLO*"}, F.NAME, "nom demandé « DIALLO* », patient « OUÉDRAOGO^Aïssata »"),
        ({}, {"PatientID": "42"}, F.NUMBER, "numéro demandé « 42 », patient « CDG"),
        ({}, {"AccessionNumber": "25-1"}, F.ACCESSION, "numéro d'examen demandé « 25-1 », celui-ci est « 26-"),
        ({}, {"PatientSex": "M"}, F.OTHER, "critère demandé « M », l'examen a « F »"),
    ],
)
def test_a_key_that_excludes_the_exam_is_named_with_both_values(
    department_door: DicomServer,
    why: Callable[[], Why],
    step: dict[str, str],
    key: dict[str, str],
    finding: Finding,
    words: str,
) -> None:
    query = keys(**step)
    for keyword, value in key.items():
        setattr(query, keyword, value)
    assert ask(department_door, query) == []
    answer = why()
    assert answer.findings == (finding,)
    assert words in answer.sentence


def test_every_predicate_is_reported_not_only_the_first(department_door: DicomServer, why: Callable[[], Why]) -> None:
    query = keys(Modality="MR", ScheduledProcedureStepStartDate="20260303")
    query.PatientName = "DIALLO*"
    ask(department_door, query)
    assert set(why().findings) == {F.MODALITY, F.DATE, F.NAME}


def test_an_exam_outside_the_window_and_the_key_that_widens_it(
    department: Department, department_door: DicomServer, accession: str
) -> None:
    child = department.child("SANOU", "Awa")
    later = department.order(child, "TDMCER", "SCAN", MORNING + timedelta(days=4)).accession_number
    assert len(ask(department_door, keys())) == 1
    [answer] = department.services.why.ask(TECHNOLOGIST, later, "CT1")
    window = "sans date, la machine voit 01/03/2026 - 03/03/2026 : l'examen est le 06/03/2026"
    assert answer.sentence == f"CT1 : requête du 02/03/2026 08:00 : {window}."
    assert answer.relax == (R.WINDOW,)
    assert relax(department, later, R.WINDOW) == "CT1 voit maintenant 4 jours avant et après."
    assert len(ask(department_door, keys())) == 2
    audit = Audit.select().where(Audit.action == "relax_worklist").get()
    assert (audit.actor, audit.object) == ("mariam", "device:CT1")
    assert later in audit.detail


def test_an_exam_in_half_a_year_is_moved_not_shown_for_half_a_year(department: Department) -> None:
    far = department.order(department.child("SANOU", "Awa"), "TDMCER", "SCAN", MORNING + timedelta(days=180))
    with pytest.raises(BadInput, match="déplacez-le"):
        relax(department, far.accession_number, R.WINDOW)


def test_a_machine_of_another_room_and_the_key_that_adds_it(
    department: Department, department_door: DicomServer, accession: str
) -> None:
    assert ask(department_door, keys(), "US1") == []
    [answer] = department.services.why.ask(TECHNOLOGIST, accession, "US1")
    assert (
        answer.sentence == "US1 : requête du 02/03/2026 08:00 : machine de la salle « ECHO », examen en salle « SCAN »."
    )
    assert answer.relax == (R.ROOM,)
    relax(department, accession, R.ROOM, "US1")
    assert len(ask(department_door, keys(), "US1")) == 1


def test_dx_planned_cr_asked_and_the_key_that_makes_them_one(
    department: Department, department_door: DicomServer
) -> None:
    department.orders.save_room(RECEPTION, Room("RX", "Radio", "DX", ("CR1",)))
    department.orders.save_exam(RECEPTION, Exam("THX", "Thorax", "DX", ("RX",)))
    department.machine("CR1", room="RX", modality="CR")
    planned = department.order(department.child("SANOU", "Awa"), "THX", "RX", MORNING).accession_number
    assert ask(department_door, keys(Modality="CR"), "CR1") == []
    [answer] = department.services.why.ask(TECHNOLOGIST, planned, "CR1")
    assert (answer.findings, answer.relax) == ((F.MODALITY,), (R.CR_DX,))
    relax(department, planned, R.CR_DX, "CR1")
    assert len(ask(department_door, keys(Modality="CR"), "CR1")) == 1


def test_the_state_says_what_is_missing(
    department: Department, department_door: DicomServer, accession: str, why: Callable[[], Why], clock: SetClock
) -> None:
    ask(department_door, keys())
    department.orders.save_room(RECEPTION, Room("SCAN", "Scanner", "CT", ("CT1",), visible_from="arrived"))
    assert "patient pas encore accueilli" in why().sentence
    [line] = department.scheduling.day_page(RECEPTION, _today()).lines
    department.services.acquisition.start(TECHNOLOGIST, line.step_id)
    clock.advance(4 * 3600 + 1)
    assert "commencé depuis plus de 4 h" in why().sentence
    department.services.acquisition.discontinue(TECHNOLOGIST, line.step_id, "agité")
    assert "examen déjà « interrompu »" in why().sentence


def _today():  # type: ignore[no-untyped-def]
    from core.model.query import DayFilter

    return DayFilter(MORNING.date())


# It was, or will be, given


def test_an_item_that_the_machine_does_not_show(
    department: Department, department_door: DicomServer, accession: str, why: Callable[[], Why]
) -> None:
    """Nothing keeps it off: what machines refuse items for is listed, and letters are the first suspect."""
    assert len(ask(department_door, keys())) == 1
    answer = why()
    assert (answer.findings, answer.relax) == ((F.GIVEN,), (R.ASCII,))
    assert answer.sentence.startswith("CT1 : donné le 02/03/2026 08:00 (1 réponse(s)), la machine ne l'affiche pas")
    assert "poids" in answer.sentence
    relax(department, accession, R.ASCII)
    assert str(ask(department_door, keys())[0].PatientName) == "OUEDRAOGO^Aissata"
    assert why().relax == ()


def test_an_exam_ordered_after_the_last_query(
    department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    ask(department_door, keys())
    clock.advance(60)
    line = department.order(department.child("SANOU", "Awa"), "TDMCER", "SCAN", MORNING.replace(hour=10))
    [answer] = department.services.why.ask(TECHNOLOGIST, line.accession_number, "CT1")
    assert answer.findings == (F.WOULD,)
    assert "pas de requête depuis le 02/03/2026 08:00" in answer.sentence


def test_the_limit_of_a_machine_and_the_key_that_raises_it(
    department: Department, department_door: DicomServer, accession: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.dicom.worklist.LIMIT", 1)
    department.machine("CT1", room="SCAN", modality="CT", find_limit=1)
    second = department.order(department.child("SANOU", "Awa"), "TDMCER", "SCAN", MORNING.replace(hour=10))
    station = AE("CT1")
    station.add_requested_context(ModalityWorklistInformationFind)
    association = station.associate(*department_door.address, ae_title="YELEN")
    statuses = [status.Status for status, _ in association.send_c_find(keys(), ModalityWorklistInformationFind)]
    association.release()
    assert statuses == [0xFF00, 0xA700]
    [answer] = department.services.why.ask(TECHNOLOGIST, second.accession_number, "CT1")
    assert (answer.findings, answer.relax) == ((F.LIMIT,), (R.LIMIT,))
    relax(department, second.accession_number, R.LIMIT)
    assert len(ask(department_door, keys())) == 2


# Who may, and what is kept


def test_all_machines_answer_those_of_the_room_first(department: Department, accession: str) -> None:
    answers = department.services.why.ask(TECHNOLOGIST, accession)
    assert [answer.ae_title for answer in answers] == ["CT1", "US1"]  # workstations have no worklist


def test_who_may_ask_and_who_may_relax(department: Department, accession: str) -> None:
    ward = Actor("urg1", frozenset({Role.CLINICIAN}), ward="URG")
    with pytest.raises(NotAllowed):
        department.services.why.ask(ward, accession)
    with pytest.raises(NotAllowed):
        department.services.why.relax(TECHNOLOGIST, accession, "CT1", R.ASCII)
    with pytest.raises(NotFound, match="99-1"):
        department.services.why.ask(TECHNOLOGIST, "99-1")
    with pytest.raises(NotFound, match="XX"):
        department.services.why.ask(TECHNOLOGIST, accession, "XX")


def test_what_was_asked_is_kept_as_received_and_decoded(
    department: Department, department_door: DicomServer, accession: str
) -> None:
    query = keys(Modality="CT")
    query.PatientName, query.SpecificCharacterSet = "OUÉDRAOGO*", "ISO_IR 192"
    ask(department_door, query)
    device = department.devices.by_ae("CT1")
    assert device is not None
    [contact] = [c for c in department.services.contacts.of(device) if c.kind is ContactKind.QUERY]
    assert (contact.calling, contact.called, contact.address) == ("CT1", "YELEN", "127.0.0.1")
    assert (contact.result, contact.answers, contact.limited) == ("answered", 1, False)
    assert "(0010,0010) OUÉDRAOGO*" in contact.keys
    assert "> (0008,0060) CT" in contact.keys
    assert "OUÉDRAOGO*".encode().hex() in contact.received


def test_a_query_that_cannot_be_read_is_kept_with_its_refusal(
    department: Department, department_door: DicomServer, accession: str, why: Callable[[], Why]
) -> None:
    from tests.dicom.test_worklist import ask_all

    assert ask_all(department_door, keys(ScheduledProcedureStepStartDate="20261399"))[1] == 0xA900
    assert "interrompue (Date ou heure impossible : 20261399)" in why().sentence


def test_the_last_fifty_of_each_kind_are_kept_and_no_more(department: Department, clock: SetClock) -> None:
    contacts = department.services.contacts
    for number in range(3 * KEPT):
        clock.advance(3)
        contacts.association("CT1", "YELEN", "127.0.0.1", "opened", "accepted")
        contacts.query("CT1", "YELEN", "127.0.0.1", "answered", answers=number)
    department.index.writer.do(lambda _unit: None)
    device = department.devices.by_ae("CT1")
    assert device is not None
    found = contacts.of(device)
    assert [c.answers for c in found if c.kind is ContactKind.QUERY][:3] == [149, 148, 147]
    assert DeviceContact.select().where(DeviceContact.kind == "query").count() <= KEPT
    assert DeviceContact.select().where(DeviceContact.kind == "association").count() <= KEPT


def test_a_flood_of_titles_takes_bounded_memory(department: Department) -> None:
    contacts = department.services.contacts
    for number in range(2000):
        contacts.association(f"X{number}", "YELEN", "127.0.0.8", "CALLING_AE")
    assert len(contacts._waiting) <= 300


def test_a_query_survives_its_spelling() -> None:
    query = WorklistQuery(
        "CT1", None, modality="CT", scheduled_from=MORNING, patient_name="OUÉ*",
        others=(("prescriber", "ZONGO*", Name.of("ZONGO*")),),
    )  # fmt: skip
    again = WorklistQuery.from_json(query.to_json())
    assert (again.modality, again.scheduled_from, again.patient_name) == ("CT", MORNING, "OUÉ*")
    assert again.others == query.others
