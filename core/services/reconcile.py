"""« À rapprocher »: a person says which exam a study belongs to, or that it belongs to none."""

from __future__ import annotations

from typing import Any

from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.i18n import _
from core.index.patient_rows import current
from core.index.tables import Patient as PatientRow
from core.index.tables import ReportDraft, ReportLock, ReportVersion, Step, Study, Task
from core.index.writer import Unit
from core.model.names import search_key
from core.model.people import Actor, Role
from core.model.step import Flag, StepEvent, StepStatus
from core.model.study import Match, StudyLine
from core.services.access import DEPARTMENT, require
from core.services.doubts import RECONCILE
from core.services.image_rows import DONE_THOUGH_CANCELED, WAITING, done_though_canceled
from core.services.kit import Kit
from core.services.patient_acts import show_identity, shown_identity
from core.services.steps import advance, change, flag, state_of, step_row
from core.services.study_lines import study_line
from core.services.tasks import settle_of_step, settle_of_study

LISTED = 200


class Reconciliation:
    """Verbs on studies without a trusted exam."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def unmatched(self, actor: Actor) -> list[StudyLine]:
        """« À rapprocher », newest first: exams « hors demande », the overlay, images of cancelled exams."""
        require(actor, *DEPARTMENT)
        found: dict[int, Any] = {}
        for match in (Match.UNSCHEDULED, Match.UNRECONCILED):  # one after the other: each is read from its end
            wanted = (Study.match == str(match)) & (Study.instances > 0)
            found |= {s.id: s for s in Study.select().where(wanted).order_by(Study.id.desc()).limit(LISTED)}
        asked = Task.select(Task.step_id).where(Task.kind == DONE_THOUGH_CANCELED, Task.done_at.is_null())
        canceled = Step.select(Step.id).where(Step.id.in_(asked), Step.status == str(StepStatus.CANCELED))
        found |= {
            s.id: s for s in Study.select().where(Study.step.in_(canceled)).order_by(Study.id.desc()).limit(LISTED)
        }
        return [study_line(found[i]) for i in sorted(found, reverse=True)[:LISTED]]

    def attach(self, actor: Actor, study_id: int, step_id: int, reason: str) -> StudyLine:
        """A person says that this study is of that exam (T24). Refused once a radiologist has begun on either."""
        if not actor.is_any(Role.TECHNOLOGIST, Role.RECEPTION, Role.IDENTITY_OFFICER):
            raise NotAllowed(_("Votre rôle ne permet pas de rattacher des images."))
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            study, step = _study_row(study_id), step_row(step_id)
            before = (study.step_id, study.patient_id, study.match)
            stays = study.step_id == step.id  # the doubt is lifted, nothing moves
            for concerned in set() if stays else {study.step_id, step.id} - {None}:
                _refuse_when_being_read(concerned)
            former = step_row(study.step_id) if study.step_id else None
            unordered = stays and str(Flag.UNSCHEDULED) in step.flags
            match = Match.UNSCHEDULED if unordered else Match.MATCHED
            Study.update(patient=step.patient_id, step=step.id, suspect_step_id=None, match=str(match), why="").where(
                Study.id == study.id
            ).execute()
            settle_of_study(unit, actor, RECONCILE, study.id)
            show_identity(PatientRow.get_by_id(step.patient_id))
            _image_starts(unit, actor, step, f"attach:{study.id}")
            if step.status == str(StepStatus.CANCELED):
                done_though_canceled(unit, step)
            if former is not None and former.id != step.id:
                _left(unit, actor, former, reason)
            unit.audit(
                actor, "attach_study", f"study:{study.id}", step.patient_id, step=step.id, before=before, reason=reason
            )
            unit.event(f"study:{study.id}", study.id)
            change(unit, step)
            _settle_doubt(unit, study.suspect_step_id)

        self._kit.act(actor, "attach", act)
        return study_line(_study_row(study_id))

    def keep_as_prior(self, actor: Actor, study_id: int, patient_id: int, reason: str) -> StudyLine:
        """A person says whose these images are, and that they were taken and read elsewhere: no exam is to be read.

        Raises `NotFound`, `BadInput`, `Conflict` once a radiologist has begun on the exam they hang on.
        """
        require(actor, Role.TECHNOLOGIST, Role.IDENTITY_OFFICER)
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            study, patient = _study_row(study_id), current(patient_id)
            if patient is None:
                raise NotFound(_("Ce patient n'existe pas."))
            if study.step_id:
                _take_off(unit, actor, study, reason)
            Study.update(
                patient=patient.id, suspect_step_id=None, match=str(Match.PRIOR), why="", **shown_identity(patient)
            ).where(Study.id == study.id).execute()
            settle_of_study(unit, actor, RECONCILE, study.id)
            unit.audit(actor, "keep_as_prior", f"study:{study.id}", patient.id, reason=reason)
            unit.event(f"study:{study.id}", study.id)
            _settle_doubt(unit, study.suspect_step_id)

        self._kit.act(actor, "keep_as_prior", act)
        return study_line(_study_row(study_id))

    def dismiss(self, actor: Actor, study_id: int, reason: str) -> StudyLine:
        """These images were never of the exam they named: that exam is free of doubt, they stay under the overlay."""
        require(actor, Role.TECHNOLOGIST, Role.IDENTITY_OFFICER)
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            study = _study_row(study_id)
            if study.step_id:
                _take_off(unit, actor, study, reason)
            Study.update(suspect_step_id=None).where(Study.id == study.id).execute()
            settle_of_study(unit, actor, RECONCILE, study.id)
            unit.audit(actor, "dismiss_study", f"study:{study.id}", step=study.suspect_step_id, reason=reason)
            unit.event(f"study:{study.id}", study.id)
            _settle_doubt(unit, study.suspect_step_id)

        self._kit.act(actor, "dismiss", act)
        return study_line(_study_row(study_id))

    def detach(self, actor: Actor, study_id: int, reason: str) -> StudyLine:
        """These images are not of this child: back under the overlay until somebody knows."""
        if not actor.is_any(Role.TECHNOLOGIST, Role.IDENTITY_OFFICER):
            raise NotAllowed(_("Votre rôle ne permet pas de détacher des images."))
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            study = _study_row(study_id)
            _take_off(unit, actor, study, reason)
            unit.audit(actor, "detach_study", f"study:{study.id}", study.patient_id, step=study.step_id, reason=reason)
            unit.event(f"study:{study.id}", study.id)
            _settle_doubt(unit, study.suspect_step_id)

        self._kit.act(actor, "detach", act)
        return study_line(_study_row(study_id))


def _take_off(unit: Unit, actor: Actor, study: Any, reason: str) -> None:
    """A study leaves its exam and its child: from now on it shows what its images say."""
    if study.step_id:
        _refuse_when_being_read(study.step_id)
    Study.update(
        patient=None,
        step=None,
        suspect_step_id=None,
        match=str(Match.UNRECONCILED),
        why=_("détaché : %s") % reason,
        number=study.sent_id,
        name=study.sent_name,
        name_key=search_key(study.sent_name),
        birth_date=study.sent_birth_date,
        sex=study.sent_sex,
    ).where(Study.id == study.id).execute()
    if study.step_id:
        _left(unit, actor, step_row(study.step_id), reason)


def _image_starts(unit: Unit, actor: Actor, row: Any, cause: str) -> None:
    """Images that were attached by hand are as good as images that came by themselves."""
    if row.status in WAITING:
        machine = Actor.system(actor.name, actor.origin)
        advance(unit, machine, row, StepEvent.ACQUISITION_STARTED, source_key=cause, started_at=unit.now)


def _left(unit: Unit, actor: Actor, row: Any, reason: str) -> None:
    """A study has left this exam. One « hors demande » that has none left never took place: nobody is to read it."""
    empty = not Study.select().where(Study.step == row.id).exists()
    if empty and str(Flag.DONE_THOUGH_CANCELED) in row.flags:
        settle_of_step(unit, actor, DONE_THOUGH_CANCELED, row.id)
        flag(unit, row, Flag.DONE_THOUGH_CANCELED, on=False)
    emptied = empty and str(Flag.UNSCHEDULED) in row.flags
    if emptied and state_of(row).allows(StepEvent.EMPTIED):
        advance(unit, actor, row, StepEvent.EMPTIED, reason=reason)
    else:
        change(unit, row)


def _settle_doubt(unit: Unit, step_id: int | None) -> None:
    """An exam that no unreconciled study names any more is free of doubt."""
    if step_id is None:
        return
    left = Study.select().where(Study.suspect_step_id == step_id, Study.match == str(Match.UNRECONCILED)).exists()
    if not left:
        flag(unit, step_row(step_id), Flag.IDENTITY_DOUBTFUL, on=False)


def _study_row(study_id: int) -> Any:
    row = Study.get_or_none(Study.id == study_id)
    if row is None:
        raise NotFound(_("Cette étude n'existe pas."))
    return row


def _refuse_when_being_read(step_id: int) -> None:
    """Re-linking under a radiologist's hands is refused, with the name."""
    lock = ReportLock.get_or_none(ReportLock.step == step_id)
    draft = ReportDraft.get_or_none(ReportDraft.step == step_id)
    version = ReportVersion.get_or_none(ReportVersion.step == step_id)
    holder = lock.owner if lock else draft.author if draft else version.author if version else ""
    if holder:
        raise Conflict(_("Le compte rendu est commencé par %s : images non déplacées.") % holder)
