"""Doubts about whose images these are: the overlay, the exam's flag, one task. Everything runs inside one act."""

from __future__ import annotations

import json
from typing import Any

from core.i18n import _
from core.index.tables import Study
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.received import ReceivedHeader
from core.model.reconciliation import another_identity, spelled_identity
from core.model.step import Flag
from core.model.study import Match
from core.services.steps import flag, step_row
from core.services.tasks import ask, is_asked

RECONCILE = "reconcile"


def ask_whose(unit: Unit, actor: Actor, study: Any, why: str) -> None:
    """One open task for a study, however often it is doubted."""
    if not is_asked(RECONCILE, study.id):
        text = _("Images à rapprocher : %s (%s)") % (study.sent_name.replace("^", " "), why)
        ask(unit, RECONCILE, Role.TECHNOLOGIST, text, study_id=study.id)
    unit.audit(actor, "unreconciled", f"study:{study.id}", why=why)
    unit.event("alarm", "unreconciled")


def note_other_identity(unit: Unit, actor: Actor, study_id: int, header: ReceivedHeader, seen: str) -> bool:
    """A further image of a study spells its patient otherwise than the first. Whether the study is now in doubt.

    seen: spellings already judged, as JSON: each is judged and written once a study, not once an image.
    """
    spelled = spelled_identity(header)
    if spelled in json.loads(seen):
        return False
    study = Study.get_by_id(study_id)
    columns: dict[str, Any] = {"also_sent": (*study.also_sent, spelled)}
    why = another_identity(header, study.sent_name, study.sent_birth_date, study.sent_sex, study.sent_issuer)
    trusted = study.match != str(Match.UNRECONCILED)
    if why and not trusted:
        columns["why"] = f"{study.why} ; {why}"
    Study.update(**columns).where(Study.id == study_id).execute()
    if not (why and trusted):
        return False
    doubt_in_place(unit, actor, study, why)
    return True


def doubt_in_place(unit: Unit, actor: Actor, study: Any, why: str) -> None:
    """A study stays where it hangs, under the overlay; its exam is not signed until a person has decided."""
    Study.update(match=str(Match.UNRECONCILED), why=why, suspect_step_id=study.step_id).where(
        Study.id == study.id
    ).execute()
    ask_whose(unit, actor, study, why)
    if study.step_id:
        flag(unit, step_row(study.step_id), Flag.IDENTITY_DOUBTFUL)
