"""The three state machines, cell by cell."""

from __future__ import annotations

import itertools

import pytest

from core.errors import IllegalTransition, NotAllowed
from core.model.people import Role
from core.model.step import (
    DELIVERY_NEXT,
    REPORT_NEXT,
    REPORT_ROLES,
    STEP_NEXT,
    STEP_ROLES,
    DeliveryEvent,
    DeliveryStatus,
    ExamState,
    ReportEvent,
    ReportStatus,
    StepEvent,
    StepStatus,
    check_right,
    fold,
)
from core.model.worklist import WorklistStatus, mark_of, status_of


@pytest.mark.parametrize(("status", "event"), list(itertools.product([None, *StepStatus], StepEvent)))
def test_every_cell_of_the_step_machine_is_a_transition_or_a_refusal(
    status: StepStatus | None, event: StepEvent
) -> None:
    state = ExamState(status)
    if (status, event) in STEP_NEXT:
        assert state.after(event).step is STEP_NEXT[status, event]
    else:
        with pytest.raises(IllegalTransition):
            state.after(event)


@pytest.mark.parametrize(("status", "event"), list(itertools.product(ReportStatus, ReportEvent)))
def test_every_cell_of_the_report_machine_is_a_transition_or_a_refusal(
    status: ReportStatus, event: ReportEvent
) -> None:
    state = ExamState(StepStatus.COMPLETED, status)
    if (status, event) in REPORT_NEXT:
        assert state.after(event).report is REPORT_NEXT[status, event]
    else:
        with pytest.raises(IllegalTransition):
            state.after(event)


@pytest.mark.parametrize(("status", "event"), list(itertools.product(DeliveryStatus, DeliveryEvent)))
def test_every_cell_of_the_delivery_machine_is_a_transition_or_a_refusal(
    status: DeliveryStatus, event: DeliveryEvent
) -> None:
    state = ExamState(StepStatus.COMPLETED, ReportStatus.SIGNED, status)
    if (status, event) in DELIVERY_NEXT:
        assert state.after(event).delivery is DELIVERY_NEXT[status, event]
    else:
        with pytest.raises(IllegalTransition):
            state.after(event)


def test_a_report_begins_only_after_the_acquisition() -> None:
    for status in StepStatus:
        state = ExamState(status)
        assert state.allows(ReportEvent.IMAGES_VERIFIED) is (status in (StepStatus.COMPLETED, StepStatus.DISCONTINUED))


def test_machines_never_move_an_exam_backwards() -> None:
    rank = {
        StepStatus.REQUESTED: 0,
        StepStatus.NO_SHOW: 0,
        StepStatus.SCHEDULED: 1,
        StepStatus.ARRIVED: 2,
        StepStatus.STARTED: 3,
        StepStatus.COMPLETED: 4,
        StepStatus.DISCONTINUED: 4,
        StepStatus.CANCELED: 5,
    }
    acquisition = {
        StepEvent.ACQUISITION_STARTED,
        StepEvent.ACQUISITION_ENDED,
        StepEvent.ACQUISITION_DISCONTINUED,
    }
    for (before, event), after in STEP_NEXT.items():
        if before is not None and event in acquisition:
            assert rank[after] > rank[before], (before, event)


def test_only_a_machine_may_start_an_exam_that_nobody_planned() -> None:
    planned_by_nobody = ExamState(StepStatus.REQUESTED)
    with pytest.raises(NotAllowed):
        check_right(planned_by_nobody, StepEvent.ACQUISITION_STARTED, {Role.TECHNOLOGIST})
    check_right(planned_by_nobody, StepEvent.ACQUISITION_STARTED, {Role.SYSTEM})


def test_only_a_radiologist_signs() -> None:
    due = ExamState(StepStatus.COMPLETED, ReportStatus.DUE)
    for role in Role:
        if role is Role.RADIOLOGIST:
            check_right(due, ReportEvent.SIGNED, {role})
        else:
            with pytest.raises(NotAllowed):
                check_right(due, ReportEvent.SIGNED, {role})


