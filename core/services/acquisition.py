"""The technologist's keys: start, end, dose, verification, retakes; and the timer for machines that say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.errors import BadInput, Conflict, NotFound
from core.i18n import _
from core.index.exam_lines import exam_line
from core.index.tables import PerformedStepLink, ReportVersion, Step, Study
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.step import Flag, ReportEvent, StepEvent, StepStatus
from core.model.worklist import ExamLine
from core.services.kit import Kit
from core.services.orders import set_expected
from core.services.steps import advance, change, state_of, step_row

STABLE = timedelta(seconds=180)


@dataclass(frozen=True, slots=True)
class DoseEntry:
    """One dose as typed or measured: shown text such as « PDL 301 mGy.cm », and where it comes from."""

    text: str
    source: str = "manuel"  # RDSR, MPPS, en-tête, manuel


class Acquisition:
    """Verbs on the exam in the room."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def start(self, actor: Actor, step_id: int) -> ExamLine:
        """The patient is in the room (T6), where no machine says so."""

        def act(unit: Unit) -> None:
            advance(unit, actor, step_row(step_id), StepEvent.ACQUISITION_STARTED, started_at=unit.now)

        self._kit.act(actor, "start", act)
        return self._line(step_id)

    def complete(
        self, actor: Actor, step_id: int, dose: DoseEntry | None = None, expected_images: int | None = None
    ) -> ExamLine:
        """The acquisition is over (T7). A CT asks for its dose, from whatever source there is."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            if dose is not None and dose.text.strip():
                change(unit, row, dose=dose.text.strip(), dose_source=dose.source)
            if row.modality == "CT" and not row.dose and actor.is_any(Role.TECHNOLOGIST):
                raise BadInput(_("La dose est demandée pour un scanner (PDL, mGy.cm)."), "dose")
            if expected_images is not None:
                set_expected(unit, row, expected_images)
            advance(unit, actor, row, StepEvent.ACQUISITION_ENDED, ended_at=unit.now)

        self._kit.act(actor, "complete", act)
        return self._line(step_id)

    def discontinue(self, actor: Actor, step_id: int, reason: str) -> ExamLine:
        """The acquisition stopped before its end (T8); the images are kept."""

        def act(unit: Unit) -> None:
            advance(
                unit,
                actor,
                step_row(step_id),
                StepEvent.ACQUISITION_DISCONTINUED,
                reason=reason,
                ended_at=unit.now,
            )

        self._kit.act(actor, "discontinue", act)
        return self._line(step_id)

    def verify(self, actor: Actor, step_id: int, reason: str = "") -> ExamLine:
        """The images are all there (T9): the exam is to be read. Fewer than announced is flagged, never hidden."""
        self._kit.act(actor, "verify", lambda unit: verify_images(unit, actor, step_row(step_id), reason))
        return self._line(step_id)

    def retake(self, actor: Actor, step_id: int, reason: str) -> ExamLine:
        """Images must be taken again (T10); counted as a repeat."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            if ReportVersion.select().where(ReportVersion.step == step_id).exists():
                raise Conflict(_("Un compte rendu existe déjà : demandez au radiologue."))
            advance(unit, actor, row, StepEvent.RETAKE, reason=reason, ended_at=None, due_at=None)

        self._kit.act(actor, "retake", act)
        return self._line(step_id)

    def settle(self, actor: Actor) -> int:
        """Timer: an exam without MPPS whose images have stopped coming for 180 s is done (T7).

        One that nobody ordered is then to be read (T9): nobody waits at a console to verify it. The others keep the
        technologist's check. How many exams moved.
        """
        limit = self._kit.now() - STABLE
        stable = (
            Step.select(Step)
            .join(Study, on=(Study.step == Step.id))
            .where(Step.status == str(StepStatus.STARTED), Study.last_image_at < limit)
            .where(Step.id.not_in(PerformedStepLink.select(PerformedStepLink.step)))
            .group_by(Step.id)
        )
        moved = 0
        for step in stable:
            if not Study.select().where(Study.step == step.id, Study.last_image_at >= limit).exists():
                self._kit.act(actor, "settle", lambda unit, step_id=step.id: _settle(unit, actor, step_id))  # type: ignore[misc]
                moved += 1
        return moved

    def _line(self, step_id: int) -> ExamLine:
        line = exam_line(step_id)
        if line is None:
            raise NotFound(_("Cet examen n'existe pas."))
        return line


def verify_images(unit: Unit, actor: Actor, row: Any, reason: str = "") -> None:
    """T9 inside an act: counts the images against what was announced."""
    received = unit.sql("SELECT COALESCE(SUM(instances), 0) FROM study WHERE step_id = ?", (row.id,)).fetchone()[0]
    flags = set(row.flags)
    if row.expected_images is not None and received < row.expected_images:
        flags.add(str(Flag.INCOMPLETE))
    elif not Study.select().where(Study.step == row.id, Study.incomplete).exists():
        flags.discard(str(Flag.INCOMPLETE))
    advance(
        unit,
        actor,
        row,
        ReportEvent.IMAGES_VERIFIED,
        reason=reason,
        due_at=unit.now,
        flags=tuple(sorted(flags)),
    )


def _settle(unit: Unit, actor: Actor, step_id: int) -> None:
    row = step_row(step_id)
    if not state_of(row).allows(StepEvent.ACQUISITION_ENDED):
        return
    advance(unit, actor, row, StepEvent.ACQUISITION_ENDED, ended_at=unit.now)
    blocked = {str(Flag.INCOMPLETE), str(Flag.IDENTITY_DOUBTFUL), str(Flag.LATE_IMAGES)}
    if str(Flag.UNSCHEDULED) in row.flags and not blocked & set(row.flags):
        verify_images(unit, actor, row)
