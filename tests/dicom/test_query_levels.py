"""Patient and Study Root C-FIND at every level, as workstations of all kinds ask them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind as PatientRoot
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRoot

from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.server import DicomServer
from core.index.tables import Patient, Study
from core.index.writer import Unit
from tests.dicom.conftest import MORNING
from tests.dicom.dataset import ct
from tests.dicom.department import RECEPTION, Department
from tests.dicom.test_storage import Scanner
from tests.skips import needs_dcmtk

AISSATA, IDRISSA = "P-0042", "P-0077"


@pytest.fixture(autouse=True)
def archived(department: Department, department_door: DicomServer) -> None:
    """Aïssata: a CT of two series, three slices. Idrissa: an echography."""
    with Scanner(department_door) as ct1:
        for uid, series, number in (
            ("1.2.3.4.1", "1.2.3.4", 1),
            ("1.2.3.4.2", "1.2.3.4", 2),
            ("1.2.3.5.1", "1.2.3.5", 1),
        ):
            slice_ = ct(sop_instance=uid, series=series, series_number=series[-1], instance_number=str(number))
            assert ct1.store(slice_, uid) == 0
        echo = ct(
            sop_instance="1.3.1", study="1.3", series="1.3.5", name="DIALLO^Idrissa", patient_id=IDRISSA,
            accession="26-000200", modality="US", study_date="20260110", sex="M", study_description="Échographie",
            study_time="170000",
        )  # fmt: skip
        assert ct1.store(echo, "1.3.1") == 0
        ct1.release()


def identifier(level: str, **keys: Any) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    return query


def ask(
    door: DicomServer,
    query: Dataset,
    model: str = StudyRoot,
    calling: str = "WS1",
    syntax: str = EXPLICIT_LE,
    agreed: bytes = b"",
) -> tuple[list[Dataset], list[int]]:
    """agreed: SOP class extended negotiation asked for, and then checked to be granted."""
    station = AE(calling)
    station.add_requested_context(model, syntax)
    items = []
    if agreed:
        extended = SOPClassExtendedNegotiation()
        extended.sop_class_uid, extended.service_class_application_information = model, agreed
        items.append(extended)
    association = station.associate(*door.address, ae_title="YELEN", ext_neg=items)
    assert association.is_established
    if agreed:
        [granted] = association.acceptor.sop_class_extended.values()
        assert granted == agreed
    found, statuses = [], []
    for status, answer in association.send_c_find(query, model):
        statuses.append(int(status.Status))
        if answer is not None:
            found.append(answer)
    association.release()
    return found, statuses


# Levels


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
def test_patients_are_found_with_what_they_have(department_door: DicomServer, syntax: str) -> None:
    query = identifier(
        "PATIENT", PatientName="OUEDRAOGO*", PatientID="", PatientBirthDate="", PatientSex="", IssuerOfPatientID="",
        NumberOfPatientRelatedStudies="", NumberOfPatientRelatedSeries="", NumberOfPatientRelatedInstances="",
    )  # fmt: skip
    [patient], statuses = ask(department_door, query, PatientRoot, syntax=syntax)
    assert statuses == [0xFF00, 0]
    assert (str(patient.PatientName), patient.PatientID) == ("OUÉDRAOGO^Aïssata", AISSATA)
    assert (patient.PatientBirthDate, patient.PatientSex, patient.IssuerOfPatientID) == ("20190114", "F", "CHUP-CDG")
    assert patient.NumberOfPatientRelatedStudies == 1
    assert (patient.NumberOfPatientRelatedSeries, patient.NumberOfPatientRelatedInstances) == (2, 3)
    assert (patient.QueryRetrieveLevel, patient.RetrieveAETitle) == ("PATIENT", "YELEN")
    assert "StudyInstanceUID" not in patient


def test_a_patient_is_one_answer_however_many_studies(department_door: DicomServer) -> None:
    with Scanner(department_door) as ct1:
        assert ct1.store(ct(sop_instance="1.9.1", study="1.9", series="1.9.5"), "1.9.1") == 0
        ct1.release()
    found, _statuses = ask(department_door, identifier("PATIENT", PatientID=""), PatientRoot)
    assert sorted(p.PatientID for p in found) == [AISSATA, IDRISSA]


def test_the_studies_of_a_patient_root(department_door: DicomServer) -> None:
    query = identifier("STUDY", PatientID=AISSATA, StudyDate="", AccessionNumber="", ModalitiesInStudy="")
    [study], _statuses = ask(department_door, query, PatientRoot)
    assert (study.StudyInstanceUID, study.PatientID, study.StudyDate) == ("1.2.3", AISSATA, "20260302")


def test_what_a_study_holds_is_computed(department_door: DicomServer) -> None:
    query = identifier(
        "STUDY", StudyInstanceUID="1.2.3", ModalitiesInStudy="", SOPClassesInStudy="", InstitutionName="",
        NumberOfStudyRelatedSeries="", NumberOfStudyRelatedInstances="", NumberOfPatientRelatedStudies="",
        PatientAge="", PatientWeight="", StudyTime="", StudyID="", ReferringPhysicianName="",
    )  # fmt: skip
    [study], statuses = ask(department_door, query)
    assert statuses == [0xFF00, 0]
    assert (study.ModalitiesInStudy, study.SOPClassesInStudy) == ("CT", "1.2.840.10008.5.1.4.1.1.2")
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
    assert (study.NumberOfPatientRelatedStudies, study.PatientWeight) == (1, 18.5)
    assert (study.InstitutionName, study.StudyTime) == ("CHU pédiatrique", "083000.123")
    assert study.InstanceAvailability == "ONLINE"


def test_series_come_in_their_order_with_everything_stored(department_door: DicomServer) -> None:
    query = identifier(
        "SERIES", StudyInstanceUID="1.2.3", SeriesInstanceUID="", SeriesNumber="", Modality="", BodyPartExamined="",
        SeriesDescription="", SeriesDate="", SeriesTime="", Laterality="", StationName="", ProtocolName="",
        NumberOfSeriesRelatedInstances="", PatientName="",
    )  # fmt: skip
    found, statuses = ask(department_door, query)
    assert statuses == [0xFF00, 0xFF00, 0]
    assert [(s.SeriesInstanceUID, s.SeriesNumber, s.NumberOfSeriesRelatedInstances) for s in found] == [
        ("1.2.3.4", 4, 2),
        ("1.2.3.5", 5, 1),
    ]
    assert (found[0].Modality, found[0].BodyPartExamined, str(found[0].PatientName)) == (
        "CT",
        "HEAD",
        "OUÉDRAOGO^Aïssata",
    )


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
def test_images_come_in_their_order_with_everything_stored(department_door: DicomServer, syntax: str) -> None:
    query = identifier(
        "IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID="", SOPClassUID="",
        InstanceNumber="", ImageType=None, NumberOfFrames="", ContentDate="", InstanceCreationDate="",
        AvailableTransferSyntaxUID="",
    )  # fmt: skip
    query.Rows = query.Columns = None
    found, statuses = ask(department_door, query, syntax=syntax)
    assert statuses == [0xFF00, 0xFF00, 0]
    assert [(i.SOPInstanceUID, i.InstanceNumber) for i in found] == [("1.2.3.4.1", 1), ("1.2.3.4.2", 2)]
    first = found[0]
    assert (first.SOPClassUID, first.Rows, first.Columns) == ("1.2.840.10008.5.1.4.1.1.2", 4, 2)
    assert list(first.ImageType) == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert first.AvailableTransferSyntaxUID == EXPLICIT_LE
    assert (first.StudyInstanceUID, first.SeriesInstanceUID) == ("1.2.3", "1.2.3.4")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"InstanceNumber": "02"}, 1),
        ({"SOPInstanceUID": "1.2.3.4.1\\1.2.3.5.1\\1.9.9"}, 2),
        ({"ImageType": "PRIMARY"}, 3),
        ({"ImageType": "SEC*"}, 0),
        ({"Rows": 4}, 3),
        ({"Rows": 5}, 0),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, 3),
    ],
)
def test_keys_restrict_images(department_door: DicomServer, changes: dict[str, Any], expected: int) -> None:
    query = identifier("IMAGE", StudyInstanceUID="1.2.3", SOPInstanceUID="")
    for keyword, value in changes.items():
        setattr(query, keyword, value)
    assert len(ask(department_door, query)[0]) == expected


def test_an_image_is_found_by_its_own_uid_alone(department_door: DicomServer) -> None:
    """A relational question: the unique keys above are missing, but this one says enough."""
    [image], statuses = ask(department_door, identifier("IMAGE", SOPInstanceUID="1.2.3.5.1", PatientName=""))
    assert statuses == [0xFF00, 0]
    assert (image.StudyInstanceUID, str(image.PatientName)) == ("1.2.3", "OUÉDRAOGO^Aïssata")


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (StudyRoot, identifier("SERIES", Modality="CT")),
        (StudyRoot, identifier("IMAGE", InstanceNumber="1")),
        (PatientRoot, identifier("STUDY", ModalitiesInStudy="CT")),
        (StudyRoot, identifier("PATIENT", PatientID=AISSATA)),
        (StudyRoot, identifier("FRAME", StudyInstanceUID="1.2.3")),
        (PatientRoot, identifier("", PatientID=AISSATA)),
        (StudyRoot, identifier("IMAGE", StudyInstanceUID="1.2.3", InstanceNumber="9999999999")),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(department_door: DicomServer, model: str, query: Dataset) -> None:
    assert ask(department_door, query, model) == ([], [0xA900])


def test_a_relational_question_with_a_month_of_dates_is_answered(department_door: DicomServer) -> None:
    found, statuses = ask(department_door, identifier("SERIES", StudyDate="20260301-20260331", SeriesInstanceUID=""))
    assert statuses == [0xFF00, 0xFF00, 0]
    assert {s.SeriesInstanceUID for s in found} == {"1.2.3.4", "1.2.3.5"}


# Matching on the wire


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("PatientID", "P-00??", {"1.2.3", "1.3"}),
        ("PatientID", " P-0042 ", {"1.2.3"}),
        ("PatientName", "^Idrissa", {"1.3"}),
        ("PatientName", "*^Aïssata*", {"1.2.3"}),
        ("PatientBirthDate", "20190101-20191231", {"1.2.3", "1.3"}),
        ("PatientSex", "M", {"1.3"}),
        ("PatientSex", "m", set()),  # a code is matched as it is
        ("StudyTime", "0800-0900", {"1.2.3"}),
        ("StudyTime", "17", {"1.3"}),
        ("StudyDate", "*", {"1.2.3", "1.3"}),
        ("StudyInstanceUID", "1.2*", {"1.2.3", "1.3"}),  # no wildcard in a UID: universal
        ("StudyDescription", "*[c]*", set()),
        ("StudyDescription", "Écho*", {"1.3"}),
        ("ModalitiesInStudy", "CT\\US", {"1.2.3", "1.3"}),
        ("AccessionNumber", "26-0001*", {"1.2.3"}),
        ("InstitutionName", "CHU*", {"1.2.3", "1.3"}),
        ("NumberOfStudyRelatedInstances", "3", {"1.2.3"}),
        ("PatientName", "%' OR 1=1--", set()),
        ("AccessionNumber", "'; DROP TABLE study; --", set()),
    ],
)
def test_keys_restrict_studies(department_door: DicomServer, keyword: str, value: str, expected: set[str]) -> None:
    query = identifier("STUDY", StudyInstanceUID="", SpecificCharacterSet="ISO_IR 192")
    setattr(query, keyword, value)
    found, _statuses = ask(department_door, query)
    assert {study.StudyInstanceUID for study in found} == expected


def test_a_query_in_another_charset_is_read_and_answered_in_the_machines_own(
    department: Department, department_door: DicomServer
) -> None:
    department.machine("WS1", role="workstation", charset="ISO_IR 100")
    query = identifier("STUDY", PatientName="OUÉDRAOGO*", SpecificCharacterSet="ISO_IR 192")
    [study], _statuses = ask(department_door, query)
    assert (study.SpecificCharacterSet, str(study.PatientName)) == ("ISO_IR 100", "OUÉDRAOGO^Aïssata")
    query = identifier("STUDY", PatientName="OUÉDRAOGO*", SpecificCharacterSet="ISO_IR 100")
    assert len(ask(department_door, query)[0]) == 1
    query = identifier("STUDY", PatientName="DIALLO*")
    assert "SpecificCharacterSet" not in ask(department_door, query)[0][0]


def test_the_step_of_an_exam_is_matched_inside_its_sequence(
    department: Department, department_door: DicomServer
) -> None:
    step_id, procedure_id = _attach(department)
    item = identifier("")
    del item.QueryRetrieveLevel
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step_id, ""
    query = identifier("SERIES", StudyInstanceUID="1.2.3", SeriesInstanceUID="")
    query.RequestAttributesSequence = [item]
    found, statuses = ask(department_door, query)
    assert statuses == [0xFF00, 0xFF00, 0]
    [request] = found[0].RequestAttributesSequence
    assert (request.ScheduledProcedureStepID, request.RequestedProcedureID) == (step_id, procedure_id)
    item.ScheduledProcedureStepID = "OTHER"
    assert ask(department_door, query) == ([], [0])
    for nothing in ([], [Dataset()]):  # universal
        query.RequestAttributesSequence = nothing
        assert len(ask(department_door, query)[0]) == 2


def test_the_exam_gives_its_code_and_its_accession_number(department: Department, department_door: DicomServer) -> None:
    _attach(department)
    accession = department.services.studies.of_step(RECEPTION, Study.get(Study.study_instance_uid == "1.2.3").step_id)
    assert accession[0].accession_number == "26-000123"  # as sent
    query = identifier("STUDY", StudyInstanceUID="1.2.3", AccessionNumber="", ProcedureCodeSequence=[])
    [study], _statuses = ask(department_door, query)
    assert study.ProcedureCodeSequence[0].CodeValue == "TDMCER"
    ours = study.AccessionNumber
    assert ours != "26-000123"
    for number in (ours, "26-000123"):
        [found], _statuses = ask(department_door, identifier("STUDY", StudyInstanceUID="", AccessionNumber=number))
        assert (found.StudyInstanceUID, found.AccessionNumber) == ("1.2.3", ours)


def _attach(department: Department) -> tuple[str, str]:
    from core.index.tables import RequestedProcedure, Step

    aissata = Patient.get(Patient.number == AISSATA).id
    line = department.order(aissata, "TDMCER", "SCAN", MORNING.replace(hour=9))
    study = Study.get(Study.study_instance_uid == "1.2.3").id
    department.services.reconciliation.attach(RECEPTION, study, line.step_id, "même examen")
    step = Step.get_by_id(line.step_id)
    return step.scheduled_step_id, RequestedProcedure.get_by_id(step.procedure_id).procedure_id


# What was agreed


def test_date_and_time_are_one_moment_only_when_that_was_agreed(department_door: DicomServer) -> None:
    query = identifier("STUDY", StudyInstanceUID="", StudyDate="20260110-20260302", StudyTime="1200-0900")
    assert ask(department_door, query, agreed=b"\0\1")[0] != []
    assert len(ask(department_door, query, agreed=b"\0\1")[0]) == 2
    assert ask(department_door, query) == ([], [0])  # each day between 12:00 and 9:00: never


def test_names_are_heard_only_when_that_was_agreed(department_door: DicomServer) -> None:
    query = identifier("STUDY", StudyInstanceUID="", PatientName="WEDRAOGO^Aichata")
    assert ask(department_door, query) == ([], [0])
    [study], _statuses = ask(department_door, query, agreed=b"\1\1\1")
    assert study.StudyInstanceUID == "1.2.3"


# Identity


def test_after_a_merge_both_numbers_find_the_survivor(department: Department, department_door: DicomServer) -> None:
    survivor = department.child("OUÉDRAOGO", "Aïssata Marie", "2019-01-14")
    prior = Patient.get(Patient.number == AISSATA).id
    department.patients.merge(RECEPTION, survivor, prior, "même enfant")
    number = Patient.get_by_id(survivor).number
    for key in (AISSATA, number, "P-004*"):
        [patient], _s = ask(department_door, identifier("PATIENT", PatientID=key, PatientName=""), PatientRoot)
        assert (patient.PatientID, str(patient.PatientName)) == (number, "OUÉDRAOGO^Aïssata Marie")
        [study], _s = ask(department_door, identifier("STUDY", PatientID=key, StudyInstanceUID=""))
        assert (study.PatientID, study.StudyInstanceUID) == (number, "1.2.3")


def test_two_hospitals_same_number_are_told_apart_by_the_issuer(department_door: DicomServer) -> None:
    for issuer, expected in (("CHUP-CDG", 1), ("ELSEWHERE", 0)):
        query = identifier("PATIENT", PatientID=AISSATA, IssuerOfPatientID=issuer)
        assert len(ask(department_door, query, PatientRoot)[0]) == expected


# What is hidden


@pytest.fixture
def doubtful(department_door: DicomServer) -> None:
    """Another child's number on the same study: under the overlay; and one object that went to quarantine."""
    with Scanner(department_door) as ct1:
        other = ct(sop_instance="1.2.3.9.1", series="1.2.3.9", patient_id="P-9999", name="KABORÉ^Issa")
        assert ct1.store(other, "1.2.3.9.1") == 0
        assert ct1.store(ct(sop_instance="1.2.3.4.1", pixels=b"\1" * 16), "1.2.3.4.1") == 0x0111
        ct1.release()


