"""The life of an exam: three coupled state machines, each a table. Nothing else in Yelen assigns a state.

An exam is a scheduled procedure step. The step, its report and its delivery each have a machine; what the lists show
is computed from the three (`core.model.worklist`). State is the fold of an append-only table of events.

Rule 1: a change that is not a cell of `STEP_NEXT`, `REPORT_NEXT` or `DELIVERY_NEXT` is refused with a sentence.
Rule 2: machines (`Role.SYSTEM`) never move an exam backwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from core.errors import IllegalTransition, NotAllowed
from core.i18n import _
from core.model.people import Role


class StepStatus(StrEnum):
    """The scheduled procedure step. READY (DICOM) is ARRIVED with a complete checklist, not a state."""

    REQUESTED = "REQUESTED"
    SCHEDULED = "SCHEDULED"
    ARRIVED = "ARRIVED"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"
    CANCELED = "CANCELED"
    NO_SHOW = "NO_SHOW"


class ReportStatus(StrEnum):
    NOT_DUE = "NOT_DUE"
    DUE = "DUE"
    DICTATED = "DICTATED"
    TO_SIGN = "TO_SIGN"
    SIGNED = "SIGNED"
    CLOSED_WITHOUT_REPORT = "CLOSED_WITHOUT_REPORT"


class DeliveryStatus(StrEnum):
    NONE = "NONE"
    PENDING = "PENDING"
    FAILED = "FAILED"
    DELIVERED = "DELIVERED"


class StepEvent(StrEnum):
    ORDER_RECEIVED = "ORDER_RECEIVED"  # T1
    VETTED = "VETTED"  # T1b
    SLOT_GIVEN = "SLOT_GIVEN"  # T2, T2b
    SLOT_MOVED = "SLOT_MOVED"  # T3
    SLOT_WITHDRAWN = "SLOT_WITHDRAWN"  # T3b
    PATIENT_ARRIVED = "PATIENT_ARRIVED"  # T4
    ARRIVAL_UNDONE = "ARRIVAL_UNDONE"  # T5
    ACQUISITION_STARTED = "ACQUISITION_STARTED"  # T6
    ACQUISITION_ENDED = "ACQUISITION_ENDED"  # T7
    ACQUISITION_DISCONTINUED = "ACQUISITION_DISCONTINUED"  # T8
    RETAKE = "RETAKE"  # T10
    CANCELED = "CANCELED"  # T19
    REACTIVATED = "REACTIVATED"  # T20
    NO_SHOW = "NO_SHOW"  # T21
    PATIENT_CORRECTED = "PATIENT_CORRECTED"  # T22
    UNSCHEDULED_IMAGES = "UNSCHEDULED_IMAGES"  # T23
    RECONCILED = "RECONCILED"  # T24
    EMPTIED = "EMPTIED"  # T24: all its images were of another exam


class ReportEvent(StrEnum):
    JUDGED_DIAGNOSTIC = "JUDGED_DIAGNOSTIC"  # T8b
    IMAGES_VERIFIED = "IMAGES_VERIFIED"  # T9
    REPORT_WAIVED = "REPORT_WAIVED"  # T9b
    REPORT_CLAIMED = "REPORT_CLAIMED"  # T9c
    RETAKE = "RETAKE"  # T10
    DICTATION_SAVED = "DICTATION_SAVED"  # T11
    TEXT_TYPED = "TEXT_TYPED"  # T12
    DRAFT_SUBMITTED = "DRAFT_SUBMITTED"  # T13
    PRELIMINARY_RELEASED = "PRELIMINARY_RELEASED"  # T13b
    SENT_BACK = "SENT_BACK"  # T14
    SIGNED = "SIGNED"  # T15
    REVISION_OPENED = "REVISION_OPENED"  # T17
    SIGNATURE_WITHDRAWN = "SIGNATURE_WITHDRAWN"  # T18
    PATIENT_CORRECTED = "PATIENT_CORRECTED"  # T22b


class DeliveryEvent(StrEnum):
    SIGNED = "SIGNED"  # T15: the mandatory destinations are queued
    DELIVERED = "DELIVERED"  # T16: every mandatory destination has answered
    FAILED = "FAILED"  # a mandatory destination refused for good
    REQUEUED = "REQUEUED"  # a person corrected or replayed a dead letter
    WITHDRAWN = "WITHDRAWN"  # T18, T22b


S, E, R = StepStatus, StepEvent, Role

STEP_NEXT: dict[tuple[StepStatus | None, StepEvent], StepStatus] = {
    (None, E.ORDER_RECEIVED): S.REQUESTED,
    (S.REQUESTED, E.VETTED): S.REQUESTED,
    (S.REQUESTED, E.SLOT_GIVEN): S.SCHEDULED,
    (S.NO_SHOW, E.SLOT_GIVEN): S.SCHEDULED,
    (S.SCHEDULED, E.SLOT_MOVED): S.SCHEDULED,
    (S.SCHEDULED, E.SLOT_WITHDRAWN): S.REQUESTED,
    (S.SCHEDULED, E.PATIENT_ARRIVED): S.ARRIVED,
    (S.REQUESTED, E.PATIENT_ARRIVED): S.ARRIVED,
    (S.NO_SHOW, E.PATIENT_ARRIVED): S.ARRIVED,
    (S.ARRIVED, E.ARRIVAL_UNDONE): S.SCHEDULED,
    (S.SCHEDULED, E.ACQUISITION_STARTED): S.STARTED,
    (S.ARRIVED, E.ACQUISITION_STARTED): S.STARTED,
    # Emergencies are scanned before anyone tells reception: only a machine may say so.
    (S.REQUESTED, E.ACQUISITION_STARTED): S.STARTED,
    (S.NO_SHOW, E.ACQUISITION_STARTED): S.STARTED,
    (S.STARTED, E.ACQUISITION_ENDED): S.COMPLETED,
    (S.STARTED, E.ACQUISITION_DISCONTINUED): S.DISCONTINUED,
    (S.COMPLETED, E.RETAKE): S.STARTED,
    (S.REQUESTED, E.CANCELED): S.CANCELED,
    (S.SCHEDULED, E.CANCELED): S.CANCELED,
    (S.ARRIVED, E.CANCELED): S.CANCELED,
    (S.CANCELED, E.REACTIVATED): S.REQUESTED,
    (S.SCHEDULED, E.NO_SHOW): S.NO_SHOW,
    (None, E.UNSCHEDULED_IMAGES): S.STARTED,
}
STEP_NEXT |= {(status, E.PATIENT_CORRECTED): status for status in S}
STEP_NEXT |= {(status, E.RECONCILED): status for status in (S.STARTED, S.COMPLETED, S.DISCONTINUED)}
STEP_NEXT |= {(status, E.EMPTIED): S.CANCELED for status in (S.STARTED, S.COMPLETED, S.DISCONTINUED)}

STEP_ROLES: dict[StepEvent, frozenset[Role]] = {
    E.ORDER_RECEIVED: frozenset({R.SYSTEM, R.RECEPTION, R.CLINICIAN, R.RADIOLOGIST, R.RESIDENT}),
    E.VETTED: frozenset({R.RADIOLOGIST}),
    E.SLOT_GIVEN: frozenset({R.RECEPTION, R.TECHNOLOGIST, R.SYSTEM}),
    E.SLOT_MOVED: frozenset({R.RECEPTION, R.SYSTEM}),
    E.SLOT_WITHDRAWN: frozenset({R.RECEPTION, R.SYSTEM}),
    E.PATIENT_ARRIVED: frozenset({R.RECEPTION, R.TECHNOLOGIST, R.SYSTEM}),
    E.ARRIVAL_UNDONE: frozenset({R.RECEPTION, R.LEAD_TECHNOLOGIST}),
    E.ACQUISITION_STARTED: frozenset({R.SYSTEM, R.TECHNOLOGIST}),
    E.ACQUISITION_ENDED: frozenset({R.SYSTEM, R.TECHNOLOGIST}),
    E.ACQUISITION_DISCONTINUED: frozenset({R.SYSTEM, R.TECHNOLOGIST}),
    E.RETAKE: frozenset({R.TECHNOLOGIST}),
    E.CANCELED: frozenset({R.SYSTEM, R.RECEPTION, R.LEAD_TECHNOLOGIST, R.CLINICIAN, R.RADIOLOGIST}),
    E.REACTIVATED: frozenset({R.LEAD_TECHNOLOGIST, R.SYSTEM}),
    E.NO_SHOW: frozenset({R.SYSTEM, R.RECEPTION}),
    E.PATIENT_CORRECTED: frozenset({R.IDENTITY_OFFICER}),
    E.UNSCHEDULED_IMAGES: frozenset({R.SYSTEM}),
    E.RECONCILED: frozenset({R.TECHNOLOGIST, R.RECEPTION, R.SYSTEM}),
    E.EMPTIED: frozenset({R.TECHNOLOGIST, R.RECEPTION, R.IDENTITY_OFFICER}),
}

# After these nothing is to be read; they are refused once a report has begun.
NOT_DUE_AGAIN: frozenset[StepEvent] = frozenset({E.RETAKE, E.EMPTIED})

# Cells of STEP_NEXT that only a machine may use, whatever the role table says.
SYSTEM_ONLY: frozenset[tuple[StepStatus | None, StepEvent]] = frozenset(
    {(S.REQUESTED, E.ACQUISITION_STARTED), (S.NO_SHOW, E.ACQUISITION_STARTED)}
)

RS, RE = ReportStatus, ReportEvent

REPORT_NEXT: dict[tuple[ReportStatus, ReportEvent], ReportStatus] = {
    (RS.NOT_DUE, RE.JUDGED_DIAGNOSTIC): RS.DUE,
    (RS.NOT_DUE, RE.IMAGES_VERIFIED): RS.DUE,
    (RS.DUE, RE.REPORT_WAIVED): RS.CLOSED_WITHOUT_REPORT,
    (RS.CLOSED_WITHOUT_REPORT, RE.REPORT_CLAIMED): RS.DUE,
    (RS.DUE, RE.RETAKE): RS.NOT_DUE,
    (RS.NOT_DUE, RE.RETAKE): RS.NOT_DUE,
    (RS.DUE, RE.DICTATION_SAVED): RS.DICTATED,
    (RS.DICTATED, RE.TEXT_TYPED): RS.TO_SIGN,
    (RS.DUE, RE.DRAFT_SUBMITTED): RS.TO_SIGN,
    (RS.DUE, RE.PRELIMINARY_RELEASED): RS.DUE,
    (RS.DICTATED, RE.PRELIMINARY_RELEASED): RS.DICTATED,
    (RS.TO_SIGN, RE.PRELIMINARY_RELEASED): RS.TO_SIGN,
    (RS.TO_SIGN, RE.SENT_BACK): RS.DICTATED,
    (RS.DUE, RE.SIGNED): RS.SIGNED,
    (RS.DICTATED, RE.SIGNED): RS.SIGNED,
    (RS.TO_SIGN, RE.SIGNED): RS.SIGNED,
    (RS.SIGNED, RE.SIGNED): RS.SIGNED,  # the signature of a revision opened by T17
    (RS.SIGNED, RE.REVISION_OPENED): RS.SIGNED,
    (RS.SIGNED, RE.SIGNATURE_WITHDRAWN): RS.TO_SIGN,
    (RS.SIGNED, RE.PATIENT_CORRECTED): RS.DUE,
}
REPORT_NEXT |= {(status, RE.PATIENT_CORRECTED): status for status in RS if status is not RS.SIGNED}

REPORT_ROLES: dict[ReportEvent, frozenset[Role]] = {
    RE.JUDGED_DIAGNOSTIC: frozenset({R.TECHNOLOGIST, R.RADIOLOGIST}),
    RE.IMAGES_VERIFIED: frozenset({R.TECHNOLOGIST, R.RADIOLOGIST, R.SYSTEM}),
    RE.REPORT_WAIVED: frozenset({R.SYSTEM, R.RADIOLOGIST}),
    RE.REPORT_CLAIMED: frozenset({R.RADIOLOGIST}),
    RE.RETAKE: frozenset({R.TECHNOLOGIST}),
    RE.DICTATION_SAVED: frozenset({R.RESIDENT, R.RADIOLOGIST}),
    RE.TEXT_TYPED: frozenset({R.RESIDENT, R.TYPIST, R.RADIOLOGIST}),
    RE.DRAFT_SUBMITTED: frozenset({R.RESIDENT, R.RADIOLOGIST}),
    RE.PRELIMINARY_RELEASED: frozenset({R.RESIDENT, R.RADIOLOGIST}),
    RE.SENT_BACK: frozenset({R.RADIOLOGIST}),
    RE.SIGNED: frozenset({R.RADIOLOGIST}),
    RE.REVISION_OPENED: frozenset({R.RADIOLOGIST}),
    RE.SIGNATURE_WITHDRAWN: frozenset({R.RADIOLOGIST}),
    RE.PATIENT_CORRECTED: frozenset({R.IDENTITY_OFFICER}),
}

DS, DE = DeliveryStatus, DeliveryEvent

DELIVERY_NEXT: dict[tuple[DeliveryStatus, DeliveryEvent], DeliveryStatus] = {
    (DS.NONE, DE.SIGNED): DS.PENDING,
    (DS.PENDING, DE.SIGNED): DS.PENDING,
    (DS.FAILED, DE.SIGNED): DS.PENDING,
    (DS.DELIVERED, DE.SIGNED): DS.PENDING,
    (DS.PENDING, DE.DELIVERED): DS.DELIVERED,
    (DS.FAILED, DE.DELIVERED): DS.DELIVERED,
    (DS.PENDING, DE.FAILED): DS.FAILED,
    (DS.FAILED, DE.REQUEUED): DS.PENDING,
}
DELIVERY_NEXT |= {(status, DE.WITHDRAWN): DS.NONE for status in DS}

# Events that ask a reason, always (domain: rules of the machines, 6).
REASON_REQUIRED: frozenset[StepEvent | ReportEvent] = frozenset(
    {E.ARRIVAL_UNDONE, E.CANCELED, E.ACQUISITION_DISCONTINUED, E.RETAKE, E.PATIENT_CORRECTED, E.EMPTIED}
    | {RE.REPORT_WAIVED, RE.REPORT_CLAIMED, RE.SENT_BACK, RE.SIGNATURE_WITHDRAWN, RE.REVISION_OPENED}
)


class Flag(StrEnum):
    """Words added to a state, never states."""

    URGENT = "urgent"
    INCOMPLETE = "incomplete"
    LATE_IMAGES = "late_images"
    IDENTITY_DOUBTFUL = "identity_doubtful"
    COMMIT_OK = "commit_ok"
    CRITICAL_UNACKNOWLEDGED = "critical_unacknowledged"
    CORRECTION_OPEN = "correction_open"
    PRELIMINARY_RELEASED = "preliminary_released"
    UNSCHEDULED = "unscheduled"
    SUSPENDED = "suspended"
    UNCODED = "uncoded"
    NO_APPOINTMENT = "no_appointment"
    NO_CHECKLIST = "no_checklist"
    LATE_CANCEL = "late_cancel"
    DONE_THOUGH_CANCELED = "done_though_canceled"
    HOMONYM = "homonym"
    CONTRAINDICATION = "contraindication"


def flag_word(flag: str) -> str:
    """The French word of a flag, for lists and banners."""
    words: dict[str, str] = {
        Flag.URGENT: _("urgent"),
        Flag.INCOMPLETE: _("incomplet"),
        Flag.LATE_IMAGES: _("images tardives"),
        Flag.IDENTITY_DOUBTFUL: _("identité en cours de vérification"),
        Flag.COMMIT_OK: _("engagement rendu"),
        Flag.CRITICAL_UNACKNOWLEDGED: _("critique non accusé"),
        Flag.CORRECTION_OPEN: _("correction en cours"),
        Flag.PRELIMINARY_RELEASED: _("provisoire"),
        Flag.UNSCHEDULED: _("hors demande"),
        Flag.SUSPENDED: _("suspendu"),
        Flag.UNCODED: _("à coder"),
        Flag.NO_APPOINTMENT: _("sans rendez-vous"),
        Flag.NO_CHECKLIST: _("démarré sans contrôle"),
        Flag.LATE_CANCEL: _("annulation tardive"),
        Flag.DONE_THOUGH_CANCELED: _("annulé mais réalisé"),
        Flag.HOMONYM: _("homonyme"),
        Flag.CONTRAINDICATION: _("contre-indication à contrôler"),
    }
    return words.get(flag, flag)


@dataclass(frozen=True, slots=True)
class ExamState:
    """The three machines of one exam at one moment."""

    step: StepStatus | None = None
    report: ReportStatus = ReportStatus.NOT_DUE
    delivery: DeliveryStatus = DeliveryStatus.NONE

    def after(self, event: StepEvent | ReportEvent | DeliveryEvent) -> ExamState:
        """The state after an event. Raises `IllegalTransition` when the table has no such cell."""
        if isinstance(event, StepEvent):
            reached = STEP_NEXT.get((self.step, event))
            if reached is not None and (event not in NOT_DUE_AGAIN or self.report in (RS.NOT_DUE, RS.DUE)):
                report = RS.NOT_DUE if event in NOT_DUE_AGAIN else self.report
                return ExamState(reached, report, self.delivery)
            raise _illegal(self.step, event)
        if isinstance(event, ReportEvent):
            report_reached = REPORT_NEXT.get((self.report, event))
            if report_reached is None or self.step not in (S.COMPLETED, S.DISCONTINUED):
                raise _illegal(self.report, event)
            delivery = DS.NONE if event in (RE.SIGNATURE_WITHDRAWN, RE.PATIENT_CORRECTED) else self.delivery
            return ExamState(self.step, report_reached, delivery)
        delivery_reached = DELIVERY_NEXT.get((self.delivery, event))
        if delivery_reached is None:
            raise _illegal(self.delivery, event)
        return ExamState(self.step, self.report, delivery_reached)

    def allows(self, event: StepEvent | ReportEvent | DeliveryEvent) -> bool:
        try:
            self.after(event)
        except IllegalTransition:
            return False
        return True


def check_right(state: ExamState, event: StepEvent | ReportEvent, roles: Iterable[Role]) -> None:
    """Raises `NotAllowed` when none of the roles may cause this event from this state."""
    held = frozenset(roles)
    allowed = STEP_ROLES[event] if isinstance(event, StepEvent) else REPORT_ROLES[event]
    if isinstance(event, StepEvent) and (state.step, event) in SYSTEM_ONLY:
        allowed = frozenset({Role.SYSTEM})
    if held.isdisjoint(allowed):
        raise NotAllowed(_("Votre rôle ne permet pas cet acte."))


def fold(events: Iterable[StepEvent | ReportEvent | DeliveryEvent]) -> ExamState:
    """The state that a history leads to (invariant I5)."""
    state = ExamState()
    for event in events:
        state = state.after(event)
    return state


def _illegal(status: StrEnum | None, event: StrEnum) -> IllegalTransition:
    return IllegalTransition(
        _("Impossible maintenant : l'examen est « %s ».") % state_word(status), str(status or ""), str(event)
    )


def state_word(status: StrEnum | None) -> str:
    """One machine's state in French, for sentences."""
    words: dict[StrEnum | None, str] = {
        None: _("inexistant"),
        S.REQUESTED: _("demandé"),
        S.SCHEDULED: _("planifié"),
        S.ARRIVED: _("accueil"),
        S.STARTED: _("en salle"),
        S.COMPLETED: _("fait"),
        S.DISCONTINUED: _("interrompu"),
        S.CANCELED: _("annulé"),
        S.NO_SHOW: _("absent"),
        RS.NOT_DUE: _("sans compte rendu attendu"),
        RS.DUE: _("à interpréter"),
        RS.DICTATED: _("dicté"),
        RS.TO_SIGN: _("à signer"),
        RS.SIGNED: _("validé"),
        RS.CLOSED_WITHOUT_REPORT: _("clos sans CR"),
        DS.NONE: _("sans envoi"),
        DS.PENDING: _("envoi en attente"),
        DS.FAILED: _("échec d'envoi"),
        DS.DELIVERED: _("envoyé"),
    }
    return words[status]
