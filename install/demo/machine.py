"""A demo modality, a process of its own: it asks the worklist, reports MPPS, sends phantoms, like the real one.

A machine performs each arrived exam of its worklist once. `--surprise`: it also sends one exam nobody asked for.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    MRImageStorage,
    UltrasoundImageStorage,
)

from core.i18n import _
from install.demo.phantoms import Exam, ct_head, dx_chest, mr_brain, us_abdomen

Phantom = Callable[[Exam], list[Dataset]]
KEYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "ReferringPhysicianName",
    "SpecificCharacterSet",
)
PHANTOMS: dict[str, tuple[str, Phantom]] = {
    "CT": (CTImageStorage, lambda exam: ct_head(exam, slices=24)),
    "DX": (DigitalXRayImageStorageForPresentation, dx_chest),
    "US": (UltrasoundImageStorage, us_abdomen),
    "MR": (MRImageStorage, mr_brain),
}


class Machine:
    """One modality: its AE title and what it makes."""

    def __init__(self, ae_title: str, modality: str, port: int) -> None:
        self.ae_title, self.modality, self.port = ae_title, modality, port
        self.storage_class, self.phantom = PHANTOMS[modality]
        self.done: set[str] = set()

    def work(self, pause: float, surprise: bool) -> None:
        while True:
            for item in self._arrived():
                self._perform(item, pause)
                if surprise:
                    surprise = False
                    self._unasked()
            time.sleep(max(pause, 1.0))

    def _associate(self, *classes: str) -> Any:
        """An association for these classes, or None while the box is away."""
        ae = AE(ae_title=self.ae_title)
        for sop_class in classes:
            ae.add_requested_context(sop_class)
        association = ae.associate(
            "127.0.0.1", self.port, ae_title="YELEN", evt_handlers=[(evt.EVT_CONN_OPEN, _nodelay)]
        )
        return association if association.is_established else None

    def _arrived(self) -> list[Dataset]:
        """Worklist items of this machine whose patient is there and that it has not done."""
        association = self._associate(ModalityWorklistInformationFind)
        if association is None:
            return []
        try:
            answers = association.send_c_find(_query(self.modality), ModalityWorklistInformationFind)
            items = [item for status, item in answers if status and status.Status in (0xFF00, 0xFF01) and item]
        finally:
            association.release()
        return [
            i
            for i in items
            if _step(i).get("ScheduledProcedureStepStatus", "") in ("ARRIVED", "READY") and self._new(i)
        ]

    def _new(self, item: Dataset) -> bool:
        return item.AccessionNumber not in self.done

    def _perform(self, item: Dataset, pause: float) -> None:
        self.done.add(item.AccessionNumber)
        association = self._associate(ModalityPerformedProcedureStep, self.storage_class)
        if association is None:
            return
        mpps = generate_uid(prefix=None)
        try:
            association.send_n_create(
                _in_progress(item, self.ae_title, self.modality), ModalityPerformedProcedureStep, mpps
            )
            time.sleep(pause)
            images = self.phantom(_exam(item, self.ae_title, mpps))
            for image in images:
                association.send_c_store(image)
            association.send_n_set(_completed(images), ModalityPerformedProcedureStep, mpps)
        finally:
            association.release()
        print(
            _("%s : %s, images envoyées : %d") % (self.ae_title, str(item.PatientName).replace("^", " "), len(images)),
            flush=True,
        )

    def _unasked(self) -> None:
        """An emergency that nobody had time to order."""
        exam = Exam(
            "BARRY^Salif",
            "CDG0012499",
            date(2020, 4, 3),
            "M",
            "",
            generate_uid(prefix=None),
            datetime.now(),
            _("Urgence de nuit"),
            station_name=self.ae_title,
        )
        association = self._associate(self.storage_class)
        if association is None:
            return
        images = self.phantom(exam)
        for image in images:
            association.send_c_store(image)
        association.release()
        print(_("%s : %d images hors demande envoyées") % (self.ae_title, len(images)), flush=True)


def _nodelay(event: Any) -> None:
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _step(item: Dataset) -> Dataset:
    step: Dataset = item.ScheduledProcedureStepSequence[0]
    return step


def _query(modality: str) -> Dataset:
    """The keys a simple console asks for (PS3.4 K.6.1)."""
    query = Dataset()
    for keyword in KEYS:
        setattr(query, keyword, "")
    step = Dataset()
    step.Modality, step.ScheduledProcedureStepStartDate = modality, f"{date.today():%Y%m%d}"
    step.ScheduledProcedureStepStartTime = step.ScheduledProcedureStepID = step.ScheduledStationAETitle = ""
    step.ScheduledProcedureStepDescription = step.ScheduledProcedureStepStatus = ""
    query.ScheduledProcedureStepSequence = [step]
    return query


def _exam(item: Dataset, ae_title: str, mpps: str) -> Exam:
    born = item.get("PatientBirthDate", "")
    return Exam(
        str(item.PatientName),
        item.PatientID,
        datetime.strptime(born, "%Y%m%d").date() if born else None,
        item.get("PatientSex", ""),
        item.AccessionNumber,
        item.StudyInstanceUID,
        datetime.now(),
        item.get("RequestedProcedureDescription", ""),
        item.get("RequestedProcedureID", ""),
        _step(item).get("ScheduledProcedureStepID", ""),
        mpps,
        str(item.get("ReferringPhysicianName", "")),
        station_name=ae_title,
    )


def _in_progress(item: Dataset, ae_title: str, modality: str) -> Dataset:
    """N-CREATE of an MPPS (PS3.4 F.7.2.1): only what a small console fills in."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    scheduled = Dataset()
    scheduled.StudyInstanceUID = item.StudyInstanceUID
    scheduled.AccessionNumber = item.AccessionNumber
    scheduled.RequestedProcedureID = item.get("RequestedProcedureID", "")
    scheduled.ScheduledProcedureStepID = _step(item).get("ScheduledProcedureStepID", "")
    scheduled.ReferencedStudySequence = []
    ds.ScheduledStepAttributesSequence = [scheduled]
    ds.PatientName, ds.PatientID = item.PatientName, item.PatientID
    ds.PatientBirthDate, ds.PatientSex = item.get("PatientBirthDate", ""), item.get("PatientSex", "")
    ds.PerformedProcedureStepID = scheduled.ScheduledProcedureStepID
    ds.PerformedStationAETitle, ds.Modality = ae_title, modality
    ds.PerformedProcedureStepStartDate = f"{datetime.now():%Y%m%d}"
    ds.PerformedProcedureStepStartTime = f"{datetime.now():%H%M%S}"
    ds.PerformedProcedureStepStatus = "IN PROGRESS"
    ds.PerformedProcedureStepEndDate = ds.PerformedProcedureStepEndTime = ""
    ds.PerformedSeriesSequence = []
    return ds


