"""The worklist, attribute by attribute and quirk by quirk: what the standard asks and what machines really do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from core.clock import SetClock
from core.dicom import conformance, dimse, upper_layer
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.dataset import element, sequence
from core.dicom.server import DicomServer
from core.dicom.worklist import COLUMNS, STEP_COLUMNS
from core.model.order import Room, Urgency
from core.model.people import Actor, Role
from tests.dicom.conftest import MORNING
from tests.dicom.department import RECEPTION, Department
from tests.dicom.modality import Modality, request_command
from tests.dicom.test_worklist import ask, ask_all, keys, names

WORKLIST = conformance.MODALITY_WORKLIST_FIND

# PS3.4 table K.6-1 and IHE RAD-5: return type 1 always has a value, 2 is there and may be empty.
ALWAYS_FULL = """AccessionNumber PatientName PatientID StudyInstanceUID RequestedProcedureID
    RequestedProcedureDescription RequestedProcedureCodeSequence PatientAge""".split()  # noqa: SIM905
MAY_BE_EMPTY = """ReferringPhysicianName ReferencedStudySequence ReferencedPatientSequence PatientBirthDate PatientSex
    PatientWeight RequestingPhysician RequestedProcedurePriority PatientTransportArrangements AdmissionID
    CurrentPatientLocation ConfidentialityConstraintOnPatientDataDescription PatientState PregnancyStatus MedicalAlerts
    Allergies SpecialNeeds ReasonForTheRequestedProcedure ReasonForRequestedProcedureCodeSequence
    RequestedProcedureComments PlacerOrderNumberImagingServiceRequest
    FillerOrderNumberImagingServiceRequest""".split()  # noqa: SIM905
STEP_ALWAYS_FULL = """ScheduledStationAETitle ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime Modality
    ScheduledProcedureStepDescription ScheduledProtocolCodeSequence ScheduledProcedureStepID
    ScheduledProcedureStepStatus""".split()  # noqa: SIM905
STEP_MAY_BE_EMPTY = """ScheduledPerformingPhysicianName ScheduledStationName ScheduledProcedureStepLocation
    RequestedContrastAgent PreMedication CommentsOnTheScheduledProcedureStep""".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def day(department: Department) -> dict[str, int]:
    """A scanner of Aïssata at 9:00, an echography of Idrissa at 10:00."""
    aissata = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    idrissa = department.child("DIALLO", "Idrissa", sex="M")
    today = MORNING.replace(hour=9)
    line = department.order(aissata, "TDMCER", "SCAN", today, urgency=Urgency.VITAL, weight_kg=18.5, ward="URG")
    return {
        "aissata": aissata,
        "scanner": line.step_id,
        "echo": department.order(idrissa, "ECHABD", "ECHO", today.replace(hour=10)).step_id,
    }


def everything() -> Dataset:
    """Every attribute of the table, as an empty key."""
    query, item = Dataset(), Dataset()
    for holder, keywords in ((query, ALWAYS_FULL + MAY_BE_EMPTY), (item, STEP_ALWAYS_FULL + STEP_MAY_BE_EMPTY)):
        for keyword in keywords:
            setattr(holder, keyword, [] if keyword.endswith("Sequence") else None)
    query.ScheduledProcedureStepSequence = [item]
    return query


def test_every_attribute_of_the_table_is_answered(department_door: DicomServer) -> None:
    [item] = ask(department_door, everything())
    [step] = item.ScheduledProcedureStepSequence
    for holder, full, perhaps in ((item, ALWAYS_FULL, MAY_BE_EMPTY), (step, STEP_ALWAYS_FULL, STEP_MAY_BE_EMPTY)):
        assert [k for k in full if not holder.get(k)] == []
        assert [k for k in (*full, *perhaps) if k not in holder] == []
    assert [e.keyword for e in item if e.VR == "SQ" and any(len(i) == 0 for i in e.value)] == []  # no empty item


def test_the_table_of_this_test_is_the_table_of_the_door() -> None:
    asked = set(ALWAYS_FULL + MAY_BE_EMPTY + STEP_ALWAYS_FULL + STEP_MAY_BE_EMPTY)
    answered = {keyword_for_tag(column.tag) for column in (*COLUMNS, *STEP_COLUMNS)}
    assert asked - answered == set()


def test_identifiers_fit_what_machines_hold(department_door: DicomServer) -> None:
    [item] = ask(department_door, everything())
    short = (
        item.AccessionNumber,
        item.RequestedProcedureID,
        item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID,
    )
    assert all(0 < len(number) <= 16 for number in short)
    assert 0 < len(item.StudyInstanceUID) <= 64


@pytest.mark.parametrize("missing", [["StudyInstanceUID"], ["ScheduledProtocolCodeSequence", "PatientName"]])
def test_type_one_attributes_come_though_nobody_asked(department_door: DicomServer, missing: list[str]) -> None:
    """A machine that ignores items without a Study UID gets one, whatever it asked."""
    query = keys()
    for keyword in missing:
        query.pop(keyword, None)
    [item] = ask(department_door, query)
    assert item.StudyInstanceUID
    assert item.PatientName
    assert item.ScheduledProcedureStepSequence[0].ScheduledProtocolCodeSequence[0].CodeValue == "TDMCER"


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("PatientID", "CDG*", True),
        ("PatientID", "CDG0000002", False),  # all required keys really match
        ("PatientName", "OUEDRAOGO^", False),
        ("PatientName", "OUEDRAOGO^A*", True),
        ("PatientName", "ouedraogo^aissata ", True),
        ("PatientName", "^Aissata", True),
        ("AccessionNumber", "26-0000*", True),
        ("RequestedProcedureID", "NONE", False),
        ("StudyInstanceUID", "1.2.3\\1.2.4", False),
        ("StudyInstanceUID", "*", True),
        ("PatientBirthDate", "20190114", True),
        ("PatientBirthDate", "20200101-", False),
        ("PatientSex", "F", True),
        ("PatientSex", "M", False),
        ("RequestedProcedurePriority", "STAT", True),
        ("RequestedProcedurePriority", "ROUTINE", False),
        ("RequestedProcedureDescription", "Scanner*", True),
        ("RequestingPhysician", "sawadogo*", True),
        ("ReferringPhysicianName", "ZONGO*", False),
        ("CurrentPatientLocation", "URG", True),
        ("PatientState", "anything", True),  # nobody here knows: not matched
    ],
)
def test_keys_of_the_order_match(department_door: DicomServer, keyword: str, value: str, found: bool) -> None:
    query = keys()
    setattr(query, keyword, value)
    assert len(ask(department_door, query)) == found


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("ScheduledProcedureStepDescription", "Scanner*", True),
        ("ScheduledProcedureStepDescription", "IRM*", False),
        ("ScheduledProcedureStepLocation", "SCAN", True),
        ("ScheduledStationName", "ECHO", False),
        ("ScheduledProcedureStepStatus", "SCHEDULED", True),
        ("ScheduledPerformingPhysicianName", "ZONGO^Paul", True),  # nobody here knows: universal
        ("Modality", "CT\\MR", True),
        ("Modality", "ct", True),
        ("Modality", "?T", True),
        ("ScheduledProcedureStepStartTime", "0900", True),
        ("ScheduledProcedureStepStartTime", "*", True),
        ("ScheduledProcedureStepID", "*", True),
    ],
)
def test_keys_of_the_step_match(department_door: DicomServer, keyword: str, value: str, found: bool) -> None:
    assert len(ask(department_door, keys(**{keyword: value}))) == found


def test_a_machine_that_asks_for_scheduled_still_sees_who_has_arrived(
    department: Department, department_door: DicomServer, day: dict[str, int]
) -> None:
    department.scheduling.arrive(RECEPTION, day["scanner"])
    [item] = ask(department_door, keys(ScheduledProcedureStepStatus="SCHEDULED"))
    assert item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "ARRIVED"


def test_an_old_number_finds_the_survivor_of_a_merge(
    department: Department, department_door: DicomServer, day: dict[str, int]
) -> None:
    survivor = department.child("OUÉDRAOGO", "Aïssata Marie", "2019-01-14")
    old = department.patients.get(RECEPTION, day["aissata"]).number
    department.patients.merge(RECEPTION, survivor, day["aissata"], "même enfant")
    query = keys()
    query.PatientID = old
    [item] = ask(department_door, query)
    assert item.PatientID == department.patients.get(RECEPTION, survivor).number
    assert str(item.PatientName) == "OUÉDRAOGO^Aïssata Marie"


# Charset of each machine


@pytest.mark.parametrize(
    ("charset", "declared", "name"),
    [
        ("ISO_IR 100", "ISO_IR 100", "OUÉDRAOGO^Aïssata".encode("latin-1")),
        ("ISO_IR 192", "ISO_IR 192", "OUÉDRAOGO^Aïssata".encode()),
        ("ascii", None, b"OUEDRAOGO^Aissata"),
    ],
)
def test_each_machine_reads_its_own_letters(
    department: Department, department_door: DicomServer, charset: str, declared: str | None, name: bytes
) -> None:
    department.machine("CT1", room="SCAN", modality="CT", charset=charset)
    [item] = ask(department_door, keys())
    assert item.get("SpecificCharacterSet") == declared
    assert bytes(item.PatientName.original_string).strip() == name


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ascii"])
def test_a_letter_outside_the_set_is_spelled_never_a_question_mark(
    department: Department, department_door: DicomServer, charset: str
) -> None:
    department.machine("CT1", room="SCAN", modality="CT", charset=charset)
    department.order(department.child("N’DŒUR", "Ŋɔɔni"), "TDMCER", "SCAN", MORNING.replace(hour=11))
    second = ask(department_door, keys())[1]
    assert "?" not in str(second.PatientName)
    assert str(second.PatientName).startswith("N'D")


@pytest.mark.parametrize(
    ("declared", "raw"),
    [
        (b"ISO_IR 100", "OUÉDRAOGO*".encode("latin-1")),
        (b"ISO_IR 192", "OUÉDRAOGO*".encode()),
        (b"", "OUÉDRAOGO*".encode("latin-1")),  # undeclared: latin-1 is tried
        (b"", "OUÉDRAOGO*".encode()),
        (b"ISO_IR 100", "OUÉDRAOGO*".encode()),  # declared wrongly
        (b"latin1", "OUÉDRAOGO*".encode("latin-1")),
    ],
)
def test_accents_in_a_query_are_read_however_they_are_spelled(
    department_door: DicomServer, declared: bytes, raw: bytes
) -> None:
    assert _raw_query(department_door, declared, element(0x00100010, "PN", raw, EXPLICIT_LE)) == 1


def _raw_query(door: DicomServer, declared: bytes, *elements: bytes, syntax: str = EXPLICIT_LE) -> int:
    """A query written by hand; how many items came, the final status being a success."""
    identifier = element(0x00080005, "CS", declared, syntax) if declared else b""
    return _answers(door, identifier + b"".join(elements), syntax)


def _answers(door: DicomServer, identifier: bytes, syntax: str) -> int:
    with Modality(door.address) as machine:
        machine.associate(contexts=[(1, WORKLIST, [syntax])])
        machine.send(upper_layer.message(1, request_command(dimse.C_FIND_RQ, WORKLIST), identifier, 16_384))
        statuses = []
        while not statuses or statuses[-1] == 0xFF00:
            statuses.append(machine.message()[0].status)
        machine.release()
    assert statuses[-1] == 0
    return len(statuses) - 1


# Quirks


def test_unknown_vr_and_values_of_nothing_are_tolerated(department_door: DicomServer) -> None:
    """UN where PN should be, a NUL for an empty value, spaces for a universal key."""
    found = _raw_query(
        department_door,
        b"",
        element(0x00080050, "SH", b"\0\0", EXPLICIT_LE),
        element(0x00100010, "UN", b"OUEDRAOGO*", EXPLICIT_LE),
        element(0x00100020, "LO", b"    ", EXPLICIT_LE),
    )
    assert found == 1


def test_a_step_sequence_in_un_is_read_as_a_sequence(department_door: DicomServer) -> None:
    item = element(0x00080060, "CS", b"US", IMPLICIT_LE)
    nested = sequence(0x00400100, [item], IMPLICIT_LE)[8:]
    assert _raw_query(department_door, b"", element(0x00400100, "UN", nested, EXPLICIT_LE)) == 0


def test_only_implicit_and_small_pdus_are_enough(department_door: DicomServer) -> None:
    assert _answers(department_door, element(0x00100010, "PN", b"", IMPLICIT_LE), IMPLICIT_LE) == 1


def test_a_referenced_sequence_with_an_empty_item_asks_for_nothing(department_door: DicomServer) -> None:
    query = keys()
    query.ReferencedStudySequence = [Dataset()]
    [item] = ask(department_door, query)
    assert len(item.ReferencedStudySequence) == 0


def test_unknown_keys_are_ignored_and_not_invented(department_door: DicomServer) -> None:
    query = keys()
    query.PatientComments = "quiet"
    query.add_new(0x00091001, "LO", "private")
    [item] = ask(department_door, query)
    assert "PatientComments" not in item
    assert (0x0009, 0x1001) not in item


def test_a_title_in_another_case_is_the_same_machine(department_door: DicomServer) -> None:
    assert len(ask(department_door, keys(), calling="ct1")) == 1


def test_a_station_is_found_by_the_machine_that_stands_in_the_room(
    department: Department, department_door: DicomServer
) -> None:
    """The room's own list of titles forgot it; its row says where it stands."""
    department.machine("CT2", room="SCAN", modality="CT")
    assert len(ask(department_door, keys(ScheduledStationAETitle="CT2"))) == 1


