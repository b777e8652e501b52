"""Orders: who asks for which exam, for whom, why, how urgently, and when it is planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.errors import BadInput
from core.i18n import _


class Urgency(StrEnum):
    """What the requester says; the value is the letter typed on the order screen."""

    NORMAL = "N"
    URGENT = "U"
    VITAL = "V"

    @property
    def dicom(self) -> str:
        """(0040,1003) Requested Procedure Priority."""
        return {Urgency.VITAL: "STAT", Urgency.URGENT: "HIGH", Urgency.NORMAL: "ROUTINE"}[self]

    @property
    def word(self) -> str:
        return {Urgency.VITAL: _("vital"), Urgency.URGENT: _("urgent"), Urgency.NORMAL: _("normal")}[self]


@dataclass(frozen=True, slots=True)
class Exam:
    """A line of the hospital's own catalogue."""

    code: str
    label: str
    modality: str
    rooms: tuple[str, ...] = ()
    duration_min: int = 20
    preparation: str = ""
    report_template: str = ""
    needs_vetting: bool = False
    needs_side: bool = False
    contrast_possible: bool = False
    report_policy: str = "report"  # or read_by_clinician
    tariff_fcfa: int = 0
    ccam: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """A room with the AE titles of its machines and its weekly hours (Monday first), local time `HH:MM-HH:MM`."""

    code: str
    label: str
    modality: str
    ae_titles: tuple[str, ...] = ()
    opens: str = "07:00"
    closes: str = "18:00"
    capacity: int = 1
    visible_from: str = "scheduled"  # or arrived
    without_appointment: bool = False


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """What reception or a clinician fills in. scheduled_at: UTC, None = no appointment yet."""

    patient_id: int
    exam_code: str
    prescriber: str
    indication: str
    urgency: Urgency = Urgency.NORMAL
    ward: str = ""
    room: str = ""
    scheduled_at: datetime | None = None
    side: str = ""
    weight_kg: float | None = None
    comment: str = ""
    idempotency_key: str = ""


def check_weight(kg: float) -> None:
    """Raises `BadInput` for what no child weighs: below 0.3 kg, above 250 kg, or not a number."""
    if not 0.3 <= kg <= 250:
        raise BadInput(_("Poids impossible : %s kg") % kg, "weight")


@dataclass(frozen=True, slots=True)
class Slot:
    """A time in a room. `taken_by` is "" when it is free; `proposed` marks the one to take."""

    at: datetime
    minutes: int
    room: str
    taken_by: str = ""
    step_id: int | None = None
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class WorklistEntry:
    """One scheduled procedure step with everything a Modality Worklist item may carry (PS3.4 K.6.1). UTC times."""

    step_id: int
    scheduled_step_id: str  # (0040,0009), at most 16
    requested_procedure_id: str  # (0040,1001)
    study_instance_uid: str
    accession_number: str
    modality: str
    room: str
    ae_titles: tuple[str, ...]
    scheduled_at: datetime
    status: str  # SCHEDULED, ARRIVED, READY, STARTED
    exam_code: str
    exam_label: str
    patient_number: str
    issuer: str
    patient_name: str  # PN
    birth_date: str  # DA, "" unless exact
    age: str  # AS at the exam date
    sex: str
    weight_kg: float | None = None
    priority: str = "ROUTINE"
    prescriber: str = ""
    ward: str = ""
    indication: str = ""
    protocol: str = ""
    placer_number: str = ""
    filler_number: str = ""
    visit_number: str = ""
    other_ids: tuple[str, ...] = field(default=())