def test_doubtful_identities_are_shown_to_workstations_of_the_department_alone(
    doubtful: None, department_door: DicomServer
) -> None:
    query = identifier("STUDY", PatientID="P-9999", PatientName="", NumberOfStudyRelatedInstances="")
    [study], _statuses = ask(department_door, query)
    assert (str(study.PatientName), study.NumberOfStudyRelatedInstances) == ("KABORÉ^Issa", 1)
    assert ask(department_door, query, calling="CT1") == ([], [0])
    image = identifier("IMAGE", SOPInstanceUID="1.2.3.9.1")
    assert len(ask(department_door, image)[0]) == 1
    assert ask(department_door, image, calling="CT1") == ([], [0])


def test_one_study_uid_of_two_children_is_two_answers_never_one_mixed(
    doubtful: None, department_door: DicomServer
) -> None:
    query = identifier("STUDY", StudyInstanceUID="1.2.3", PatientID="", NumberOfStudyRelatedInstances="")
    found, _statuses = ask(department_door, query)
    assert sorted((s.PatientID, s.NumberOfStudyRelatedInstances) for s in found) == [(AISSATA, 3), ("P-9999", 1)]
    [study], _statuses = ask(department_door, query, calling="CT1")
    assert (study.PatientID, study.NumberOfStudyRelatedInstances) == (AISSATA, 3)