def test_a_room_without_titles_still_names_a_station(department: Department, department_door: DicomServer) -> None:
    department.orders.save_room(RECEPTION, Room("SCAN", "Scanner", "CT", ()))
    [item] = ask(department_door, keys())
    assert item.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "CT1"


def test_a_machine_that_calls_cr_what_is_planned_dx(department: Department, department_door: DicomServer) -> None:
    from core.model.order import Exam

    department.orders.save_room(RECEPTION, Room("RX", "Radio", "DX", ("CR1",)))
    department.orders.save_exam(RECEPTION, Exam("THX", "Thorax", "DX", ("RX",)))
    department.order(department.child("SANOU", "Awa"), "THX", "RX", MORNING)
    department.machine("CR1", room="RX", modality="CR")
    assert ask(department_door, keys(Modality="CR"), "CR1") == []
    department.machine("CR1", room="RX", modality="CR", cr_is_dx=True)
    assert names(ask(department_door, keys(Modality="CR"), "CR1")) == ["SANOU^Awa"]


@pytest.mark.parametrize(("days", "expected"), [(0, 1), (1, 2), (7, 3)])
def test_without_a_date_each_machine_has_its_own_window(
    department: Department, department_door: DicomServer, days: int, expected: int
) -> None:
    awa = department.child("SANOU", "Awa")
    for later in (1, 5):
        department.order(awa, "TDMCER", "SCAN", MORNING + timedelta(days=later))
    department.machine("CT1", room="SCAN", modality="CT", worklist_window_days=days)
    assert len(ask(department_door, keys())) == expected


