"""Writing, releasing and signing reports. Nobody signs blind; what is signed is frozen; delivery follows by rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from core.errors import Conflict, NotAllowed, NotFound
from core.i18n import _
from core.index.exam_lines import exam_lines
from core.index.tables import (
    Instance,
    LateSeen,
    ReportDraft,
    ReportLock,
    Series,
    Step,
    Study,
)
from core.index.tables import ReportVersion as VersionRow
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.report import (
    ReportDesk,
    ReportText,
    ReportVersion,
    SignerView,
    VersionState,
    VersionType,
)
from core.model.step import Flag, ReportEvent, ReportStatus, StepStatus
from core.model.worklist import ExamLine
from core.services.access import check_exam, require
from core.services.delivery import open_rows, read_by
from core.services.kit import Kit
from core.services.people import People
from core.services.report_rows import (
    freeze,
    keep_draft,
    living_lock,
    newest_image,
    own_lock,
    signed_version,
    supersede,
    version_of,
    words_know,
)
from core.services.seen import Picture, add, check_quality, is_known, places_of
from core.services.signing import check_view, signer_view
from core.services.steps import advance, flag, state_of, step_row, touch
from core.services.templates import templates_for

READERS = (Role.RADIOLOGIST, Role.RESIDENT)
OPEN_REPORTS = (ReportStatus.DUE, ReportStatus.DICTATED, ReportStatus.TO_SIGN)


class Reports:
    """Verbs on reports."""

    def __init__(self, kit: Kit, people: People) -> None:
        self._kit = kit
        self._people = people

    def reading_list(self, actor: Actor) -> list[ExamLine]:
        """What is to be read: urgent first, then who waits longest. Unscheduled ones from their first image."""
        require(actor, *READERS, Role.TYPIST, Role.LEAD_TECHNOLOGIST, Role.TECHNOLOGIST)
        due = Step.report_status.in_([str(s) for s in OPEN_REPORTS])
        unscheduled = (
            (Step.report_status == "NOT_DUE")
            & Step.status.in_([str(StepStatus.STARTED), str(StepStatus.COMPLETED)])
            & Step.flags.contains(f'"{Flag.UNSCHEDULED}"')
        )
        urgent = Step.urgency == "N"  # false sorts first
        waited = (Step.due_at.is_null(), Step.due_at, Step.started_at, Step.id)
        return exam_lines(due | unscheduled, (urgent, *waited), limit=300)

    # The desk

    def open(self, actor: Actor, step_id: int) -> ReportDesk:
        """Take the report: 30 minutes, renewed by every draft. When another holds it, the desk is for reading only."""
        _check_reader(actor)
        check_exam(actor, step_id)

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            lock = ReportLock.get_or_none(ReportLock.step == step_id)
            if lock is not None and lock.owner != actor.name and lock.expires_at > unit.now:
                return
            expires = unit.now + timedelta(minutes=self._kit.config.reports.lock_minutes)
            held = lock if lock is not None and lock.owner == actor.name else None
            ReportLock.insert(
                step=step_id,
                owner=actor.name,
                opened_at=held.opened_at if held else unit.now,
                expires_at=expires,
                newest_image=held.newest_image if held else words_know(step_id),
            ).on_conflict_replace().execute()
            if held is None:
                unit.audit(actor, "open_report", f"step:{step_id}", row.patient_id)
                unit.event(f"report:{step_id}", step_id)
                unit.event("reading", step_id)

        self._kit.act(actor, "open_report", act)
        return self.desk(actor, step_id)

    def desk(self, actor: Actor, step_id: int) -> ReportDesk:
        """What is on the desk, without taking the lock: words that nobody answers for yet are not for the wards."""
        require(actor, *READERS, Role.TYPIST)
        check_exam(actor, step_id)
        lock = living_lock(step_id, self._kit.now())
        draft = ReportDraft.get_or_none(ReportDraft.step == step_id)
        return ReportDesk(
            step_id=step_id,
            draft=ReportText.from_json(draft.text) if draft else ReportText(),
            draft_saved_at=draft.saved_at if draft else None,
            lock_owner=lock.owner if lock else "",
            lock_expires_at=lock.expires_at if lock else None,
            mine=bool(lock and lock.owner == actor.name),
            opened_at=lock.opened_at if lock else None,
            versions=tuple(self.versions(actor, step_id)),
        )

    def release_lock(self, actor: Actor, step_id: int) -> None:
        def act(unit: Unit) -> None:
            mine = (ReportLock.step == step_id) & (ReportLock.owner == actor.name)
            if ReportLock.delete().where(mine).execute():
                unit.event(f"report:{step_id}", step_id)
                unit.event("reading", step_id)

        self._kit.act(actor, "release_lock", act)

    def save_draft(self, actor: Actor, step_id: int, text: ReportText) -> datetime:
        """Keep the words typed so far; whoever holds the lock, at every pause. The lock is renewed."""

        def act(unit: Unit) -> datetime:
            lock = own_lock(actor, step_id, unit.now)
            expires = unit.now + timedelta(minutes=self._kit.config.reports.lock_minutes)
            ReportLock.update(expires_at=expires).where(ReportLock.step == lock.step_id).execute()
            keep_draft(unit, actor, step_id, text, lock.newest_image)
            return unit.now

        return self._kit.act(actor, "save_draft", act)

    def submit(self, actor: Actor, step_id: int, text: ReportText) -> None:
        """The text is ready for signature (T13, T12 after a dictation)."""
        text.check_conclusion()

        def act(unit: Unit) -> None:
            lock = own_lock(actor, step_id, unit.now)
            row = step_row(step_id)
            dictated = row.report_status == str(ReportStatus.DICTATED)
            advance(unit, actor, row, ReportEvent.TEXT_TYPED if dictated else ReportEvent.DRAFT_SUBMITTED)
            keep_draft(unit, actor, step_id, text, lock.newest_image)

        self._kit.act(actor, "submit_report", act)

    def dictated(self, actor: Actor, step_id: int) -> None:
        """Dictated, to be typed (T11)."""

        def act(unit: Unit) -> None:
            own_lock(actor, step_id, unit.now)
            advance(unit, actor, step_row(step_id), ReportEvent.DICTATION_SAVED)

        self._kit.act(actor, "dictated", act)

    # Versions

    def versions(self, actor: Actor, step_id: int) -> list[ReportVersion]:
        """Every frozen version of an exam this actor may see, in order."""
        check_exam(actor, step_id)
        rows = VersionRow.select().where(VersionRow.step == step_id).order_by(VersionRow.version)
        return [version_of(r) for r in rows]

    def version(self, actor: Actor, version_id: int) -> ReportVersion:
        """One version this actor may read. Raises `NotFound`."""
        row = VersionRow.get_or_none(VersionRow.id == version_id)
        if row is None:
            raise NotFound(_("Ce compte rendu n'existe pas."))
        check_exam(actor, row.step_id)
        return version_of(row)

    def current(self, actor: Actor, step_id: int) -> ReportVersion | None:
        """What the ward reads now: the newest signed version, else the newest released preliminary."""
        check_exam(actor, step_id)
        live = VersionRow.state.in_([str(VersionState.SIGNED), str(VersionState.RELEASED)])
        row = VersionRow.select().where(VersionRow.step == step_id, live).order_by(VersionRow.version.desc()).first()
        return version_of(row) if row else None

    def release_preliminary(self, actor: Actor, step_id: int, text: ReportText, secret: str) -> ReportVersion:
        """The ward may read this now, under « PROVISOIRE – NON VALIDÉ » (T13b)."""
        text.check_conclusion()
        _check_reader(actor)
        self._people.confirm(actor, secret)

        def act(unit: Unit) -> int:
            knows = own_lock(actor, step_id, unit.now).newest_image
            row = step_row(step_id)
            _make_due(unit, actor, row)
            advance(unit, actor, row, ReportEvent.PRELIMINARY_RELEASED)
            supersede(unit, step_id, VersionState.RELEASED)
            version = freeze(unit, actor, row, text, VersionType.PRELIMINARY, VersionState.RELEASED, newest_image=knows)
            keep_draft(unit, actor, step_id, text, knows)
            flag(unit, row, Flag.PRELIMINARY_RELEASED)
            open_rows(unit, self._kit, row, version, preliminary=True)
            return int(version.id)

        return self.version(actor, self._kit.act(actor, "release_preliminary", act))

    # Signing

    def viewed(self, actor: Actor, series_id: int, quality: str, pictures: Iterable[Picture]) -> None:
        """The viewer says which pictures of a series were really on the screen, and how well they were shown."""
        _check_reader(actor)
        check_quality(quality)
        bits = places_of(actor, series_id, pictures)
        if not is_known(actor, series_id, bits, quality):
            self._kit.act(actor, "viewed", lambda unit: add(unit, actor, series_id, bits, quality))

    def acknowledge_late(self, actor: Actor, step_id: int, key: str) -> None:
        """The signer has seen an image that came after the report was opened."""
        _check_reader(actor)
        images = Instance.select(Instance.id).join(Series).join(Study)
        instance = images.where(Instance.key == key, Study.step == step_id).first()
        if instance is None:
            raise NotFound(_("Cette image n'existe pas."))

        def act(unit: Unit) -> None:
            seen = LateSeen.insert(instance=instance.id, login=actor.name, at=unit.now)
            seen.on_conflict_ignore().execute()
            unit.audit(actor, "acknowledge_late", f"instance:{key}", step=step_id)

        self._kit.act(actor, "acknowledge_late", act)

    def signer_view(self, actor: Actor, step_id: int, text: ReportText) -> SignerView:
        """Everything that must be seen before the PIN, with the hash that the signature must carry."""
        _check_reader(actor)
        check_exam(actor, step_id)
        return signer_view(actor, step_id, text)

    def sign(
        self,
        actor: Actor,
        step_id: int,
        text: ReportText,
        secret: str,
        shown_hash: str,
        reason: str = "",
        discordance: str = "",
        critical: bool = False,
    ) -> ReportVersion:
        """T15: freeze the text under the signer's name.

        Raises `Conflict` when something changed since the signer's view, `BadInput` for a missing answer,
        `NotAllowed` for a wrong PIN or another role.
        """
        text.check_conclusion()
        if not actor.is_any(Role.RADIOLOGIST):
            raise NotAllowed(_("Seul un radiologue senior signe un compte rendu."))
        self._people.confirm(actor, secret)

        def act(unit: Unit) -> int:
            own_lock(actor, step_id, unit.now)
            row = step_row(step_id)
            view = signer_view(actor, step_id, text)
            check_view(view, shown_hash, reason, discordance)
            _make_due(unit, actor, row)
            revision = row.report_status == str(ReportStatus.SIGNED)
            if revision and str(Flag.CORRECTION_OPEN) not in row.flags:
                raise Conflict(_("Ce compte rendu est déjà signé : ouvrez une correction."))
            advance(unit, actor, row, ReportEvent.SIGNED, reason=reason)
            supersede(unit, step_id, VersionState.RELEASED, VersionState.SIGNED)
            kind = VersionType.CORRECTION if revision else VersionType.INITIAL
            version = freeze(
                unit,
                actor,
                row,
                text,
                kind,
                VersionState.SIGNED,
                signer=actor,
                discordance=discordance,
                critical=critical,
                signer_view=json.dumps([view.announced, view.received, view.flags, [str(s) for s in view.series]]),
                reason=reason,
                newest_image=newest_image(),  # what came late was seen one by one
            )
            ReportDraft.delete().where(ReportDraft.step == step_id).execute()
            ReportLock.delete().where(ReportLock.step == step_id).execute()
            flag(unit, row, Flag.PRELIMINARY_RELEASED, Flag.CORRECTION_OPEN, Flag.LATE_IMAGES, on=False)
            if critical:
                flag(unit, row, Flag.CRITICAL_UNACKNOWLEDGED)
            open_rows(unit, self._kit, row, version, preliminary=False)
            unit.event(f"report:{step_id}", step_id)
            return int(version.id)

        return self.version(actor, self._kit.act(actor, "sign", act))

    def open_correction(self, actor: Actor, step_id: int, reason: str) -> ReportDesk:
        """T17: the old version stays readable and says that a correction is under way.

        One that is already open is taken up where it stands, with the words typed so far.
        """
        require(actor, Role.RADIOLOGIST)

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            lock = living_lock(step_id, unit.now)
            if lock is not None and lock.owner != actor.name:
                raise Conflict(_("Compte rendu tenu par %s.") % lock.owner)
            if str(Flag.CORRECTION_OPEN) in row.flags:
                return
            advance(unit, actor, row, ReportEvent.REVISION_OPENED, reason=reason)
            flag(unit, row, Flag.CORRECTION_OPEN)
            signed = signed_version(step_id)
            if signed is not None:
                keep_draft(unit, actor, step_id, ReportText.from_json(signed.text), signed.newest_image)

        self._kit.act(actor, "open_correction", act)
        return self.open(actor, step_id)

    def close_without_report(self, actor: Actor, step_id: int, reason: str) -> None:
        """T9b: nobody will report this exam; it stays searchable and counted."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            begun = ReportDraft.get_or_none(ReportDraft.step == step_id) or living_lock(step_id, unit.now)
            if begun or VersionRow.select().where(VersionRow.step == step_id).exists():
                raise Conflict(_("Un compte rendu est commencé."))
            advance(unit, actor, row, ReportEvent.REPORT_WAIVED, reason=reason)

        self._kit.act(actor, "close_without_report", act)

    # The ward

    def opened(self, actor: Actor, version_id: int) -> None:
        """Somebody reads these words now: audited, whoever it is."""
        version = self.version(actor, version_id)

        def act(unit: Unit) -> None:
            patient_id = step_row(version.step_id).patient_id
            unit.audit(actor, "view_report", f"report:{version_id}", patient_id, version=version.version)

        self._kit.act(actor, "view_report", act)

    def mark_read(self, actor: Actor, version_id: int) -> bool:
        """Delivery by reading: a clinician of the ordering ward opened it. True when that counts."""
        version = self.version(actor, version_id)

        def act(unit: Unit) -> bool:
            row = step_row(version.step_id)
            if not actor.is_any(Role.CLINICIAN) or not actor.ward or actor.ward != row.ward:
                return False
            return read_by(unit, actor, row, version_id)

        return self._kit.act(actor, "read_report", act)

    def acknowledge_critical(self, actor: Actor, step_id: int) -> None:
        """Somebody who treats the child has heard the critical result, or the reader who called them says so."""
        require(actor, Role.CLINICIAN, *READERS, Role.LEAD_TECHNOLOGIST)
        check_exam(actor, step_id)

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            if str(Flag.CRITICAL_UNACKNOWLEDGED) not in row.flags:
                raise Conflict(_("Aucun résultat critique n'attend ici."))
            flag(unit, row, Flag.CRITICAL_UNACKNOWLEDGED, on=False)
            unit.audit(actor, "acknowledge_critical", f"step:{step_id}", row.patient_id)

        self._kit.act(actor, "acknowledge_critical", act)

    def release_expired(self) -> None:
        """Timer: a report that nobody has touched for half an hour is free again, and the lists say so."""
        if not ReportLock.select().where(ReportLock.expires_at < self._kit.now()).exists():
            return

        def act(unit: Unit) -> None:
            for lock in list(ReportLock.select().where(ReportLock.expires_at < unit.now)):
                ReportLock.delete().where(ReportLock.step == lock.step_id).execute()
                unit.event(f"report:{lock.step_id}", lock.step_id)
                touch(unit, step_row(lock.step_id))

        self._kit.index.writer.do(act)

    def templates(self, exam_code: str, modality: str = "") -> list[tuple[str, ReportText]]:
        """Report templates for an exam, the best fitting first."""
        return templates_for(exam_code, modality)


def _check_reader(actor: Actor) -> None:
    if not actor.is_any(*READERS):
        raise NotAllowed(_("Seul un radiologue ou un interne rédige un compte rendu."))


def _make_due(unit: Unit, actor: Actor, row: Any) -> None:
    """A radiologist alone on call verifies the images himself: T9 before the report."""
    if row.report_status == str(ReportStatus.NOT_DUE) and state_of(row).allows(ReportEvent.IMAGES_VERIFIED):
        reason = _("radiologue seul : images vérifiées à la lecture")
        advance(unit, actor, row, ReportEvent.IMAGES_VERIFIED, reason=reason, due_at=unit.now)
