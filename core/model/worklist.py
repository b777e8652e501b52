"""What a list shows of an exam: one French status computed from the three machines, and the flags beside it.

Nothing here is stored. Source of the table: DESIGN of the worklist status, first row that fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from core.i18n import _
from core.model.birth import Birth, age_at
from core.model.names import display_name
from core.model.step import DeliveryStatus, ExamState, Flag, ReportStatus, StepStatus


class WorklistStatus(StrEnum):
    """The single word a person reads; the value is the stable code used in filters and URLs."""

    REQUESTED = "demande"
    SCHEDULED = "planifie"
    ARRIVED = "accueil"
    IN_ROOM = "en_salle"
    DONE = "fait"
    TO_READ = "a_interpreter"
    DICTATED = "dicte"
    TO_SIGN = "a_signer"
    VALIDATED = "valide"
    SENT = "envoye"
    CLOSED = "clos_sans_cr"
    INTERRUPTED = "interrompu"
    CANCELED = "annule"
    ABSENT = "absent"

    @property
    def word(self) -> str:
        """« à interpréter », as pages write it."""
        return _WORDS()[self]

    @property
    def terminal(self) -> str:
        """At most 9 columns, upper case, no accent: the « Etat » column at 80 columns."""
        return _TERMINAL[self]


_TERMINAL = {
    WorklistStatus.REQUESTED: "DEMANDE",
    WorklistStatus.SCHEDULED: "PREVU",
    WorklistStatus.ARRIVED: "ARRIVE",
    WorklistStatus.IN_ROOM: "EN SALLE",
    WorklistStatus.DONE: "FAIT",
    WorklistStatus.TO_READ: "A INTERP.",
    WorklistStatus.DICTATED: "DICTE",
    WorklistStatus.TO_SIGN: "A SIGNER",
    WorklistStatus.VALIDATED: "VALIDE",
    WorklistStatus.SENT: "ENVOYE",
    WorklistStatus.CLOSED: "CLOS",
    WorklistStatus.INTERRUPTED: "INTERROM.",
    WorklistStatus.CANCELED: "ANNULE",
    WorklistStatus.ABSENT: "ABSENT",
}


def _WORDS() -> dict[WorklistStatus, str]:  # noqa: N802 - a table that must be translated when spoken
    return {
        WorklistStatus.REQUESTED: _("demandé"),
        WorklistStatus.SCHEDULED: _("planifié"),
        WorklistStatus.ARRIVED: _("accueil"),
        WorklistStatus.IN_ROOM: _("en salle"),
        WorklistStatus.DONE: _("fait"),
        WorklistStatus.TO_READ: _("à interpréter"),
        WorklistStatus.DICTATED: _("dicté"),
        WorklistStatus.TO_SIGN: _("à signer"),
        WorklistStatus.VALIDATED: _("validé"),
        WorklistStatus.SENT: _("envoyé"),
        WorklistStatus.CLOSED: _("clos sans CR"),
        WorklistStatus.INTERRUPTED: _("interrompu"),
        WorklistStatus.CANCELED: _("annulé"),
        WorklistStatus.ABSENT: _("absent"),
    }


_BY_STEP = {
    StepStatus.CANCELED: WorklistStatus.CANCELED,
    StepStatus.NO_SHOW: WorklistStatus.ABSENT,
    StepStatus.REQUESTED: WorklistStatus.REQUESTED,
    StepStatus.SCHEDULED: WorklistStatus.SCHEDULED,
    StepStatus.ARRIVED: WorklistStatus.ARRIVED,
    StepStatus.STARTED: WorklistStatus.IN_ROOM,
}
_BY_REPORT = {
    ReportStatus.DUE: WorklistStatus.TO_READ,
    ReportStatus.DICTATED: WorklistStatus.DICTATED,
    ReportStatus.TO_SIGN: WorklistStatus.TO_SIGN,
    ReportStatus.CLOSED_WITHOUT_REPORT: WorklistStatus.CLOSED,
}


def status_of(state: ExamState) -> WorklistStatus:
    """The status of three states together."""
    if state.step in _BY_STEP:
        return _BY_STEP[state.step]
    if state.report in _BY_REPORT:
        return _BY_REPORT[state.report]
    if state.report is ReportStatus.SIGNED:
        return WorklistStatus.SENT if state.delivery is DeliveryStatus.DELIVERED else WorklistStatus.VALIDATED
    return WorklistStatus.INTERRUPTED if state.step is StepStatus.DISCONTINUED else WorklistStatus.DONE


_MARKS = (
    (Flag.CRITICAL_UNACKNOWLEDGED, "CR"),
    (Flag.IDENTITY_DOUBTFUL, "ID"),
    (Flag.CONTRAINDICATION, "CI"),
    (Flag.URGENT, "U"),
    (Flag.HOMONYM, "HO"),
    (Flag.UNSCHEDULED, "HD"),
)


def mark_of(flags: Iterable[str], awaiting_vetting: bool = False) -> str:
    """The one or two letters of the « ! » column: the first that applies of CR, ID, CI, U, HO, HD, AP."""
    held = set(flags)
    return next((mark for flag, mark in _MARKS if flag in held), "AP" if awaiting_vetting else "")


@dataclass(frozen=True, slots=True)
class ExamLine:
    """One exam as every list shows it: terminal, kiosk, reading list and worklist alike.

    scheduled_at, arrived_at, started_at, ended_at: UTC, None when not (yet) so.
    images, expected_images: counts; expected is None until a machine or a person announced one.
    age: as at the exam date. version: grows with every change of the exam; two equal versions are equal lines.
    """

    step_id: int
    version: int
    patient_id: int
    patient_number: str
    family_name: str
    given_names: str
    sex: str
    birth: Birth
    accession_number: str
    exam_code: str
    exam_label: str
    modality: str
    room: str
    state: ExamState
    flags: tuple[str, ...] = ()
    scheduled_at: datetime | None = None
    requested_at: datetime | None = None
    arrived_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    urgency: str = "N"
    prescriber: str = ""
    ward: str = ""
    indication: str = ""
    weight_kg: float | None = None
    images: int = 0
    expected_images: int | None = None
    study_ids: tuple[int, ...] = ()
    last_image_at: datetime | None = None
    awaiting_vetting: bool = False
    report_author: str = ""
    dose: str = ""
    exam_day: date | None = field(default=None)

    @property
    def status(self) -> WorklistStatus:
        return status_of(self.state)

    @property
    def patient_name(self) -> str:
        return display_name(self.family_name, self.given_names)

    @property
    def mark(self) -> str:
        return mark_of(self.flags, self.awaiting_vetting)

    def age(self, today: date) -> str:
        """Short age at the exam (or today when it has no date yet)."""
        age = age_at(self.birth, self.exam_day or today)
        return age.short() if age else ""

    def age_long(self, today: date) -> str:
        age = age_at(self.birth, self.exam_day or today)
        return age.long() if age else _("âge inconnu")
