"""What leaves carries the identity of today; what the file said is kept in its own words."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from core.dicom.conformance import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, PATIENT_ROOT_GET
from core.dicom.server import DicomServer
from core.index.tables import Instance, Patient, Study
from core.model.birth import Birth, Precision, on_day
from core.model.patient import Demographics
from tests.dicom.conftest import MORNING
from tests.dicom.dataset import ct_elements, dataset, element, nested
from tests.dicom.department import RECEPTION, Department
from tests.dicom.stored import get, keep, keys

STUDY = keys("STUDY", StudyInstanceUID="1.2.3")


def read(data: bytes, syntax: str = EXPLICIT_LE) -> Dataset:
    return read_dataset(io.BytesIO(data), syntax == IMPLICIT_LE, syntax != EXPLICIT_BE)


def fetched(door: DicomServer, syntax: str = EXPLICIT_LE) -> Dataset:
    brought = get(door, STUDY, syntaxes=(syntax,))
    assert brought.final.Status == 0
    return read(brought.objects["1.2.9.1"], syntax)


def patient_of(uid: str = "1.2.3") -> int:
    return int(Study.get(Study.study_instance_uid == uid).patient_id)


def rename(department: Department, family: str, given: str, birth: Birth = on_day(date(2019, 1, 14))) -> None:
    """Somebody at reception corrects the child of study 1.2.3."""
    department.patients.correct(RECEPTION, patient_of(), Demographics(family, given, birth, "F"))
    department.kit.index.writer.do(
        lambda unit: Patient.update(provisional=False).where(Patient.id == patient_of()).execute()
    )


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE])
def test_a_corrected_name_leaves_with_the_old_one_beside_it(
    department: Department, department_door: DicomServer, syntax: str
) -> None:
    sent = keep(department, "1.2.9.1", syntax)
    rename(department, "KABORÉ", "Awa")
    left = fetched(department_door, syntax)
    assert left.PatientName == "KABORÉ^Awa"
    [note] = left.OriginalAttributesSequence
    assert note.ModifyingSystem == "YELEN"
    assert note.SourceOfPreviousValues == "CT1"
    assert note.ReasonForTheAttributeModification == "COERCE"
    assert note.AttributeModificationDateTime.startswith(f"{MORNING:%Y%m%d%H%M%S}")
    [previous] = note.ModifiedAttributesSequence
    assert previous.PatientName == "OUÉDRAOGO^Aïssata"
    assert [element.keyword for element in previous] == ["PatientName"]
    untouched = read(sent, syntax)
    for changed in ("PatientName", "OriginalAttributesSequence"):
        left.pop(changed, None)
        untouched.pop(changed, None)
    assert left == untouched


def test_the_file_itself_is_never_changed(department: Department, department_door: DicomServer) -> None:
    sent = keep(department, "1.2.9.1")
    rename(department, "KABORÉ", "Awa")
    fetched(department_door)
    path = department.kit.archive.absolute(Instance.get().path)
    assert path.read_bytes().endswith(sent)


def test_images_of_a_merged_patient_leave_as_the_survivor_s(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1")
    survivor = department.child("KABORE", "Aicha", "2019-01-14")
    department.patients.merge(RECEPTION, survivor, patient_of(), "doublon")
    left = fetched(department_door)
    number = department.patients.get(RECEPTION, survivor).number
    assert (left.PatientID, left.IssuerOfPatientID) == (number, "CHUP-CDG")
    assert (left.PatientName, left.PatientBirthDate) == ("KABORE^Aicha", "20190114")
    assert [other.PatientID for other in left.OtherPatientIDsSequence] == ["P-0042"]
    [note] = left.OriginalAttributesSequence
    assert note.ReasonForTheAttributeModification == "CORRECT"
    [previous] = note.ModifiedAttributesSequence
    assert (previous.PatientID, previous.PatientName) == ("P-0042", "OUÉDRAOGO^Aïssata")
    assert previous.IssuerOfPatientID in ("", None)
    assert (left.StudyInstanceUID, left.SOPInstanceUID) == ("1.2.3", "1.2.9.1")


def test_a_merged_patient_is_found_under_either_number(department: Department, department_door: DicomServer) -> None:
    keep(department, "1.2.9.1")
    survivor = department.child("OUEDRAOGO", "Aicha", "2019-01-14")
    department.patients.merge(RECEPTION, survivor, patient_of(), "doublon")
    for number in ("P-0042", department.patients.get(RECEPTION, survivor).number):
        asked = keys("PATIENT", PatientID=number)
        assert list(get(department_door, asked, model=PATIENT_ROOT_GET).objects) == ["1.2.9.1"]


def test_images_attached_to_an_order_carry_its_accession_number(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1", accession="AILLEURS-77")
    patient = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    exam = department.order(patient, "TDMCER", "SCAN", MORNING + timedelta(hours=3))
    department.services.reconciliation.attach(RECEPTION, Study.get().id, exam.step_id, "bon examen")
    left = fetched(department_door)
    assert left.AccessionNumber == exam.accession_number
    previous = left.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert previous.AccessionNumber == "AILLEURS-77"


def test_the_order_that_a_file_names_follows_its_accession_number(
    department: Department, department_door: DicomServer
) -> None:
    elements = ct_elements(sop_instance="1.2.9.1", accession="AILLEURS-77")
    request = element(0x00080050, "SH", b"AILLEURS-77 ") + element(0x00401001, "SH", b"RP-1")
    item = b"\xfe\xff\x00\xe0" + len(request).to_bytes(4, "little") + request
    keep(
        department, "1.2.9.1", data=dataset(elements[:-1]) + element(0x00400275, "SQ", item) + dataset(elements[-1:])
    )  # fmt: skip
    patient = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    exam = department.order(patient, "TDMCER", "SCAN", MORNING + timedelta(hours=3))
    department.services.reconciliation.attach(RECEPTION, Study.get().id, exam.step_id, "bon examen")
    left = fetched(department_door)
    [named] = left.RequestAttributesSequence
    assert named.AccessionNumber == left.AccessionNumber == exam.accession_number
    assert named.RequestedProcedureID
    assert named.ScheduledProcedureStepID
    previous = left.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert previous.RequestAttributesSequence[0].RequestedProcedureID == "RP-1"


def test_a_name_that_the_file_cannot_spell_makes_the_whole_header_utf_8(
    department: Department, department_door: DicomServer
) -> None:
    keep(
        department, "1.2.9.1", charset="ISO_IR 100", name="OUÉDRAOGO^Aïssata".encode("latin-1"),
        study_description="Scanner cérébral".encode("latin-1"), institution="Hôpital".encode("latin-1"),
    )  # fmt: skip
    rename(department, "KABORƐ", "Awa")
    left = fetched(department_door)
    assert left.SpecificCharacterSet == "ISO_IR 192"
    assert (left.PatientName, left.StudyDescription, left.InstitutionName) == (
        "KABORƐ^Awa",
        "Scanner cérébral",
        "Hôpital",
    )
    assert left.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientName == "OUÉDRAOGO^Aïssata"


def test_a_name_that_fits_is_written_in_the_file_s_own_charset(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1", charset="ISO_IR 100", name="DIALLO^Awa", study_description=b"Cr\xe2ne", institution="x")
    rename(department, "DIALLO", "Aïcha")
    left = fetched(department_door)
    assert (left.SpecificCharacterSet, left.PatientName, left.StudyDescription) == (
        "ISO_IR 100",
        "DIALLO^Aïcha",
        "Crâne",
    )


def test_a_birth_date_that_is_not_known_to_the_day_leaves_empty(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1")
    about = Birth(date(2019, 1, 1), date(2019, 12, 31), Precision.YEAR)
    rename(department, "OUÉDRAOGO", "Aïssata", about)
    left = fetched(department_door)
    assert left.PatientBirthDate == ""
    assert left.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientBirthDate == "20190114"


def test_a_note_that_was_there_is_kept(department: Department, department_door: DicomServer) -> None:
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + element(0x04000563, "LO", b"OTHER ") + b"\xfe\xff\x0d\xe0\0\0\0\0"
    there = element(0x04000561, "SQ", item + b"\xfe\xff\xdd\xe0\0\0\0\0", length=0xFFFFFFFF)
    elements = ct_elements(sop_instance="1.2.9.1")
    data = dataset(elements[:-1]) + there + dataset(elements[-1:])
    keep(department, "1.2.9.1", data=data)
    rename(department, "KABORÉ", "Awa")
    notes = fetched(department_door).OriginalAttributesSequence
    assert [note.ModifyingSystem for note in notes] == ["OTHER", "YELEN"]


@pytest.mark.parametrize("defined", [True, False])
def test_sequences_before_the_patient_are_stepped_over(
    department: Department, department_door: DicomServer, defined: bool
) -> None:
    elements = ct_elements(sop_instance="1.2.9.1")
    cut = next(place for place, each in enumerate(elements) if each[0] > 0x00081140)
    data = dataset(elements[:cut]) + nested(20, defined) + dataset(elements[cut:])
    keep(department, "1.2.9.1", data=data)
    rename(department, "KABORÉ", "Awa")
    left = fetched(department_door)
    assert left.PatientName == "KABORÉ^Awa"
    assert nested(20, defined) in get(department_door, STUDY).objects["1.2.9.1"]


def test_a_name_spelled_in_capitals_without_accents_is_no_other_name(
    department: Department, department_door: DicomServer
) -> None:
    sent = keep(department, "1.2.9.1", charset=None, name="OUEDRAOGO^AISSATA", study_description="x", institution="x")
    rename(department, "OUÉDRAOGO", "Aïssata")
    assert get(department_door, STUDY).objects == {"1.2.9.1": sent}


@pytest.mark.parametrize(
    ("asked", "declared", "name", "description"),
    [
        ("ISO_IR 100", "ISO_IR 100", "OUÉDRAOGO^Aïssata", "Scanner cérébral"),
        ("ascii", None, "OUEDRAOGO^Aissata", "Scanner cerebral"),
        ("ISO_IR 192", "ISO_IR 192", "OUÉDRAOGO^Aïssata", "Scanner cérébral"),
        ("", "ISO_IR 192", "OUÉDRAOGO^Aïssata", "Scanner cérébral"),
    ],
)
def test_a_machine_that_reads_one_charset_is_sent_that_one(
    department: Department, department_door: DicomServer, asked: str, declared: str | None, name: str, description: str
) -> None:
    keep(department, "1.2.9.1")
    department.machine("WS1", role="workstation", receives_charset=asked)
    left = fetched(department_door)
    assert left.get("SpecificCharacterSet") == declared
    assert (left.PatientName, left.StudyDescription) == (name, description)
    assert "OriginalAttributesSequence" not in left
    assert left.PixelData == bytes(16)


def test_a_letter_outside_the_charset_of_a_machine_is_spelled_otherwise_never_asked(
    department: Department, department_door: DicomServer
) -> None:
    keep(department, "1.2.9.1")
    department.machine("WS1", role="workstation", receives_charset="ISO_IR 100")
    rename(department, "KABORƐ", "Aïcha")
    left = fetched(department_door)
    assert (left.SpecificCharacterSet, left.PatientName) == ("ISO_IR 100", "KABORE^Aïcha")
    assert left.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientName == "OUÉDRAOGO^Aïssata"
