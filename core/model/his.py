"""What the HIS tells us, free of HL7 spelling: feeds that `core.services.his` applies.

A field that is None was empty in the message: no change. "" means that the HIS deletes the value (HL7 `""`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from core.i18n import _
from core.model.birth import Birth
from core.model.identifiers import Identifier


@dataclass(frozen=True, slots=True)
class PatientFeed:
    """PID (and PV1) of a message. `identifiers`: every repetition of PID-3; `principal` is ours among them."""

    principal: Identifier
    identifiers: tuple[Identifier, ...] = ()
    family_name: str | None = None
    given_names: str | None = None
    birth: Birth | None = None
    sex: str | None = None
    mother_family_name: str | None = None
    mother_given_names: str | None = None
    mother_number: str | None = None
    birth_order: int | None = None
    phone: str | None = None
    address: str | None = None
    national_id: str | None = None
    deceased_on: date | None = None
    visit_number: str | None = None
    patient_class: str | None = None  # E, I, O
    ward: str | None = None
    room: str | None = None
    bed: str | None = None


class AdtKind(StrEnum):
    UPSERT = "upsert"  # A04 A05 A06 A07 A08 A28 A31 …
    ADMIT = "admit"  # A01: upsert and a visit
    DISCHARGE = "discharge"
    MERGE = "merge"  # A40
    CHANGE_ID = "change_id"  # A47
    IGNORED = "ignored"  # understood, nothing to do here


@dataclass(frozen=True, slots=True)
class AdtFeed:
    """One ADT event. merges: pairs (prior, survivor) for A40 and A47."""

    event: str  # A01, A08, …
    kind: AdtKind
    patients: tuple[PatientFeed, ...]
    merges: tuple[tuple[Identifier, PatientFeed], ...] = ()


class OrderAct(StrEnum):
    NEW = "new"
    CHANGE = "change"
    CANCEL = "cancel"
    DISCONTINUE = "discontinue"
    SUSPEND = "suspend"
    RELEASE = "release"
    NOTE = "note"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class OrderedStep:
    """One OBR or IPC: one exam. scheduled_at is UTC; a naive HL7 time is the site's own."""

    exam_code: str = ""
    exam_label: str = ""
    modality: str = ""
    scheduled_at: datetime | None = None
    station_ae: str = ""
    room: str = ""
    step_id: str = ""
    requested_procedure_id: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    protocol: str = ""


@dataclass(frozen=True, slots=True)
class OrderFeed:
    """One order group (ORC and its OBR). Identified by the placer's number and authority, else by the filler's."""

    act: OrderAct
    control: str  # ORC-1 as sent
    placer_number: str
    placer_authority: str
    filler_number: str = ""
    prescriber: str | None = None
    ward: str | None = None
    indication: str | None = None
    urgency: str | None = None  # S, A, R, … of HL7 table 0485
    comment: str | None = None
    weight_kg: float | None = None
    steps: tuple[OrderedStep, ...] = ()

    @property
    def number(self) -> str:
        """How people name it."""
        return self.placer_number or self.filler_number


@dataclass(frozen=True, slots=True)
class HisMessage:
    """One message of the inbox: its bytes, its control fields, and what it says (exactly one of adt, orders)."""

    raw: bytes
    sha256: str
    sending_application: str  # MSH-3
    sending_facility: str  # MSH-4
    control_id: str  # MSH-10
    message_type: str  # ADT^A08
    message_time: str  # MSH-7 as sent
    event_time: datetime | None  # EVN-2, else MSH-7, UTC
    peer: str  # address
    sender: str = ""  # name of the declared sender
    adt: AdtFeed | None = None
    patient: PatientFeed | None = None  # PID of an order message
    orders: tuple[OrderFeed, ...] = ()
    warnings: tuple[str, ...] = field(default=())


class InboxState(StrEnum):
    RECEIVED = "received"
    APPLIED = "applied"
    STALE = "stale"
    HELD = "held"
    QUARANTINED = "quarantined"
    ERROR = "error"
    REFUSED = "refused"

    @property
    def word(self) -> str:
        return {
            InboxState.RECEIVED: _("reçu"),
            InboxState.APPLIED: _("appliqué"),
            InboxState.STALE: _("dépassé"),
            InboxState.HELD: _("retenu"),
            InboxState.QUARANTINED: _("mis de côté"),
            InboxState.ERROR: _("à renvoyer"),
            InboxState.REFUSED: _("refusé"),
        }[self]


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message of the inbox as the administrator sees it."""

    id: int
    received_at: datetime
    message_type: str
    control_id: str
    sender: str
    peer: str
    state: InboxState
    ack_code: str
    text: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a message, and so what MSA says.

    code: AA, AE or AR. error: table 0357 code when not AA. replay: True when the stored answer of the first
    arrival counts again.
    """

    code: str
    state: InboxState
    text: str = ""
    error: str = ""
    location: str = ""  # ERR-2, such as PID^1^3
    warnings: tuple[str, ...] = ()
    replay: bool = False
    inbox_id: int | None = None
