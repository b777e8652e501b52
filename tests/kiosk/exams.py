"""Exams brought to a moment of their day, with images that a machine would send."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from core.dicom.header import walk
from core.model.birth import parse
from core.model.order import OrderDraft, Urgency
from core.model.patient import Demographics
from core.model.received import Arrival, Sender
from core.model.report import ReportText
from core.services import Services
from core.services.acquisition import DoseEntry
from tests.people.hospital import MORNING, PIN, RADIOLOGIST, RECEPTION, TECHNOLOGIST

CLASS_OF = {"CT": "1.2.840.10008.5.1.4.1.1.2", "DX": "1.2.840.10008.5.1.4.1.1.1.1"}
TEXT = ReportText(
    indication="Chute de 3 m.",
    technique="Scanner sans injection.",
    findings="Pas d'hémorragie.\nPas de fracture.",
    conclusion="Scanner cérébral normal.",
)


@dataclass
class Exams:
    """The day of one hospital, told in acts."""

    services: Services
    slots: int = 0

    def ordered(
        self,
        family: str = "Ouédraogo",
        given: str = "Aïcha",
        *,
        ward: str = "URG",
        urgency: str = "N",
        code: str = "TDM-CRANE",
    ) -> int:
        who = Demographics(family, given, parse("12/05/2022", self.services.today()), "F")
        patient = self.services.patients.register(RECEPTION, who, reason="autre enfant")
        self.slots += 1
        at = MORNING + timedelta(minutes=30 * self.slots)
        draft = OrderDraft(patient.id, code, "Dr TRAORE", "trauma crânien", Urgency(urgency), ward, "SC1", at)
        return self.services.orders.place(RECEPTION, draft).step_id

    def imaged(
        self, step: int, images: int = 3, *, modality: str = "CT", study: str = "", number: str = "", series: int = 1
    ) -> str:
        """A machine sends a series; the Study UID. `number`: a patient number that is not this patient's."""
        line = self.services.scheduling.line(RECEPTION, step)
        study, series_uid = study or generate_uid(), generate_uid()
        for n in range(1, images + 1):
            data = dataset(modality, study, series_uid, n)
            data.PatientID, data.PatientName = number or line.patient_number, f"{line.family_name}^{line.given_names}"
            data.PatientBirthDate, data.PatientSex = line.birth.dicom(), line.sex
            data.AccessionNumber, data.SeriesNumber = line.accession_number, series
            self.send(data)
        return study

    def send(self, data: Dataset) -> None:
        raw = encoded(data)
        arrival = Arrival(
            Sender("SCANNER1", "127.0.0.1", True), data.SOPClassUID, data.SOPInstanceUID, ExplicitVRLittleEndian, raw,
            walk(raw, ExplicitVRLittleEndian),
        )  # fmt: skip
        self.services.ingest.store(arrival)

    def to_read(self, *, images: int = 3, **ordered: str) -> int:
        """Arrived, scanned, verified: waiting for a radiologist."""
        step = self.ordered(**ordered)
        self.services.scheduling.arrive(RECEPTION, step)
        self.services.acquisition.start(TECHNOLOGIST, step)
        self.imaged(step, images)
        self.services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 301 mGy.cm"))
        self.services.acquisition.verify(TECHNOLOGIST, step)
        return step

    def released(self, **ordered: str) -> int:
        """A preliminary is with the ward."""
        step = self.to_read(**ordered)
        self.services.reports.open(RADIOLOGIST, step)
        self.services.reports.release_preliminary(RADIOLOGIST, step, TEXT, PIN)
        return step

    def signed(self, text: ReportText = TEXT, **ordered: str) -> int:
        step = self.to_read(**ordered)
        self.services.reports.open(RADIOLOGIST, step)
        view = self.services.reports.signer_view(RADIOLOGIST, step, text)
        self.services.reports.sign(RADIOLOGIST, step, text, PIN, view.shown_hash)
        return step

    def study(self, step: int) -> int:
        return self.services.scheduling.line(RECEPTION, step).study_ids[0]

    def key(self, step: int, n: int = 0) -> str:
        """The key of an image, as URLs name it."""
        series = self.services.studies.series(RADIOLOGIST, self.study(step))[0]
        return self.services.studies.instances(RADIOLOGIST, series.id)[n].key


def dataset(modality: str, study: str, series: str, number: int) -> Dataset:
    """A disc of water in air, of 64x64 pixels; its radius grows with the number."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = CLASS_OF[modality], generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = study, series
    data.SpecificCharacterSet = "ISO_IR 192"
    data.StudyDate, data.StudyTime, data.Modality = "20261124", "093000", modality
    data.StudyDescription, data.SeriesDescription, data.BodyPartExamined = "CRANE", f"{modality} 5 mm", "HEAD"
    data.InstanceNumber = number
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    values = np.where(x * x + y * y < 0.2 + 0.05 * number, 40, -1000).astype("<i2")
    data.Rows = data.Columns = 64
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleIntercept, data.RescaleSlope = "0", "1"
    data.WindowCenter, data.WindowWidth = "40", "80"
    data.PixelData = values.tobytes()
    return data


def encoded(data: Dataset) -> bytes:
    """The data set alone, explicit little endian, as it leaves a machine."""
    out = io.BytesIO()
    data.file_meta = FileMetaDataset()
    data.save_as(out, implicit_vr=False, little_endian=True, enforce_file_format=False)
    return out.getvalue()
