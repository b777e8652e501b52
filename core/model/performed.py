"""The Modality Performed Procedure Step as a machine reports it (PS3.4 F.7), free of DICOM spelling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.errors import Conflict

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"


class AlreadyKnown(Conflict):
    """An N-CREATE of a SOP Instance UID that is there."""


class AlreadyFinal(Conflict):
    """An N-SET of a step that was completed or discontinued."""


@dataclass(frozen=True, slots=True)
class MppsFacts:
    """One N-CREATE or N-SET. Empty or None: not said.

    scheduled: (Study Instance UID, accession, step id, procedure id) of each item of (0040,0270).
    announced: SOP Instance UIDs of (0040,0340). dose_area_product: mGy.cm2 (DICOM sends dGy.cm2: times 100).
    dataset: the data set as DICOM JSON, kept as it came.
    """

    sop_instance_uid: str
    calling_ae: str
    address: str
    status: str
    scheduled: tuple[tuple[str, str, str, str], ...] = ()
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    modality: str = ""
    station_ae: str = ""
    performed_step_id: str = ""
    description: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    announced: tuple[str, ...] = ()
    dose_area_product: float | None = None
    dose_text: str = ""
    dataset: str = "{}"
    known_device: bool = True
