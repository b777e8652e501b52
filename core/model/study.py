"""Studies, series and instances as the index knows them, and whether a person must look at their identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Match(StrEnum):
    """How a study hangs on an exam."""

    MATCHED = "matched"  # to an order, by Study UID, accession or patient + step + day
    UNSCHEDULED = "unscheduled"  # an exam « hors demande » of its own
    PRIOR = "prior"  # of a patient alone: brought in from another archive, nobody here has to read it
    UNRECONCILED = "unreconciled"  # archived under the overlay until a person decides


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A study. `as_sent_*` is the patient of the files, never overwritten; the current patient is a link."""

    id: int
    study_instance_uid: str
    match: Match
    why: str  # French, when unreconciled, or what a person may attach it to
    patient_id: int | None
    step_id: int | None
    patient_number: str  # current identity, else as sent
    patient_name: str  # PN, current, else as sent
    patient_birth_date: str
    patient_sex: str
    as_sent_number: str
    as_sent_name: str
    as_sent_birth_date: str
    as_sent_sex: str
    accession_number: str
    study_date: str
    study_time: str
    study_description: str
    referring_physician: str
    modalities: tuple[str, ...]
    series: int
    instances: int
    received_at: datetime
    last_image_at: datetime
    device: str
    incomplete: bool = False
    study_id: str = ""  # (0020,0010)
    committed: int = 0  # images that a machine was told are safe here

    @property
    def is_committed(self) -> bool:
        """« engagement reçu »: the machine was told of every image, and may delete its copy."""
        return 0 < self.instances <= self.committed


@dataclass(frozen=True, slots=True)
class SeriesLine:
    id: int
    series_instance_uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    instances: int


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """One image. `key` names it in URLs and is never a UID; `path` is where its file lies (absolute).

    frames: 1 for a single image.
    """

    id: int
    key: str
    series_id: int
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    size: int
    sha256: str
    path: str
    incomplete: bool
    damaged: bool = False  # its file is known to be altered or lost; the same object sent again heals it
