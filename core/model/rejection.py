"""Rejected images (IHE IOCM): a note says which and why; they are hidden everywhere, their files stay.

The note is a Key Object Selection document with one of four titles (PS3.16 CID 7011, scheme DCM). What a machine
sends again after that depends on the title.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from core.i18n import _
from core.model.people import Actor

KEY_OBJECT_SELECTION: Final = "1.2.840.10008.5.1.4.1.1.88.59"


class Title(StrEnum):
    """Why images are rejected: the code of the document title."""

    QUALITY = "113001"
    SAFETY = "113037"
    WRONG_WORKLIST_ENTRY = "113038"
    RETENTION_EXPIRED = "113039"


MEANINGS: Final[dict[Title, str]] = {
    Title.QUALITY: "Rejected for Quality Reasons",
    Title.SAFETY: "Rejected for Patient Safety Reasons",
    Title.WRONG_WORKLIST_ENTRY: "Incorrect Modality Worklist Entry",
    Title.RETENTION_EXPIRED: "Data Retention Policy Expired",
}
REFUSED_AGAIN: Final = frozenset({Title.SAFETY, Title.WRONG_WORKLIST_ENTRY})
"""Sent again, the image is set aside and the machine is told so."""
RESTORED_AGAIN: Final = frozenset({Title.RETENTION_EXPIRED})
"""Sent again, the image is shown again. Of the others the machine is told that we have it, and it stays hidden."""


def sentence_of(title: Title) -> str:
    """Why, for a person."""
    return {
        Title.QUALITY: _("image à refaire (qualité)"),
        Title.SAFETY: _("image dangereuse pour le patient"),
        Title.WRONG_WORKLIST_ENTRY: _("image faite au nom d'un autre patient"),
        Title.RETENTION_EXPIRED: _("durée de conservation dépassée"),
    }[title]


@dataclass(frozen=True, slots=True)
class RejectedImage:
    """One image that a note names."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class RejectionNote:
    """A note. by: the person who wrote it here, None when a machine sent it."""

    sop_instance_uid: str
    title: Title
    images: tuple[RejectedImage, ...]
    by: Actor | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """Everything a note written here says: about one study, as its files say it."""

    sop_instance_uid: str
    series_instance_uid: str
    title: Title
    images: tuple[RejectedImage, ...]
    reason: str
    at: datetime  # wall time of the site
    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    study_instance_uid: str
    study_date: str
    study_time: str
    study_id: str
    accession_number: str
    referring_physician: str


@dataclass(frozen=True, slots=True)
class RejectionLine:
    """A rejection as a person reads it."""

    id: int
    title: Title
    sentence: str
    study_instance_uid: str
    study_id: int | None
    images: int
    by: str
    reason: str
    at: datetime
    undone_at: datetime | None
    undone_by: str


@dataclass(frozen=True, slots=True)
class RepeatRate:
    """Of a modality: images that were kept, images rejected for quality, exams taken again."""

    modality: str
    images: int
    rejected: int
    retakes: int
