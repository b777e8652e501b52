"""What leaves for another machine: which objects were asked for, and the identity with which they leave."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from core.model.identifiers import Identifier


class Level(StrEnum):
    """Query/Retrieve levels (PS3.4 C.6)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The unique keys of a retrieve (PS3.4 C.4.2.2.1); a key left empty does not restrict.

    doubtful: studies under the overlay may go too, because a person of the department looks at them there.
    """

    level: Level
    patient_id: str = ""
    issuer: str = ""
    study_uids: tuple[str, ...] = ()
    series_uids: tuple[str, ...] = ()
    sop_uids: tuple[str, ...] = ()
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class CurrentIdentity:
    """Who the child of a study is now, as its headers must say.

    name: PN. birth_date: DA, "" when not known to the day, None when nothing is known. sex: "" when not known.
    others: the other numbers of this patient. accession_number: of the order, None when no order was matched.
    foreign_accession: the other system's number of the same order, as good as ours. step_id, procedure_id: its others.
    provisional: the name was read from the images themselves. as_sent: it is what the study's first image said, so
    that even a header that cannot be followed may leave as it is.
    """

    number: str
    issuer: str
    name: str
    birth_date: str | None
    sex: str
    others: tuple[Identifier, ...] = ()
    accession_number: str | None = None
    foreign_accession: str = ""
    step_id: str = ""
    procedure_id: str = ""
    provisional: bool = False
    as_sent: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A stored object on its way out. path: absolute. identity: None when nobody knows better than the file.

    doubtful: its study is under the overlay.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    path: str
    study_id: int = 0
    patient_id: int | None = None
    identity: CurrentIdentity | None = None
    doubtful: bool = False


@dataclass(slots=True)
class Tally:
    """Sub-operations of one retrieve (PS3.7 table 9.1-3); `failed` by SOP Instance UID."""

    remaining: int
    completed: int = 0
    warnings: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def counters(self) -> tuple[int, int, int, int]:
        """Remaining, completed, failed, warning."""
        return self.remaining, self.completed, len(self.failed), self.warnings
