"""MPPS on the wire: a machine says that it started, ended or stopped, and the exam moves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityPerformedProcedureStep

from core.dicom.server import DicomServer
from core.errors import Conflict
from core.index.tables import PerformedStep, Task
from core.model.people import Role
from core.model.step import StepStatus
from core.model.worklist import ExamLine
from core.services import mpps
from core.services.mpps import Mpps
from tests.dicom.conftest import MORNING
from tests.dicom.department import RECEPTION, Department

UID = "1.2.826.0.1.3680043.77.1"


@pytest.fixture
def exam(department: Department) -> ExamLine:
    child = department.child("OUÉDRAOGO", "Aïssata", "2019-01-14")
    return department.order(child, "TDMCER", "SCAN", MORNING.replace(hour=9))


@pytest.fixture
def modality(department_door: DicomServer) -> Any:
    entity = AE("CT1")
    entity.add_requested_context(ModalityPerformedProcedureStep)
    association = entity.associate(*department_door.address, ae_title="YELEN")
    assert association.is_established
    yield association
    association.release()


def in_progress(department: Department, exam: ExamLine, **changes: Any) -> Dataset:
    [entry] = [
        entry
        for entry in department.scheduling.worklist(_everything())
        if entry.accession_number == exam.accession_number
    ]
    step = Dataset()
    step.StudyInstanceUID = entry.study_instance_uid
    step.AccessionNumber = entry.accession_number
    step.ScheduledProcedureStepID = entry.scheduled_step_id
    step.RequestedProcedureID = entry.requested_procedure_id
    message = Dataset()
    message.SpecificCharacterSet = "ISO_IR 192"
    message.PatientName, message.PatientID = "OUÉDRAOGO^Aïssata", entry.patient_number
    message.Modality = "CT"
    message.PerformedStationAETitle = "CT1"
    message.PerformedProcedureStepStartDate, message.PerformedProcedureStepStartTime = "20260302", "090500"
    message.PerformedProcedureStepID = "PPS1"
    message.PerformedProcedureStepStatus = "IN PROGRESS"
    message.ScheduledStepAttributesSequence = [step]
    for keyword, value in changes.items():
        setattr(message, keyword, value)
    return message


def _everything() -> Any:
    from core.model.device import Device
    from core.model.query import WorklistQuery

    return WorklistQuery("CT1", Device("CT1", all_rooms=True))


def ended(status: str = "COMPLETED", images: int = 2) -> Dataset:
    message = Dataset()
    message.PerformedProcedureStepStatus = status
    message.PerformedProcedureStepEndDate, message.PerformedProcedureStepEndTime = "20260302", "091500"
    message.ImageAndFluoroscopyAreaDoseProduct = "1.5"
    series = Dataset()
    series.SeriesInstanceUID = "1.2.3.4"
    series.ReferencedImageSequence = []
    for number in range(images):
        reference = Dataset()
        reference.ReferencedSOPInstanceUID = f"1.2.3.4.{number + 1}"
        series.ReferencedImageSequence.append(reference)
    message.PerformedSeriesSequence = [series]
    return message


def create(modality: Any, message: Dataset, uid: str = UID) -> Dataset:
    status, _ = modality.send_n_create(message, ModalityPerformedProcedureStep, uid)
    return status  # type: ignore[no-any-return]


def change(modality: Any, message: Dataset, uid: str = UID) -> Dataset:
    status, _ = modality.send_n_set(message, ModalityPerformedProcedureStep, uid)
    return status  # type: ignore[no-any-return]


def state(department: Department, exam: ExamLine) -> str:
    return str(department.scheduling.line(RECEPTION, exam.step_id).state.step)


def test_the_exam_follows_the_machine(department: Department, modality: Any, exam: ExamLine) -> None:
    assert create(modality, in_progress(department, exam)).Status == 0
    assert state(department, exam) == StepStatus.STARTED
    assert change(modality, ended()).Status == 0
    line = department.scheduling.line(RECEPTION, exam.step_id)
    assert line.state.step is StepStatus.COMPLETED
    assert line.started_at == MORNING.replace(hour=9, minute=5)
    assert line.ended_at == MORNING.replace(hour=9, minute=15)
    assert line.expected_images == 2
    assert line.dose == "PDS 150 mGy.cm²"  # 1.5 dGy.cm2 on the wire


def test_a_discontinued_exam_says_why(department: Department, modality: Any, exam: ExamLine) -> None:
    assert create(modality, in_progress(department, exam)).Status == 0
    message = ended("DISCONTINUED", images=0)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = (
        "110513",
        "DCM",
        "Discontinued for unspecified reason",
    )
    message.PerformedProcedureStepDiscontinuationReasonCodeSequence = [code]
    assert change(modality, message).Status == 0
    assert state(department, exam) == StepStatus.DISCONTINUED
    assert PerformedStep.get().reason == "Discontinued for unspecified reason"


def test_the_same_create_twice_is_a_duplicate(department: Department, modality: Any, exam: ExamLine) -> None:
    message = in_progress(department, exam)
    assert create(modality, message).Status == 0
    assert create(modality, message).Status == 0x0111


def test_a_set_of_an_unknown_step_is_told_so(modality: Any) -> None:
    assert change(modality, ended(), "1.2.3.99").Status == 0x0112


def test_a_final_step_may_no_longer_be_updated(department: Department, modality: Any, exam: ExamLine) -> None:
    create(modality, in_progress(department, exam))
    assert change(modality, ended()).Status == 0
    status = change(modality, ended())
    assert (status.Status, status.ErrorID) == (0x0110, 0xA710)
    assert len(status.ErrorComment) <= 64
    assert state(department, exam) == StepStatus.COMPLETED


@pytest.mark.parametrize(("status", "answer"), [("", 0x0120), ("FINISHED", 0x0106)])
def test_a_status_that_is_none_is_refused(
    department: Department, modality: Any, exam: ExamLine, status: str, answer: int
) -> None:
    assert create(modality, in_progress(department, exam, PerformedProcedureStepStatus=status)).Status == answer
    assert PerformedStep.select().count() == 0


def test_completed_at_once_is_tolerated(department: Department, modality: Any, exam: ExamLine) -> None:
    assert create(modality, in_progress(department, exam, PerformedProcedureStepStatus="COMPLETED")).Status == 0
    assert state(department, exam) == StepStatus.COMPLETED


def test_a_sign_of_life_without_patient_is_accepted(department: Department, modality: Any, exam: ExamLine) -> None:
    create(modality, in_progress(department, exam))
    message = Dataset()
    message.PerformedProcedureStepStatus = "IN PROGRESS"
    assert change(modality, message).Status == 0
    assert state(department, exam) == StepStatus.STARTED


def test_an_impossible_clock_is_no_refusal(department: Department, modality: Any, exam: ExamLine) -> None:
    message = in_progress(department, exam, PerformedProcedureStepStartTime="250000")
    assert create(modality, message).Status == 0


def test_what_the_machine_said_is_kept(department: Department, modality: Any, exam: ExamLine) -> None:
    create(modality, in_progress(department, exam))
    kept = json.loads(PerformedStep.get().dataset)
    assert kept["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "OUÉDRAOGO^Aïssata"}]}
    assert kept["00400270"]["Value"][0]["00080050"]["Value"] == [exam.accession_number]
    assert Dataset.from_json(kept).PerformedProcedureStepStatus == "IN PROGRESS"


@pytest.fixture
def other(department: Department) -> ExamLine:
    child = department.child("ZONGO", "Issa", "2015-03-02", "M")
    return department.order(child, "TDMCER", "SCAN", MORNING.replace(hour=10))


def naming(message: Dataset, exam: ExamLine, department: Department, *keywords: str) -> Dataset:
    """The message, with some of the identifiers of an exam in the place of its own."""
    [theirs] = in_progress(department, exam).ScheduledStepAttributesSequence
    [ours] = message.ScheduledStepAttributesSequence
    for keyword in ("StudyInstanceUID", "AccessionNumber", "ScheduledProcedureStepID"):
        setattr(ours, keyword, getattr(theirs, keyword) if keyword in keywords else "")
    return message


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "AccessionNumber", "ScheduledProcedureStepID"])
def test_the_exam_of_another_child_does_not_move_and_people_are_told(
    department: Department, modality: Any, exam: ExamLine, other: ExamLine, keyword: str
) -> None:
    assert create(modality, naming(in_progress(department, exam), other, department, keyword)).Status == 0
    assert change(modality, ended()).Status == 0
    assert (state(department, exam), state(department, other)) == (StepStatus.SCHEDULED, StepStatus.SCHEDULED)
    [task] = Task.select().where(Task.kind == "mpps_patient")
    assert (task.step_id, task.role) == (other.step_id, Role.TECHNOLOGIST)
    assert "OUÉDRAOGO Aïssata" in task.text


def test_of_two_exams_only_the_one_of_the_named_child_moves(
    department: Department, modality: Any, exam: ExamLine, other: ExamLine
) -> None:
    message = in_progress(department, exam)
    message.ScheduledStepAttributesSequence += in_progress(department, other).ScheduledStepAttributesSequence
    assert create(modality, message).Status == 0
    assert (state(department, exam), state(department, other)) == (StepStatus.STARTED, StepStatus.SCHEDULED)


def test_a_step_id_of_another_hospital_does_not_hide_our_study_uid(
    department: Department, modality: Any, exam: ExamLine, other: ExamLine
) -> None:
    message = in_progress(department, exam)
    [foreign] = in_progress(department, other).ScheduledStepAttributesSequence
    message.ScheduledStepAttributesSequence[0].ScheduledProcedureStepID = foreign.ScheduledProcedureStepID
    assert create(modality, message).Status == 0
    assert (state(department, exam), state(department, other)) == (StepStatus.STARTED, StepStatus.SCHEDULED)


def test_the_same_number_of_another_hospital_moves_nothing(
    department: Department, modality: Any, exam: ExamLine
) -> None:
    assert (
        create(
            modality, in_progress(department, exam, PatientName="OUÉDRAOGO^Adama", IssuerOfPatientID="CHU-YO")
        ).Status
        == 0
    )
    assert state(department, exam) == StepStatus.SCHEDULED
    assert Task.select().where(Task.kind == "mpps_patient").count() == 1


@pytest.mark.parametrize(
    ("name", "birth", "reached"),
    [
        ("OUEDRAOGO^Aissata", "20190114", StepStatus.STARTED),
        ("OUEDRAOGO^Aissata", "20190115", StepStatus.SCHEDULED),
        ("OUEDRAOGO^Adama", "20190114", StepStatus.SCHEDULED),
        ("", "", StepStatus.SCHEDULED),
    ],
)
def test_without_a_patient_number_a_step_id_needs_the_name_and_the_birth(
    department: Department, modality: Any, exam: ExamLine, name: str, birth: str, reached: StepStatus
) -> None:
    message = in_progress(department, exam, PatientID="", PatientName=name, PatientBirthDate=birth)
    assert create(modality, naming(message, exam, department, "ScheduledProcedureStepID")).Status == 0
    assert state(department, exam) == reached


def test_our_study_uid_is_enough_where_the_machine_names_nobody(
    department: Department, modality: Any, exam: ExamLine
) -> None:
    message = in_progress(department, exam, PatientID="", PatientName="")
    assert create(modality, naming(message, exam, department, "StudyInstanceUID")).Status == 0
    assert state(department, exam) == StepStatus.STARTED


def test_an_n_set_keeps_what_the_n_create_said(department: Department, modality: Any, exam: ExamLine) -> None:
    create(modality, in_progress(department, exam))
    message = ended()
    message.PerformedProcedureStepDescription = "Scanner sans injection"
    message.PatientName = ""  # sent empty beside what it changes
    assert change(modality, message).Status == 0
    kept = Dataset.from_json(json.loads(PerformedStep.get().dataset))
    assert kept.ScheduledStepAttributesSequence[0].AccessionNumber == exam.accession_number
    assert kept.PatientName == "OUÉDRAOGO^Aïssata"
    assert kept.PerformedProcedureStepID == "PPS1"
    assert kept.PerformedProcedureStepStatus == "COMPLETED"
    assert kept.PerformedProcedureStepDescription == "Scanner sans injection"
    assert len(kept.PerformedSeriesSequence[0].ReferencedImageSequence) == 2


def test_a_conflict_of_the_house_is_no_duplicate_and_no_final_step(
    department: Department, modality: Any, exam: ExamLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise Conflict("un autre poste")

    monkeypatch.setattr(Mpps, "_steps", refuse)
    assert create(modality, in_progress(department, exam)).Status == 0x0110
    monkeypatch.undo()
    assert create(modality, in_progress(department, exam)).Status == 0  # the machine may try again
    monkeypatch.setattr(mpps, "_move", refuse)
    status = change(modality, ended())
    assert (status.Status, "ErrorID" in status) == (0x0110, False)