def test_what_lies_in_quarantine_is_not_counted(doubtful: None, department_door: DicomServer) -> None:
    query = identifier("IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID="")
    assert len(ask(department_door, query)[0]) == 2


def test_a_damaged_image_is_unavailable_and_the_others_can_be_had(
    department: Department, department_door: DicomServer
) -> None:
    from core.index.tables import Instance

    damage = Instance.update(damaged_at=MORNING).where(Instance.sop_instance_uid == "1.2.3.4.1")
    department.index.writer.do(lambda _unit: damage.execute())
    found, _statuses = ask(department_door, identifier("IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4"))
    assert [(i.SOPInstanceUID, i.InstanceAvailability) for i in found] == [
        ("1.2.3.4.1", "UNAVAILABLE"),
        ("1.2.3.4.2", "ONLINE"),
    ]
    [study], _statuses = ask(department_door, identifier("STUDY", StudyInstanceUID="1.2.3"))
    assert study.InstanceAvailability == "ONLINE"


def test_a_rejected_image_is_answered_to_nobody(department: Department, department_door: DicomServer) -> None:
    """Whatever is asked: the image, its series, the counts."""
    from core.index.counting import SERIES, STUDY
    from core.index.tables import Instance

    def act(unit: Unit) -> None:
        study = Study.get(Study.study_instance_uid == "1.2.3").id
        Instance.update(series=None).where(Instance.sop_instance_uid == "1.2.3.5.1").execute()
        unit.sql(SERIES, (study,))
        unit.sql(STUDY, (study,))

    department.index.writer.do(act)
    assert ask(department_door, identifier("IMAGE", SOPInstanceUID="1.2.3.5.1")) == ([], [0])
    found, _statuses = ask(department_door, identifier("SERIES", StudyInstanceUID="1.2.3", SeriesInstanceUID=""))
    assert [s.SeriesInstanceUID for s in found] == ["1.2.3.4"]
    query = identifier(
        "STUDY", StudyInstanceUID="1.2.3", NumberOfStudyRelatedSeries="", NumberOfStudyRelatedInstances=""
    )
    [study], _statuses = ask(department_door, query)
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (1, 2)


# findscu


def findscu(door: DicomServer, folder: Path, model: str, *asked: str) -> list[Dataset]:
    program = shutil.which("findscu")
    assert program is not None
    answers = folder / "answers"
    answers.mkdir()
    keys = [part for key in asked for part in ("-k", key)]
    host, port = door.address
    command = [program, model, "-aet", "WS1", "-aec", "YELEN", "-X", "-od", str(answers), *keys, host, str(port)]
    subprocess.run(command, check=True, timeout=60)
    return [dcmread(path) for path in sorted(answers.iterdir())]


@needs_dcmtk
@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        ("-P", ("QueryRetrieveLevel=PATIENT", "PatientName=*", "PatientID"), 2),
        ("-P", ("QueryRetrieveLevel=STUDY", f"PatientID={AISSATA}", "StudyInstanceUID"), 1),
        ("-P", ("QueryRetrieveLevel=SERIES", f"PatientID={AISSATA}", "StudyInstanceUID=1.2.3", "SeriesInstanceUID"), 2),
        ("-S", ("QueryRetrieveLevel=STUDY", "StudyDate=20260101-20260131", "StudyInstanceUID"), 1),
        ("-S", ("QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2.3", "Modality"), 2),
        (
            "-S",
            ("QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2.3", "SeriesInstanceUID=1.2.3.4", "SOPInstanceUID"),
            2,
        ),
        ("-S", ("QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2.3", "Rows", "Columns"), 3),
    ],
)
def test_findscu_asks_both_models_at_every_level(
    department_door: DicomServer, tmp_path: Path, model: str, asked: tuple[str, ...], expected: int
) -> None:
    found = findscu(department_door, tmp_path, model, *asked)
    assert len(found) == expected
    assert {answer.RetrieveAETitle for answer in found} == {"YELEN"}