def test_the_emergency_machine_sees_all_rooms(department: Department, department_door: DicomServer) -> None:
    department.machine("CT1", room="SCAN", modality="CT", all_rooms=True)
    assert names(ask(department_door, keys())) == ["OUÉDRAOGO^Aïssata", "DIALLO^Idrissa"]


def test_a_started_exam_is_shown_for_four_hours_so_that_a_crashed_console_can_ask_again(
    department: Department, department_door: DicomServer, day: dict[str, int], clock: SetClock
) -> None:
    technologist = Actor("issa", frozenset({Role.TECHNOLOGIST}), origin="test")
    department.services.acquisition.start(technologist, day["scanner"])
    [item] = ask(department_door, keys())
    assert item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "STARTED"
    clock.advance(4 * 3600 + 1)
    assert ask(department_door, keys()) == []


@pytest.mark.parametrize("dates", ["00010101-99991231", "99991231", "00010101", "-00010101", "99991231-"])
def test_the_ends_of_time_are_dates_like_others(department_door: DicomServer, dates: str) -> None:
    found, status = ask_all(department_door, keys(ScheduledProcedureStepStartDate=dates))
    assert (len(found), status) == (dates == "00010101-99991231", 0)


@pytest.mark.parametrize(
    "value",
    ["%' OR 1=1--", "[", "*" * 64, "*A" * 64, "\\\\\\", "^^^^", "=", "=" * 64, "'; DROP TABLE step; --"],
)
def test_hostile_names_are_letters_like_others(department_door: DicomServer, value: str) -> None:  # row 34
    query = keys()
    query.PatientName = value
    found, status = ask_all(department_door, query)
    assert status == 0
    universal = not value.strip("*^=")
    assert len(found) == universal
