"""Rows behind a report: the lock, the draft, and versions that are frozen when they are written. Inside acts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.errors import Conflict
from core.i18n import _
from core.index.rows import insert
from core.index.tables import ReportDraft, ReportLock, database
from core.index.tables import ReportVersion as VersionRow
from core.index.writer import Unit
from core.model.people import Actor
from core.model.report import ReportText, ReportVersion, VersionState, VersionType
from core.services.delivery import close_rows


def version_of(row: Any) -> ReportVersion:
    return ReportVersion(
        id=row.id,
        step_id=row.step_id,
        version=row.version,
        type=VersionType(row.type),
        state=VersionState(row.state),
        author=row.author_name or row.author,
        signer=row.signer_name or row.signer,
        text=ReportText.from_json(row.text),
        sha256=row.sha256,
        at=row.at,
        discordance=row.discordance,
    )


def living_lock(step_id: int, now: datetime) -> Any | None:
    lock = ReportLock.get_or_none(ReportLock.step == step_id)
    return lock if lock is not None and lock.expires_at > now else None


def own_lock(actor: Actor, step_id: int, now: datetime) -> Any:
    lock = living_lock(step_id, now)
    if lock is None:
        raise Conflict(_("Le verrou a expiré : rouvrez le compte rendu."))
    if lock.owner != actor.name:
        raise Conflict(_("Compte rendu tenu par %s.") % lock.owner)
    return lock


def newest_image() -> int:
    """The number of the newest image of the archive. Images are late by their number, never by the clock."""
    return int(database.execute_sql("SELECT COALESCE(MAX(id), 0) FROM instance").fetchone()[0])


def words_know(step_id: int) -> int:
    """Up to which image the words of this exam were written: those of the draft, else those that are signed."""
    draft = ReportDraft.get_or_none(ReportDraft.step == step_id)
    words = draft or signed_version(step_id)
    return int(words.newest_image) if words is not None else newest_image()


def signed_version(step_id: int) -> Any | None:
    """The row of the version that is signed now."""
    mine = (VersionRow.step == step_id) & (VersionRow.state == str(VersionState.SIGNED))
    return VersionRow.select().where(mine).order_by(VersionRow.version.desc()).first()


def keep_draft(unit: Unit, actor: Actor, step_id: int, text: ReportText, knows: int) -> None:
    """knows: number of the newest image when the words were begun; keeping them again makes no later image older."""
    ReportDraft.insert(
        step=step_id, author=actor.name, text=text.canonical().decode(), saved_at=unit.now, newest_image=knows
    ).on_conflict_replace().execute()


def freeze(
    unit: Unit,
    actor: Actor,
    row: Any,
    text: ReportText,
    kind: VersionType,
    state: VersionState,
    signer: Actor | None = None,
    **columns: Any,
) -> Any:
    last = VersionRow.select(VersionRow.version).where(VersionRow.step == row.id).order_by(VersionRow.version.desc())
    draft = ReportDraft.get_or_none(ReportDraft.step == row.id)
    author = draft.author if draft else actor.name
    version = insert(
        VersionRow,
        step=row.id,
        version=(last.first().version if last.exists() else 0) + 1,
        type=str(kind),
        state=str(state),
        author=author,
        author_name=actor.full_name if author == actor.name else author,
        signer=signer.name if signer else "",
        signer_name=(signer.full_name or signer.name) if signer else "",
        text=text.canonical().decode(),
        sha256=text.sha256(),
        at=unit.now,
        **columns,
    )
    unit.audit(actor, str(state), f"report:{version.id}", row.patient_id, sha256=version.sha256)
    return version


def supersede(unit: Unit, step_id: int, *states: VersionState) -> None:
    """Earlier versions are replaced; their open deliveries close."""
    live = VersionRow.state.in_([str(s) for s in states])
    for earlier in VersionRow.select().where(VersionRow.step == step_id, live):
        VersionRow.update(state=str(VersionState.SUPERSEDED)).where(VersionRow.id == earlier.id).execute()
        close_rows(unit, earlier.id)
