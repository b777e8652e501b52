"""« Pourquoi n'est-il pas sur la machine ? »: what may keep an exam off a machine's worklist, and what relaxes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Finding(StrEnum):
    """What kept an exam off, one for each predicate of the worklist and for what comes before it."""

    NO_CONTACT = "no-contact"
    REJECTED = "rejected"
    NO_WORKLIST = "no-worklist"  # associated without a presentation context for the worklist
    NO_QUERY = "no-query"
    STATE = "state"
    WINDOW = "window"  # no date key: the days around today
    DATE = "date"
    HOURS = "hours"
    STATION = "station"
    ROOM = "room"
    MODALITY = "modality"
    NAME = "name"
    NUMBER = "number"
    ACCESSION = "accession"
    PROCEDURE = "procedure"
    STEP = "step"
    STUDY = "study"
    OTHER = "other"
    LIMIT = "limit"
    GIVEN = "given"  # it was answered: the machine does not show it
    WOULD = "would"  # it would be answered now


class Relax(StrEnum):
    """What one key does about it, for this machine alone."""

    TEST = "test"  # C-ECHO now
    WINDOW = "window"
    ROOM = "room"
    CR_DX = "cr-dx"
    ASCII = "ascii"
    LIMIT = "limit"


RELAXES: dict[Finding, Relax] = {
    Finding.NO_CONTACT: Relax.TEST,
    Finding.NO_QUERY: Relax.TEST,
    Finding.WINDOW: Relax.WINDOW,
    Finding.STATION: Relax.ROOM,
    Finding.ROOM: Relax.ROOM,
    Finding.LIMIT: Relax.LIMIT,
    Finding.GIVEN: Relax.ASCII,
}
"""Where the table has a key; `CR_DX` is offered only between CR and DX."""


class ContactKind(StrEnum):
    ASSOCIATION = "association"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Contact:
    """An association attempt or a worklist query of a machine.

    result: what became of it (`opened`, the reason of a refusal, `answered`, the reason of a failure).
    worklist: `accepted`, `not proposed`, or the proposed syntaxes that were refused; of an association.
    keys: of a query, as received: lines of tag and text, decoded; received: its first bytes, in hexadecimal.
    answers: how many; limited: cut at the limit. steps: ids of the exams that were answered. asked: the query as
    JSON, to be asked again.
    """

    kind: ContactKind
    at: datetime
    calling: str
    called: str
    address: str
    result: str
    worklist: str = ""
    keys: tuple[str, ...] = ()
    received: str = ""
    answers: int = 0
    limited: bool = False
    steps: tuple[int, ...] = field(default=())
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The answer for one machine and one exam: one sentence, what was found, and the keys that relax it."""

    ae_title: str
    step_id: int
    sentence: str
    findings: tuple[Finding, ...]
    relax: tuple[Relax, ...] = ()
