"""Study Root C-FIND at the study level, as a workstation asks it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRoot

from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.server import DicomServer
from tests.dicom.dataset import ct
from tests.dicom.department import Department
from tests.dicom.test_storage import Scanner
from tests.skips import needs_dcmtk


@pytest.fixture(autouse=True)
def archived(department: Department, department_door: DicomServer) -> None:
    """Two studies « hors demande »: an echography of DIALLO, two slices of OUÉDRAOGO."""
    with Scanner(department_door) as ct1:
        for number in (1, 2):
            uid = f"1.2.3.4.{number}"
            assert ct1.store(ct(sop_instance=uid), uid) == 0
        other = ct(
            sop_instance="1.3.1", study="1.3", series="1.3.5", name="DIALLO^Idrissa", patient_id="P-0077",
            accession="26-000200", modality="US", study_date="20260110", sex="M", study_description="Échographie",
        )  # fmt: skip
        assert ct1.store(other, "1.3.1") == 0
        ct1.release()


def keys(**changes: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
        setattr(query, keyword, "")
    query.ModalitiesInStudy = query.NumberOfStudyRelatedInstances = query.StudyDescription = ""
    for keyword, value in changes.items():
        setattr(query, keyword, value)
    return query


def ask(door: DicomServer, query: Dataset, syntax: str = EXPLICIT_LE) -> tuple[list[Dataset], list[int]]:
    station = AE("WS1")
    station.add_requested_context(StudyRoot, syntax)
    association = station.associate(*door.address, ae_title="YELEN")
    assert association.is_established
    found, statuses = [], []
    for status, identifier in association.send_c_find(query, StudyRoot):
        statuses.append(int(status.Status))
        if identifier is not None:
            found.append(identifier)
    association.release()
    return found, statuses


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
def test_a_study_is_found_with_its_counts(department_door: DicomServer, syntax: str) -> None:
    [study], statuses = ask(department_door, keys(PatientID="P-0042"), syntax)
    assert statuses == [0xFF00, 0]
    assert str(study.PatientName) == "OUÉDRAOGO^Aïssata"
    assert study.SpecificCharacterSet == "ISO_IR 192"
    assert (study.StudyInstanceUID, study.AccessionNumber, study.StudyDate) == ("1.2.3", "26-000123", "20260302")
    assert (study.ModalitiesInStudy, study.NumberOfStudyRelatedInstances) == ("CT", 2)
    assert study.StudyDescription == "Scanner cérébral"
    assert (study.QueryRetrieveLevel, study.RetrieveAETitle, study.InstanceAvailability) == ("STUDY", "YELEN", "ONLINE")
    assert list(study.keys()) == sorted(study.keys())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 2),
        ({"PatientName": "*"}, 2),
        ({"PatientName": "diallo*"}, 1),
        ({"PatientName": "ouedraogo^aissata"}, 1),
        ({"PatientName": "%' OR 1=1--"}, 0),
        ({"PatientName": "*" * 64}, 2),
        ({"StudyDate": "20260301-20260331"}, 1),
        ({"StudyDate": "-20260131"}, 1),
        ({"AccessionNumber": "26-000200"}, 1),
        ({"StudyInstanceUID": "1.2.3\\1.3"}, 2),
        ({"ModalitiesInStudy": "US"}, 1),
        ({"PatientID": "NOBODY"}, 0),
    ],
)
def test_keys_restrict(department_door: DicomServer, changes: dict[str, str], expected: int) -> None:
    assert len(ask(department_door, keys(**changes))[0]) == expected


def test_an_unknown_key_is_said_by_the_status(department_door: DicomServer) -> None:
    query = keys(PatientID="P-0042")
    query.PatientComments = ""
    [study], statuses = ask(department_door, query)
    assert statuses == [0xFF01, 0]
    assert "PatientComments" not in study


def test_the_series_of_a_study_are_found(department_door: DicomServer) -> None:
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "SERIES", "1.2.3"
    query.SeriesInstanceUID = query.SeriesNumber = query.Modality = query.NumberOfSeriesRelatedInstances = ""
    [series], statuses = ask(department_door, query)
    assert statuses == [0xFF00, 0]
    assert (series.SeriesInstanceUID, series.SeriesNumber, series.Modality) == ("1.2.3.4", 2, "CT")
    assert (series.NumberOfSeriesRelatedInstances, series.StudyInstanceUID) == (2, "1.2.3")
    query.Modality = "US"
    assert ask(department_door, query) == ([], [0])


@pytest.mark.parametrize("level", ["", "SERIES", "FRAME"])
def test_another_level_is_refused(department_door: DicomServer, level: str) -> None:
    assert ask(department_door, keys(QueryRetrieveLevel=level)) == ([], [0xA900])


def test_an_open_question_is_cut_at_the_machines_limit(department: Department, department_door: DicomServer) -> None:
    department.machine("WS1", role="workstation", charset="ISO_IR 192", find_limit=1)
    found, statuses = ask(department_door, keys())
    assert (len(found), statuses) == (1, [0xFF00, 0xA700])
    assert ask(department_door, keys(PatientID="P-0042"))[1] == [0xFF00, 0]


@needs_dcmtk
def test_findscu_reads_our_answers(department_door: DicomServer, tmp_path: Path) -> None:
    program = shutil.which("findscu")
    assert program is not None
    answers = tmp_path / "answers"
    answers.mkdir()
    asked = ["-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=DIALLO*", "-k", "StudyInstanceUID="]
    host, port = department_door.address
    command = [program, "-S", "-aet", "WS1", "-aec", "YELEN", "-X", "-od", str(answers), *asked, host, str(port)]
    subprocess.run(command, check=True, timeout=60)
    [answer] = [dcmread(path) for path in answers.iterdir()]
    assert (answer.PatientName, answer.StudyInstanceUID, answer.RetrieveAETitle) == ("DIALLO^Idrissa", "1.3", "YELEN")
