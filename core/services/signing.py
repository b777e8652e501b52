"""Nobody signs blind: what the signer must see, and what stands against the signature."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from core.errors import BadInput, Conflict, NotAllowed
from core.i18n import _
from core.index.tables import Instance, LateSeen, ReportLock, Series, Study
from core.index.tables import ReportVersion as VersionRow
from core.model.people import Actor
from core.model.report import Discordance, ReportText, SignerView, VersionState, VersionType
from core.model.step import Flag
from core.model.study import Match
from core.services.damaged import damaged_images
from core.services.seen import series_viewed
from core.services.steps import step_row


def signer_view(actor: Actor, step_id: int, text: ReportText) -> SignerView:
    """Everything that must be seen before the PIN, with the hash that the signature must carry."""
    row = step_row(step_id)
    studies = list(Study.select().where(Study.step == step_id))
    received = sum(s.instances for s in studies)
    late = late_keys(row, actor, [s.id for s in studies])
    unseen = tuple(k for k, seen in late if not seen)
    doubtful = str(Flag.IDENTITY_DOUBTFUL) in row.flags or any(s.match == str(Match.UNRECONCILED) for s in studies)
    announced = row.expected_images or 1  # who signs without any image says why
    missing = received < announced or bool(damaged_images([s.id for s in studies]))
    preliminary = (
        VersionRow.select()
        .where(VersionRow.step == step_id, VersionRow.type == str(VersionType.PRELIMINARY))
        .where(VersionRow.state == str(VersionState.RELEASED))
        .order_by(VersionRow.version.desc())
        .first()
    )
    view = SignerView(
        step_id=step_id,
        announced=row.expected_images,
        received=received,
        flags=tuple(row.flags),
        late_instances=tuple(k for k, _seen in late),
        series=tuple(series_viewed(actor, [s.id for s in studies])),
        text=text,
        blocked=_("Identité en cours de vérification : signature impossible.") if doubtful else "",
        reason_needed=missing or str(Flag.INCOMPLETE) in row.flags,
        preliminary_id=preliminary.id if preliminary else None,
        shown_hash="",
        unseen_late=unseen,
    )
    # Not how much was seen: a picture opened since then takes nothing from what was shown.
    series = [(s.series_id, s.images, s.pictures) for s in view.series]
    facts = [view.announced, received, row.flags, view.late_instances, series, text.sha256()]
    digest = hashlib.sha256(json.dumps(facts, ensure_ascii=False, default=str).encode()).hexdigest()
    return SignerView(**{f: getattr(view, f) for f in SignerView.__dataclass_fields__} | {"shown_hash": digest})


def check_view(view: SignerView, shown_hash: str, reason: str, discordance: str) -> None:
    if view.blocked:
        raise NotAllowed(view.blocked)
    if view.unseen_late:
        raise Conflict(_("Des images sont arrivées depuis l'ouverture : ouvrez-les ou accusez-les une par une."))
    if view.shown_hash != shown_hash:
        raise Conflict(_("Quelque chose a changé depuis l'aperçu : relisez avant de signer."))
    if view.reason_needed and not reason.strip():
        if not view.received:
            raise BadInput(
                _("Aucune image reçue : dites pourquoi signer, ou fermez l'examen sans compte rendu."), "reason"
            )
        raise BadInput(_("Examen incomplet : un motif est demandé pour signer."), "reason")
    if view.preliminary_id is not None and discordance not in list(Discordance):
        raise BadInput(_("Discordance avec le provisoire : aucune, mineure ou majeure."), "discordance")


def late_keys(row: Any, actor: Actor, study_ids: Iterable[int]) -> list[tuple[str, bool]]:
    """Images that came after the words in this person's hands were begun, and whether they were seen."""
    lock = ReportLock.get_or_none(ReportLock.step == row.id, ReportLock.owner == actor.name)
    if lock is None:
        return []
    late = (
        Instance.select(Instance.id, Instance.key)
        .join(Series, on=(Instance.series == Series.id))
        .where(Series.study.in_(list(study_ids)), Instance.id > lock.newest_image)
        .order_by(Instance.id)
    )
    rows = list(late)
    seen = {
        s.instance_id
        for s in LateSeen.select().where(LateSeen.login == actor.name, LateSeen.instance.in_([r.id for r in rows]))
    }
    return [(r.key, r.id in seen) for r in rows]
