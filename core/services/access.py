"""Who may open what: authorisation is checked per object here, never in a template. Without right: `NotFound`."""

from __future__ import annotations

from typing import Any

from core.errors import NotAllowed, NotFound
from core.i18n import _
from core.index.tables import Step, Study
from core.model.people import Actor, Role
from core.model.study import Match

DEPARTMENT = (
    Role.RADIOLOGIST,
    Role.RESIDENT,
    Role.TECHNOLOGIST,
    Role.LEAD_TECHNOLOGIST,
    Role.RECEPTION,
    Role.TYPIST,
    Role.IDENTITY_OFFICER,
    Role.ADMINISTRATOR,
    Role.SYSTEM,
)


def require(actor: Actor, *roles: Role) -> None:
    """Raises `NotAllowed` when the actor holds none of the roles; the box itself may always."""
    if not actor.is_any(Role.SYSTEM, *roles):
        raise NotAllowed(_("Votre rôle ne permet pas cet acte."))


def may_see_exam(actor: Actor, step: Any) -> bool:
    """The department sees every exam; a clinician those of the own ward and those the own ward asked for."""
    return may_see(actor, step.ward)


def may_see(actor: Actor, ward: str) -> bool:
    """Whether an exam asked for by this ward is this actor's business."""
    if actor.is_any(*DEPARTMENT):
        return True
    return actor.is_any(Role.CLINICIAN) and bool(actor.ward) and ward == actor.ward


def check_exam(actor: Actor, step_id: int) -> Any:
    """The row of an exam this actor may see. Raises `NotFound` otherwise, the same as for no exam at all."""
    step = Step.get_or_none(Step.id == step_id)
    if step is None or not may_see_exam(actor, step):
        raise hidden(_("Cet examen n'existe pas."), f"step:{step_id}" if step is not None else "")
    return step


def hidden(sentence: str, what: str) -> NotFound:
    """What this actor hears of a thing that is not their business: that there is none. The audit knows better."""
    fault = NotFound(sentence)
    fault.hidden = what
    return fault


def check_study(actor: Actor, study: Any | None) -> Any:
    """A study this actor may see. One whose identity is in doubt is closed to wards."""
    if study is not None:
        if actor.is_any(*DEPARTMENT):
            return study
        step = Step.get_or_none(Step.id == study.step_id) if study.step_id else None
        if study.match == str(Match.PRIOR) and any(may_see_exam(actor, exam) for exam in _exams_of(study.patient_id)):
            return study
        if step is not None and study.match != str(Match.UNRECONCILED) and may_see_exam(actor, step):
            return study
    raise hidden(_("Cette étude n'existe pas."), f"study:{study.id}" if study is not None else "")


def _exams_of(patient_id: int) -> Any:
    return Step.select(Step.id, Step.ward).where(Step.patient == patient_id)


def study_row(actor: Actor, study_id: int) -> Any:
    return check_study(actor, Study.get_or_none(Study.id == study_id))
