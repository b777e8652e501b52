"""The machines in the rooms: dcmtk asks the worklist and sends images, pynetdicom says what was performed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import ModalityPerformedProcedureStep  # type: ignore[attr-defined]

from install.demo.phantoms import Exam

HANGING_S = 60
ASKED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "SpecificCharacterSet",
)
ASKED_OF_STEP = ("ScheduledProcedureStepID", "ScheduledProcedureStepStatus", "ScheduledStationAETitle")
STEP = "ScheduledProcedureStepSequence[0]."


class Machine:
    """A modality of one room, by its AE title."""

    def __init__(self, ae_title: str, modality: str, folder: Path) -> None:
        self.ae_title, self.modality = ae_title, modality
        self._folder = folder / ae_title
        self._folder.mkdir()
        self._questions = 0

    def worklist(self, port: int) -> list[Dataset]:
        """What `findscu` is answered now for this modality."""
        self._questions += 1
        answers = self._folder / f"worklist-{self._questions}"
        answers.mkdir()
        keys = [*ASKED, *(STEP + key for key in ASKED_OF_STEP), f"{STEP}Modality={self.modality}"]
        self._run("findscu", port, "-W", "-X", "-od", str(answers), *(w for key in keys for w in ("-k", key)))
        return [dcmread(path, force=True) for path in sorted(answers.iterdir())]

    def store(self, port: int, images: Iterable[Dataset]) -> None:
        """Sends with `storescu`; returns once the last response said success."""
        self.try_to_store(port, self.burned(images)).check_returncode()

    def burned(self, images: Iterable[Dataset]) -> list[Path]:
        """The images as files, as the machine's own disk holds them."""
        paths = []
        for image in images:
            paths.append(self._folder / f"{image.SOPInstanceUID}.dcm")
            image.save_as(paths[-1], enforce_file_format=True)
        return paths

    def try_to_store(self, port: int, paths: Iterable[Path]) -> subprocess.CompletedProcess[str]:
        return self._try("storescu", port, "-R", files=[str(path) for path in paths])

    def echoes(self, port: int) -> bool:
        return self._try("echoscu", port).returncode == 0

    def begins(self, port: int, item: Dataset) -> str:
        """MPPS N-CREATE, IN PROGRESS, for an item of the worklist; its SOP Instance UID."""
        uid = str(generate_uid(prefix=None))
        with self._mpps(port) as association:
            said = _in_progress(item, self.ae_title, self.modality)
            status, _attributes = association.send_n_create(said, ModalityPerformedProcedureStep, uid)
        assert status.Status == 0x0000, status
        return uid

    def ends(self, port: int, uid: str, images: list[Dataset], dose: str = "") -> None:
        """MPPS N-SET, COMPLETED, naming every image. dose: (0040,0310), as the console writes it."""
        with self._mpps(port) as association:
            said = _completed(images, dose)
            status, _attributes = association.send_n_set(said, ModalityPerformedProcedureStep, uid)
        assert status.Status == 0x0000, status

    @contextmanager
    def _mpps(self, port: int) -> Iterator[Any]:
        ae = AE(self.ae_title)
        ae.add_requested_context(ModalityPerformedProcedureStep)
        association = ae.associate("127.0.0.1", port, ae_title="YELEN")
        assert association.is_established
        yield association
        association.release()

    def _run(self, program: str, port: int, *options: str) -> None:
        self._try(program, port, *options).check_returncode()

    def _try(
        self, program: str, port: int, *options: str, files: Iterable[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        call = [program, "-aet", self.ae_title, "-aec", "YELEN", *options, "127.0.0.1", str(port), *files]
        return subprocess.run(call, capture_output=True, text=True, errors="replace", timeout=HANGING_S, check=False)


def step_of(item: Dataset) -> Dataset:
    """The one scheduled step of a worklist item."""
    (step,) = item.ScheduledProcedureStepSequence
    return step  # type: ignore[no-any-return]


def exam_of(item: Dataset, mpps: str = "", **changes: str) -> Exam:
    """What the console takes over from the worklist; changes: what somebody typed instead."""
    facts = {
        "patient_name": str(item.PatientName),
        "patient_id": item.PatientID,
        "sex": item.PatientSex,
        "accession_number": item.AccessionNumber,
        "study_uid": item.StudyInstanceUID,
        "description": item.RequestedProcedureDescription,
        "requested_procedure_id": item.RequestedProcedureID,
        "step_id": step_of(item).ScheduledProcedureStepID,
        "performed_step_uid": mpps,
        "station_name": step_of(item).ScheduledStationAETitle,
    }
    born = datetime.strptime(item.PatientBirthDate, "%Y%m%d").date() if item.PatientBirthDate else None
    return Exam(**(facts | changes), birth_date=born, performed_at=datetime.now())


def _in_progress(item: Dataset, ae_title: str, modality: str) -> Dataset:
    """PS3.4 F.7.2.1."""
    scheduled = Dataset()
    scheduled.StudyInstanceUID = item.StudyInstanceUID
    scheduled.AccessionNumber = item.AccessionNumber
    scheduled.RequestedProcedureID = item.RequestedProcedureID
    scheduled.ScheduledProcedureStepID = step_of(item).ScheduledProcedureStepID
    scheduled.ReferencedStudySequence = []
    said = Dataset()
    said.SpecificCharacterSet = item.SpecificCharacterSet
    said.ScheduledStepAttributesSequence = [scheduled]
    said.PatientName, said.PatientID = item.PatientName, item.PatientID
    said.PatientBirthDate, said.PatientSex = item.PatientBirthDate, item.PatientSex
    said.PerformedProcedureStepID = scheduled.ScheduledProcedureStepID
    said.PerformedStationAETitle, said.Modality = ae_title, modality
    now = datetime.now()
    said.PerformedProcedureStepStartDate, said.PerformedProcedureStepStartTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    said.PerformedProcedureStepStatus = "IN PROGRESS"
    said.PerformedProcedureStepEndDate = said.PerformedProcedureStepEndTime = ""
    said.PerformedSeriesSequence = []
    return said


def _completed(images: list[Dataset], dose: str) -> Dataset:
    """PS3.4 F.7.2.2."""
    series: dict[str, Dataset] = {}
    for image in images:
        made = series.setdefault(image.SeriesInstanceUID, Dataset())
        made.SeriesInstanceUID, made.ProtocolName = image.SeriesInstanceUID, image.ProtocolName
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        made.ReferencedImageSequence = [*made.get("ReferencedImageSequence", []), reference]
    said = Dataset()
    said.PerformedProcedureStepStatus = "COMPLETED"
    now = datetime.now()
    said.PerformedProcedureStepEndDate, said.PerformedProcedureStepEndTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    said.CommentsOnRadiationDose = dose
    said.PerformedSeriesSequence = list(series.values())
    return said
