"""Reports: sections of French text, versions that are frozen when released or signed, and what the signer saw."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.errors import BadInput
from core.i18n import _

SECTIONS = ("indication", "technique", "comparison", "findings", "conclusion")


def section_title(section: str) -> str:
    return {
        "indication": _("Indication"),
        "technique": _("Technique"),
        "comparison": _("Comparaison"),
        "findings": _("Résultat"),
        "conclusion": _("Conclusion"),
    }[section]


@dataclass(frozen=True, slots=True)
class ReportText:
    """The words of a report, by section; paragraphs are separated by line breaks."""

    indication: str = ""
    technique: str = ""
    comparison: str = ""
    findings: str = ""
    conclusion: str = ""

    def sections(self) -> tuple[tuple[str, str], ...]:
        """(section, text) of every section that has words, in the order of the page."""
        return tuple((name, getattr(self, name)) for name in SECTIONS if getattr(self, name).strip())

    def canonical(self) -> bytes:
        """The one byte spelling that is hashed and frozen."""
        return json.dumps({name: getattr(self, name) for name in SECTIONS}, ensure_ascii=False, sort_keys=True).encode()

    def sha256(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()

    def check_conclusion(self) -> None:
        """Raises `BadInput` when the conclusion is empty."""
        if not self.conclusion.strip():
            raise BadInput(_("La conclusion est vide."), "conclusion")

    @staticmethod
    def from_json(text: str) -> ReportText:
        return ReportText(**{k: v for k, v in json.loads(text).items() if k in SECTIONS})


class VersionType(StrEnum):
    INITIAL = "initial"
    PRELIMINARY = "preliminary"
    ADDENDUM = "addendum"
    CORRECTION = "correction"


class VersionState(StrEnum):
    RELEASED = "released"  # a preliminary that the ward may read
    SIGNED = "signed"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


class Discordance(StrEnum):
    """Between the preliminary and the final version."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"


@dataclass(frozen=True, slots=True)
class ReportVersion:
    """A frozen version: these words were released or signed, by whom, when, with which hash."""

    id: int
    step_id: int
    version: int
    type: VersionType
    state: VersionState
    author: str
    signer: str
    text: ReportText
    sha256: str
    at: datetime
    discordance: str = ""

    @property
    def is_preliminary(self) -> bool:
        return self.type is VersionType.PRELIMINARY


@dataclass(frozen=True, slots=True)
class ReportDesk:
    """What a radiologist finds on opening an exam to read: the draft, the lock, earlier versions.

    lock_owner: login of who holds the report, "" when nobody. mine: whether it is the actor.
    """

    step_id: int
    draft: ReportText
    draft_saved_at: datetime | None
    lock_owner: str
    lock_expires_at: datetime | None
    mine: bool
    opened_at: datetime | None
    versions: tuple[ReportVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesViewed:
    """How much of a series the signer has seen. An image of 24 frames is 24 pictures."""

    series_id: int
    label: str
    images: int
    quality: str  # the best: "" never opened, APERÇU, RÉDUIT, COMPLET
    pictures: int = 0
    seen: int = 0

    @property
    def whole(self) -> bool:
        return self.seen >= self.pictures


@dataclass(frozen=True, slots=True)
class SignerView:
    """What must be seen before the PIN (nobody signs blind). `shown_hash` is posted back with the signature.

    blocked: a French sentence when no signature is possible (identity in doubt). reason_needed: images are missing,
    damaged, or there are none at all.
    """

    step_id: int
    announced: int | None
    received: int
    flags: tuple[str, ...]
    late_instances: tuple[str, ...]  # keys of images that came after the report was opened
    series: tuple[SeriesViewed, ...]
    text: ReportText
    blocked: str
    reason_needed: bool
    preliminary_id: int | None
    shown_hash: str
    unseen_late: tuple[str, ...] = field(default=())
