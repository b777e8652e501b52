"""A line for people: what somebody must look at, what to do about it, and until when it waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.i18n import _
from core.model.people import Role


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One waiting line. ends_by_itself: it leaves with what it speaks of, nobody ticks it off."""

    id: int
    kind: str
    text: str
    role: Role
    asked_at: datetime
    step_id: int | None = None
    patient_id: int | None = None
    study_id: int | None = None
    ends_by_itself: bool = False

    @property
    def way_out(self) -> str:
        return way_out(self.kind)


def way_out(kind: str) -> str:
    """What to do about a kind of line, in French."""
    ways = {
        "reconcile": _("rattacher l'étude à son examen, ou l'écarter : liste « à rapprocher »"),
        "damaged": _("demander à la machine de renvoyer l'étude : la ligne part d'elle-même"),
        "done_though_canceled": _("rétablir l'examen, ou rattacher les images à un autre"),
        "late_cancel": _("voir avec le service si l'examen reste valable"),
        "indication": _("relire l'indication, prévenir le radiologue"),
        "merge": _("comparer les deux dossiers, puis fusionner ou refuser"),
        "identifier": _("comparer les dossiers qui portent ce numéro"),
        "order_unknown": _("retrouver la demande, ou la créer à l'accueil"),
        "order_exam": _("corriger la demande à l'accueil"),
        "order_patient": _("demander au service de qui est cette demande"),
        "mpps_patient": _("vérifier qui a été examiné, au besoin déplacer les images"),
        "rejected_after_report": _("relire le compte rendu, au besoin le corriger"),
        "commitment": _("renvoyer l'étude depuis la machine avant de l'y effacer"),
        "fetch": _("voir « yelen list fetches »"),
    }
    return ways.get(kind, _("vérifier"))