def _completed(images: list[Dataset]) -> Dataset:
    """N-SET to COMPLETED with the images that were made (PS3.4 F.7.2.2)."""
    ds = Dataset()
    ds.PerformedProcedureStepStatus = "COMPLETED"
    ds.PerformedProcedureStepEndDate = f"{datetime.now():%Y%m%d}"
    ds.PerformedProcedureStepEndTime = f"{datetime.now():%H%M%S}"
    series: dict[str, Dataset] = {}
    for image in images:
        made = series.setdefault(image.SeriesInstanceUID, Dataset())
        made.SeriesInstanceUID = image.SeriesInstanceUID
        made.ProtocolName = image.get("ProtocolName", "") or "DEMO"
        reference = Dataset()
        reference.ReferencedSOPClassUID = image.SOPClassUID
        reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
        made.ReferencedImageSequence = [*made.get("ReferencedImageSequence", []), reference]
    ds.PerformedSeriesSequence = list(series.values())
    return ds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("ae_title")
    parser.add_argument("modality", choices=sorted(PHANTOMS))
    parser.add_argument("port", type=int)
    parser.add_argument("--pause", type=float, default=2.0)
    parser.add_argument("--surprise", action="store_true")
    asked = parser.parse_args()
    Machine(asked.ae_title, asked.modality, asked.port).work(asked.pause, asked.surprise)


if __name__ == "__main__":
    main()
