"""Messages that wait to leave, and everything a result message says about one frozen report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.model.identifiers import Identifier
from core.model.patient import Patient
from core.model.report import ReportVersion
from core.model.worklist import ExamLine


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of the outbox. payload: its bytes once written. subject: the report version of an `oru`."""

    id: int
    control_id: str
    attempts: int = 0
    refusals: int = 0
    payload: bytes = b""
    kind: str = "oru"
    destination: str = ""
    subject: int = 0


@dataclass(frozen=True, slots=True)
class LetterLine:
    """A row of the outbox as the administrator sees it."""

    id: int
    kind: str
    destination: str
    control_id: str
    state: str
    attempts: int
    answer: str
    created_at: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """One report version with its exam, patient and order. revision: 1 for the first signed version."""

    version: ReportVersion
    exam: ExamLine
    patient: Patient
    identifiers: tuple[Identifier, ...]
    study_instance_uid: str
    requested_procedure_id: str
    scheduled_step_id: str
    placer_number: str
    placer_authority: str
    filler_number: str
    visit_number: str
    patient_class: str
    revision: int
