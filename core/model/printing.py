"""Print jobs: what is to come out of which printer, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.i18n import _


class PrintState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    PRINTING = "printing"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"  # the box was cut between sending and the answer: ask before sending again

    @property
    def word(self) -> str:
        return {
            PrintState.QUEUED: _("ATTENTE"),
            PrintState.SENDING: _("EN COURS"),
            PrintState.SENT: _("EN COURS"),
            PrintState.PRINTING: _("EN COURS"),
            PrintState.DONE: _("FAIT"),
            PrintState.FAILED: _("ECHEC"),
            PrintState.CANCELLED: _("ANNULE"),
            PrintState.UNKNOWN: _("A VERIFIER"),
        }[self]


class PaperKind(StrEnum):
    REPORT = "report"
    LABEL = "label"
    CONVOCATION = "convocation"
    WRISTBAND = "wristband"

    @property
    def word(self) -> str:
        return {
            PaperKind.REPORT: _("Compte rendu"),
            PaperKind.LABEL: _("Etiquette"),
            PaperKind.CONVOCATION: _("Convocation"),
            PaperKind.WRISTBAND: _("Bracelet"),
        }[self]


@dataclass(frozen=True, slots=True)
class Printer:
    """A printer. kind: ipp, raw, folder. uri: `ipp://host:631/ipp/print`, `host:9100`, or a folder path.

    takes: `pdf` or `zpl`. state: what it said last, in French.
    """

    name: str
    kind: str
    uri: str
    takes: str = "pdf"
    active: bool = True
    state: str = ""
    state_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PrintJob:
    """One job. `payload` is the path of the fsynced document inside the data folder."""

    id: int
    printer: str
    paper: PaperKind
    title: str
    patient: str
    state: PrintState
    attempts: int
    reason: str
    created_at: datetime
    next_at: datetime | None
    payload: str
    mime: str
    copies: int = 1
    pages: int = 1
    remote_job_id: int | None = None
    step_id: int | None = None
