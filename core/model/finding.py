"""What may be asked of the archive: attributes by level, how each matches, and a search as a value.

Names are DICOM keywords in snake case. Source: PS3.4 C.6.1.1 and C.6.2.1 (keys of the patient and study root models).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from core.model.matching import Days, Key, Name, OneOf


class Level(IntEnum):
    """(0008,0052), from the widest to the narrowest."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3


class Kind(StrEnum):
    """How the values of an attribute match."""

    TEXT = "text"  # AE, CS, LO, SH: single value or wildcard
    CODES = "codes"  # CS with several values; a key may list several too
    NAME = "name"
    DATE = "date"
    TIME = "time"
    UID = "uid"
    NUMBER = "number"


_ATTRIBUTES: dict[Level, dict[str, Kind]] = {
    Level.PATIENT: {
        "patient_name": Kind.NAME,
        "patient_id": Kind.TEXT,
        "issuer_of_patient_id": Kind.TEXT,
        "patient_birth_date": Kind.DATE,
        "patient_sex": Kind.TEXT,
        "number_of_patient_related_studies": Kind.NUMBER,
        "number_of_patient_related_series": Kind.NUMBER,
        "number_of_patient_related_instances": Kind.NUMBER,
    },
    Level.STUDY: {
        "study_date": Kind.DATE,
        "study_time": Kind.TIME,
        "accession_number": Kind.TEXT,
        "modalities_in_study": Kind.CODES,
        "sop_classes_in_study": Kind.UID,
        "institution_name": Kind.TEXT,
        "referring_physician_name": Kind.NAME,
        "study_description": Kind.TEXT,
        "patient_age": Kind.TEXT,
        "patient_weight": Kind.TEXT,
        "study_instance_uid": Kind.UID,
        "study_id": Kind.TEXT,
        "number_of_study_related_series": Kind.NUMBER,
        "number_of_study_related_instances": Kind.NUMBER,
        "procedure_code": Kind.TEXT,
        "procedure_meaning": Kind.TEXT,
    },
    Level.SERIES: {
        "series_date": Kind.DATE,
        "series_time": Kind.TIME,
        "modality": Kind.TEXT,
        "station_name": Kind.TEXT,
        "series_description": Kind.TEXT,
        "body_part_examined": Kind.TEXT,
        "protocol_name": Kind.TEXT,
        "series_instance_uid": Kind.UID,
        "series_number": Kind.NUMBER,
        "laterality": Kind.TEXT,
        "number_of_series_related_instances": Kind.NUMBER,
        "requested_procedure_id": Kind.TEXT,
        "scheduled_procedure_step_id": Kind.TEXT,
    },
    Level.IMAGE: {
        "image_type": Kind.CODES,
        "instance_creation_date": Kind.DATE,
        "instance_creation_time": Kind.TIME,
        "sop_class_uid": Kind.UID,
        "sop_instance_uid": Kind.UID,
        "content_date": Kind.DATE,
        "content_time": Kind.TIME,
        "instance_number": Kind.NUMBER,
        "number_of_frames": Kind.NUMBER,
        "rows": Kind.NUMBER,
        "columns": Kind.NUMBER,
        "available_transfer_syntax_uid": Kind.UID,
        "instance_availability": Kind.TEXT,
    },
}
KINDS: dict[str, Kind] = {name: kind for names in _ATTRIBUTES.values() for name, kind in names.items()}
LEVELS: dict[str, Level] = {name: level for level, names in _ATTRIBUTES.items() for name in names}
UNIQUE_KEYS = {
    Level.PATIENT: "patient_id",
    Level.STUDY: "study_instance_uid",
    Level.SERIES: "series_instance_uid",
    Level.IMAGE: "sop_instance_uid",
}

Found = Mapping[str, str]
"""An answer: attribute name to text, "" when unknown, several values separated by a backslash."""

SELECTIVE_DAYS = 31
SELECTIVE_LETTERS = 3
_EXACT = (
    *UNIQUE_KEYS.values(),
    "accession_number",
    "study_id",
    "scheduled_procedure_step_id",
    "requested_procedure_id",
)


@dataclass(frozen=True, slots=True)
class Search:
    """A query at one level. keys: what restricts; asked: what an answer holds.

    moments: study date and time as one key (combined date-time matching). overlay: also studies whose identity is in
    doubt. limit: how many answers at most.
    """

    level: Level
    keys: Mapping[str, Key] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    moments: Key | None = None
    overlay: bool = False
    limit: int = 500

    @property
    def is_selective(self) -> bool:
        """A single value, a name of three letters or a month of dates: the answer may be long, it was asked for."""
        if any(isinstance(self.keys.get(name), OneOf) for name in _EXACT):
            return True
        name, days = self.keys.get("patient_name"), self.keys.get("study_date")
        return (isinstance(name, Name) and name_is_selective(name)) or (isinstance(days, Days) and few_days(days))


def name_is_selective(name: Name) -> bool:
    return all(len(beginning(pattern)) >= SELECTIVE_LETTERS for pattern in name.patterns)


def beginning(pattern: str) -> str:
    return pattern.split("*")[0].split("?")[0]


def few_days(days: Days, most: int = SELECTIVE_DAYS) -> bool:
    """Both ends given and no more than `most` days between them; a month's 31st may not exist."""
    if not (days.low and days.high):
        return False
    return _ordinal(days.high) - _ordinal(days.low) <= most


def _ordinal(day: str) -> int:
    return int(day[:4]) * 372 + int(day[4:6]) * 31 + int(day[6:8])