def test_every_event_has_its_roles() -> None:
    assert set(STEP_ROLES) == set(StepEvent)
    assert set(REPORT_ROLES) == set(ReportEvent)


def test_a_retake_is_refused_once_the_report_is_dictated() -> None:
    dictated = ExamState(StepStatus.COMPLETED, ReportStatus.DICTATED)
    assert not dictated.allows(StepEvent.RETAKE)
    due = ExamState(StepStatus.COMPLETED, ReportStatus.DUE)
    assert due.after(StepEvent.RETAKE) == ExamState(StepStatus.STARTED, ReportStatus.NOT_DUE)


def test_an_exam_that_was_emptied_is_not_to_be_read_and_one_that_is_read_is_not_emptied() -> None:
    due = ExamState(StepStatus.COMPLETED, ReportStatus.DUE)
    assert due.after(StepEvent.EMPTIED) == ExamState(StepStatus.CANCELED, ReportStatus.NOT_DUE)
    assert status_of(due.after(StepEvent.EMPTIED)) is WorklistStatus.CANCELED
    assert not ExamState(StepStatus.COMPLETED, ReportStatus.TO_SIGN).allows(StepEvent.EMPTIED)


def test_state_is_the_fold_of_its_events() -> None:
    day = [
        StepEvent.ORDER_RECEIVED,
        StepEvent.SLOT_GIVEN,
        StepEvent.PATIENT_ARRIVED,
        StepEvent.ACQUISITION_STARTED,
        StepEvent.ACQUISITION_ENDED,
        ReportEvent.IMAGES_VERIFIED,
        ReportEvent.SIGNED,
        DeliveryEvent.SIGNED,
        DeliveryEvent.DELIVERED,
    ]
    assert fold(day) == ExamState(StepStatus.COMPLETED, ReportStatus.SIGNED, DeliveryStatus.DELIVERED)
    assert status_of(fold(day)) is WorklistStatus.SENT


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (ExamState(StepStatus.CANCELED, ReportStatus.NOT_DUE), "annulé"),
        (ExamState(StepStatus.NO_SHOW), "absent"),
        (ExamState(StepStatus.REQUESTED), "demandé"),
        (ExamState(StepStatus.SCHEDULED), "planifié"),
        (ExamState(StepStatus.ARRIVED), "accueil"),
        (ExamState(StepStatus.STARTED), "en salle"),
        (ExamState(StepStatus.DISCONTINUED), "interrompu"),
        (ExamState(StepStatus.COMPLETED), "fait"),
        (ExamState(StepStatus.DISCONTINUED, ReportStatus.DUE), "à interpréter"),
        (ExamState(StepStatus.COMPLETED, ReportStatus.DICTATED), "dicté"),
        (ExamState(StepStatus.COMPLETED, ReportStatus.TO_SIGN), "à signer"),
        (ExamState(StepStatus.COMPLETED, ReportStatus.SIGNED, DeliveryStatus.FAILED), "validé"),
        (ExamState(StepStatus.COMPLETED, ReportStatus.SIGNED, DeliveryStatus.DELIVERED), "envoyé"),
        (ExamState(StepStatus.COMPLETED, ReportStatus.CLOSED_WITHOUT_REPORT), "clos sans CR"),
    ],
)
def test_one_french_word_stands_for_the_three_machines(state: ExamState, word: str) -> None:
    assert status_of(state).word == word


def test_every_status_fits_the_terminal_column() -> None:
    for status in WorklistStatus:
        assert len(status.terminal) <= 9
        assert status.terminal.isascii()


def test_the_gravest_mark_is_shown() -> None:
    assert mark_of(["urgent", "identity_doubtful"]) == "ID"
    assert mark_of(["unscheduled"], awaiting_vetting=True) == "HD"
    assert mark_of([], awaiting_vetting=True) == "AP"
    assert mark_of([]) == ""
