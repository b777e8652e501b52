"""The Modality Worklist on the wire: what a machine asks, what it is shown, in letters it can read."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind

from core.clock import SetClock
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.server import DicomServer
from core.model.order import Urgency
from tests.dicom.conftest import MORNING
from tests.dicom.department import RECEPTION, Department
from tests.skips import needs_dcmtk


@pytest.fixture(autouse=True)
def day(department: Department) -> dict[str, int]:
    """Three exams: a scanner at 9:00, an echography at 10:00, another scanner tomorrow at 8:30."""
    aissata = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    idrissa = department.child("DIALLO", "Idrissa", sex="M")
    today = MORNING.replace(hour=9)
    return {
        "scanner": department.order(aissata, "TDMCER", "SCAN", today, urgency=Urgency.VITAL, weight_kg=18.5).step_id,
        "echo": department.order(idrissa, "ECHABD", "ECHO", today.replace(hour=10)).step_id,
        "tomorrow": department.order(idrissa, "TDMCER", "SCAN", today.replace(day=3, hour=8, minute=30)).step_id,
    }


def keys(**step: str) -> Dataset:
    """A broad query: the usual keys, restricted inside the step."""
    query = Dataset()
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyInstanceUID", "RequestedProcedureID"):
        setattr(query, keyword, "")
    item = Dataset()
    item.Modality = item.ScheduledStationAETitle = ""
    item.ScheduledProcedureStepStartDate = item.ScheduledProcedureStepStartTime = ""
    item.ScheduledProcedureStepID = item.ScheduledProcedureStepDescription = item.ScheduledProcedureStepStatus = ""
    for keyword, value in step.items():
        setattr(item, keyword, value)
    query.ScheduledProcedureStepSequence = [item]
    return query


def ask(door: DicomServer, query: Dataset, calling: str = "CT1", syntax: str = EXPLICIT_LE) -> list[Dataset]:
    found, status = ask_all(door, query, calling, syntax)
    assert status == 0
    return found


def ask_all(
    door: DicomServer, query: Dataset, calling: str = "CT1", syntax: str = EXPLICIT_LE
) -> tuple[list[Dataset], int]:
    modality = AE(calling)
    modality.add_requested_context(ModalityWorklistInformationFind, syntax)
    association = modality.associate(*door.address, ae_title="YELEN")
    assert association.is_established
    found = []
    for status, identifier in association.send_c_find(query, ModalityWorklistInformationFind):
        if status.Status == 0xFF00:
            found.append(identifier)
    association.release()
    return found, int(status.Status)


def names(found: list[Dataset]) -> list[str]:
    return [str(item.PatientName) for item in found]


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
def test_a_scanner_sees_its_own_room_with_every_attribute_it_needs(department_door: DicomServer, syntax: str) -> None:
    first, second = ask(department_door, keys(), syntax=syntax)
    assert str(first.PatientName) == "OUÉDRAOGO^Aïssata"
    assert first.PatientID.startswith("CDG")
    assert first.SpecificCharacterSet == "ISO_IR 100"
    assert first.AccessionNumber.startswith("26-")
    assert first.StudyInstanceUID.startswith("2.25.")
    assert first.RequestedProcedureDescription == "Scanner cérébral"
    assert first.RequestedProcedureCodeSequence[0].CodeValue == "TDMCER"
    [step] = first.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledStationAETitle) == ("CT", "CT1")
    assert (step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime) == ("20260302", "090000")
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"
    assert step.ScheduledProtocolCodeSequence[0].CodeMeaning == "Scanner cérébral"
    assert 0 < len(step.ScheduledProcedureStepID) <= 16
    assert second.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate == "20260303"


def test_only_what_was_asked_and_the_obligatory_is_answered(department_door: DicomServer) -> None:
    query = Dataset()
    query.PatientSex = query.PatientBirthDate = query.PatientAge = query.PatientWeight = ""
    query.ReferencedStudySequence = []
    query.RequestedProcedurePriority = query.ReasonForTheRequestedProcedure = ""
    query.ScheduledProcedureStepSequence = [keys().ScheduledProcedureStepSequence[0]]
    del query.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus
    first = ask(department_door, query)[0]
    assert (first.PatientSex, first.PatientBirthDate, first.PatientAge) == ("F", "20190114", "007Y")
    assert first.PatientWeight == 18.5
    assert (first.RequestedProcedurePriority, len(first.ReferencedStudySequence)) == ("STAT", 0)
    assert first.ReasonForTheRequestedProcedure == "Traumatisme crânien, oedème"  # œ is not in ISO_IR 100
    assert "RequestingPhysician" not in first
    assert "ScheduledProcedureStepStatus" not in first.ScheduledProcedureStepSequence[0]
    assert first.StudyInstanceUID
    assert list(first.keys()) == sorted(first.keys())


@pytest.mark.parametrize("items", [[], [Dataset()]])
def test_an_empty_step_means_any_step_and_the_whole_item(department_door: DicomServer, items: list[Dataset]) -> None:
    query = Dataset()
    query.PatientName = ""
    query.ScheduledProcedureStepSequence = items
    found = ask(department_door, query)
    assert len(found) == 2
    step = found[0].ScheduledProcedureStepSequence[0]
    assert step.ScheduledProcedureStepLocation == "SCAN"
    assert "PreMedication" in step


def test_two_children_and_no_date_of_birth(department_door: DicomServer) -> None:
    query = keys()
    query.PatientBirthDate = query.PatientAge = ""
    second = ask(department_door, query)[1]
    assert second.PatientBirthDate == ""


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"ScheduledProcedureStepStartDate": "20260302"}, 1),
        ({"ScheduledProcedureStepStartDate": "20260302-20260303"}, 2),
        ({"ScheduledProcedureStepStartDate": "20260303-"}, 1),
        ({"ScheduledProcedureStepStartDate": "-20260302"}, 1),
        ({"ScheduledProcedureStepStartDate": "20260301"}, 0),
        ({"ScheduledProcedureStepStartDate": "2026.03.02"}, 1),
        ({"ScheduledProcedureStepStartDate": "*"}, 2),
        ({"ScheduledProcedureStepStartTime": "0900-"}, 1),
        ({"ScheduledProcedureStepStartTime": "-0845"}, 1),
        ({"ScheduledProcedureStepStartDate": "20260302", "ScheduledProcedureStepStartTime": "0800-0930"}, 1),
        ({"ScheduledProcedureStepStartDate": "20260302", "ScheduledProcedureStepStartTime": "1000-1200"}, 0),
        (
            {"ScheduledProcedureStepStartDate": "20260302-20260303", "ScheduledProcedureStepStartTime": "0930-0800"},
            0,
        ),
        ({"Modality": "CT"}, 2),
        ({"Modality": "MR"}, 0),
        ({"ScheduledStationAETitle": "CT1"}, 2),
        ({"ScheduledStationAETitle": "ct1 "}, 2),
        ({"ScheduledStationAETitle": "US1"}, 1),
        ({"ScheduledStationAETitle": "US2"}, 1),
        ({"ScheduledStationAETitle": "XA9"}, 0),
    ],
)
def test_step_keys_restrict(department_door: DicomServer, step: dict[str, str], expected: int) -> None:
    assert len(ask(department_door, keys(**step))) == expected


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientName", "OUEDRAOGO*", 1),
        ("PatientName", "ouédraogo^aïssata", 1),
        ("PatientName", "*^Aissata", 1),
        ("PatientName", "DIALLO^", 0),
        ("PatientName", "DIALLO*", 1),
        ("PatientName", "%' OR 1=1--", 0),
        ("PatientName", "[A-Z]*", 0),
        ("PatientName", "*" * 64, 2),
        ("PatientID", "CDG*", 2),
        ("PatientID", "9999", 0),
        ("AccessionNumber", "26-000001", 1),
        ("AccessionNumber", "26-0?????", 2),
        ("StudyInstanceUID", "1.2.3", 0),
    ],
)
def test_patient_keys_restrict(department_door: DicomServer, keyword: str, value: str, expected: int) -> None:
    query = keys()
    setattr(query, keyword, value)
    if not value.isascii():
        query.SpecificCharacterSet = "ISO_IR 192"
    assert len(ask(department_door, query)) == expected


def test_a_machine_without_accents_gets_letters_it_can_read(
    department: Department, department_door: DicomServer
) -> None:
    department.order(department.child("TRAORÉ", "Noël"), "ECHABD", "ECHO", MORNING.replace(hour=11))
    found = ask(department_door, keys(), "US1")
    assert names(found) == ["DIALLO^Idrissa", "TRAORE^Noel"]
    assert "SpecificCharacterSet" not in found[0]
    assert found[0].RequestedProcedureDescription == "Echographie abdominale"


def test_a_workstation_of_no_room_sees_nothing(department_door: DicomServer) -> None:
    assert ask(department_door, keys(), "WS1") == []


def test_arrival_and_cancellation_are_seen_at_the_next_query(
    department: Department, department_door: DicomServer, day: dict[str, int]
) -> None:
    department.scheduling.arrive(RECEPTION, day["scanner"])
    first = ask(department_door, keys())[0]
    assert first.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "ARRIVED"
    department.scheduling.cancel(RECEPTION, day["scanner"], "parti")
    assert names(ask(department_door, keys())) == ["DIALLO^Idrissa"]


def test_the_day_after_tomorrow_is_outside_the_window_unless_it_is_asked(
    department: Department, department_door: DicomServer, clock: SetClock
) -> None:
    department.order(department.child("SANOU", "Awa"), "TDMCER", "SCAN", MORNING + timedelta(days=2))
    assert len(ask(department_door, keys())) == 2
    assert len(ask(department_door, keys(ScheduledProcedureStepStartDate="20260304"))) == 1


def test_a_date_that_is_none_is_refused(department_door: DicomServer) -> None:
    found, status = ask_all(department_door, keys(ScheduledProcedureStepStartDate="20261399"))
    assert (found, status) == ([], 0xA900)


def test_an_unreadable_identifier_is_said_and_the_association_lives(department_door: DicomServer) -> None:
    from core.dicom import conformance, dimse
    from tests.dicom.modality import Modality, request_command

    worklist = conformance.MODALITY_WORKLIST_FIND
    contexts = [(1, conformance.VERIFICATION, [IMPLICIT_LE]), (3, worklist, [IMPLICIT_LE])]
    with Modality(department_door.address) as ct1:
        ct1.associate(contexts=contexts)
        assert ct1.ask(3, request_command(dimse.C_FIND_RQ, worklist), b"\x10\0\x10\0\xf0\xff\xff\x7fx") == 0xC000
        assert ct1.echo() == 0


def test_a_long_list_is_cut_and_says_so(department: Department, department_door: DicomServer, monkeypatch: Any) -> None:
    from core.dicom import worklist

    original = worklist.read_query

    def short(*arguments: Any) -> Any:
        from dataclasses import replace

        return replace(original(*arguments), limit=1)

    monkeypatch.setattr(worklist, "read_query", short)
    found, status = ask_all(department_door, keys())
    assert (len(found), status) == (1, 0xA700)


@needs_dcmtk
def test_findscu_reads_our_worklist(department_door: DicomServer, tmp_path: Path) -> None:
    program = shutil.which("findscu")
    assert program is not None
    host, port = department_door.address
    asked = [
        "-k", "0010,0010=", "-k", "0010,0020=", "-k", "0008,0050=", "-k", "0020,000d=",
        "-k", "(0040,0100)[0].Modality=CT", "-k", "(0040,0100)[0].ScheduledProcedureStepStartDate=20260302",
    ]  # fmt: skip
    answers = tmp_path / "answers"
    answers.mkdir()
    subprocess.run(
        [program, "-W", "-aet", "CT1", "-aec", "YELEN", "-X", "-od", str(answers), *asked, host, str(port)],
        check=True,
        timeout=60,
    )
    [answer] = [dcmread(path) for path in answers.iterdir()]
    assert str(answer.PatientName) == "OUÉDRAOGO^Aïssata"
    assert answer.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"


def test_the_number_of_before_a_merge_finds_the_exam_under_the_number_of_today(
    department: Department, department_door: DicomServer
) -> None:
    patients = department.patients
    [aissata] = patients.search(RECEPTION, "ouedraogo")
    prior = patients.register_unknown(RECEPTION, "F")
    patients.merge(RECEPTION, aissata.id, prior.id, "même enfant")
    query = keys()
    query.PatientID = prior.number  # the wristband of the emergency
    assert [item.PatientID for item in ask(department_door, query)] == [aissata.number]
    query.PatientID = "CDG9999999"
    assert ask(department_door, query) == []
