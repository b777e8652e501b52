"""Questions that doors ask: day lists, Modality Worklist queries, study queries. Empty means: do not restrict."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime

from core.model.device import Device
from core.model.names import fold
from core.model.worklist import ExamLine


@dataclass(frozen=True, slots=True)
class DayFilter:
    """The day list: one day of the site, perhaps one room, one status code, one ward, words typed as a filter."""

    day: date
    room: str = ""
    status: str = ""
    text: str = ""
    ward: str = ""


@dataclass(frozen=True, slots=True)
class DayPage:
    """Rows `top` to `top + len(lines)` of `total`. last_event: id of the newest event the page knows."""

    total: int
    top: int
    lines: tuple[ExamLine, ...]
    as_of: datetime
    last_event: int


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """A Modality Worklist C-FIND (PS3.4 K.6.1) as decoded by the door. Times are UTC.

    scheduled_from / scheduled_to: the combined date and time range, None = open. A time range without a date comes
    in `daily_from` / `daily_to` (HHMM[SS], site time). patient_name and identifiers may hold `*` and `?`.
    """

    calling_ae: str
    device: Device | None = None
    station_ae: str = ""
    modality: str = ""
    scheduled_from: datetime | None = None
    scheduled_to: datetime | None = None
    daily_from: str = ""
    daily_to: str = ""
    patient_name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    requested_procedure_id: str = ""
    scheduled_step_id: str = ""
    study_instance_uid: str = ""
    limit: int = 5000


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """A study-level C-FIND (PS3.4 C.4.1). Dates are DA spellings, included; wildcards as in PS3.4 C.2.2.2.4."""

    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_uids: tuple[str, ...] = ()
    date_from: str = ""
    date_to: str = ""
    time_from: str = ""
    time_to: str = ""
    modalities: tuple[str, ...] = ()
    study_id: str = ""
    description: str = ""
    referring_physician: str = ""
    include_unreconciled: bool = False
    limit: int = 500
    words: tuple[str, ...] = field(default=())


def wildcard(pattern: str, value: str) -> bool:
    """`*` any run, `?` one character, everything else literal (PS3.4 C.2.2.2.4). Linear: two pointers, no regex."""
    pattern = re.sub(r"\*+", "*", pattern)
    p = v = 0
    star, mark = -1, 0
    while v < len(value):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, v
            p += 1
        elif p < len(pattern) and (pattern[p] == "?" or pattern[p] == value[v]):
            p += 1
            v += 1
        elif star >= 0:
            p, mark = star + 1, mark + 1
            v = mark
        else:
            return False
    return all(c == "*" for c in pattern[p:])


def name_matches(pattern: str, name: str) -> bool:
    """PN matching without case or accents, on any component group; trailing `^` ignored (PS3.4 C.2.2.2.1)."""
    wanted = _name_pattern(pattern)
    return any(wildcard(wanted, _name_pattern(group)) for group in name.split("=") if group) or wanted in ("", "*")


def _name_pattern(text: str) -> str:
    folded = "^".join("".join(c if c in "*?" else fold(c) or " " for c in part) for part in text.split("^"))
    return re.sub(r" +", " ", folded).strip(" ").rstrip("^")


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text
