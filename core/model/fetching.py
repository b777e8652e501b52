"""Studies that we bring in from another archive: a whole period once, or a child's priors when an exam is ordered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core.i18n import _


class FetchState(StrEnum):
    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"

    @property
    def word(self) -> str:
        return {FetchState.QUEUED: _("en file"), FetchState.DONE: _("reçue"), FetchState.FAILED: _("échec")}[self]


class FetchReason(StrEnum):
    MIGRATION = "migration"
    PRIOR = "prior"


@dataclass(frozen=True, slots=True)
class StudyCriteria:
    """Which studies of another archive: of a period (both days included), or of one patient number there."""

    first: date | None = None
    last: date | None = None
    patient_id: str = ""


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as another archive describes it. instances: how many it says it has, None when it does not say."""

    study_instance_uid: str
    patient_id: str = ""
    study_date: str = ""
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The final counts of a C-MOVE. PS3.4 C.4.2.1.6 to C.4.2.1.8."""

    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """One study on its way here. held: images of it in our archive; answer: how the last attempt ended, in French."""

    id: int
    ae_title: str
    study_instance_uid: str
    reason: FetchReason
    patient_id: str
    study_date: str
    expected: int | None
    held: int
    state: FetchState
    attempts: int
    next_at: datetime
    answer: str = ""


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far we are with one archive. images: of the studies done."""

    ae_title: str
    queued: int
    done: int
    failed: int
    images: int
