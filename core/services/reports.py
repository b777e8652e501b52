"""Writing, releasing and signing reports. Nobody signs blind; what is signed is frozen; delivery follows by rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from core.errors import BadInput, Conflict, NotAllowed, NotFound
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
    Viewed,
)
from core.index.tables import ReportVersion as VersionRow
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.report import (
    Discordance,
    ReportDesk,
    ReportText,
    ReportVersion,
    SeriesViewed,
    SignerView,
    VersionState,
    VersionType,
)
from core.model.step import Flag, ReportEvent, ReportStatus, StepStatus
from core.model.study import Match
from core.model.worklist import ExamLine
from core.services.access import check_exam
from core.services.delivery import close_rows, open_rows, read_by
from core.services.kit import Kit
from core.services.people import People
from core.services.steps import advance, flag, state_of, step_row
from core.services.templates import templates_for

READERS = (Role.RADIOLOGIST, Role.RESIDENT)
QUALITIES = ("", "APERÇU", "RÉDUIT", "COMPLET")
OPEN_REPORTS = (ReportStatus.DUE, ReportStatus.DICTATED, ReportStatus.TO_SIGN)


class Reports:
    """Verbs on reports."""

    def __init__(self, kit: Kit, people: People) -> None:
        self._kit = kit
        self._people = people

    def reading_list(self, actor: Actor) -> list[ExamLine]:
        """What is to be read: urgent first, then who waits longest. Unscheduled ones from their first image."""
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
            opened = lock.opened_at if lock is not None and lock.owner == actor.name else unit.now
            ReportLock.insert(
                step=step_id, owner=actor.name, opened_at=opened, expires_at=expires
            ).on_conflict_replace().execute()
            if lock is None or lock.owner != actor.name:
                unit.audit(actor, "open_report", f"step:{step_id}", row.patient_id)
                unit.event(f"report:{step_id}", step_id)
                unit.event("reading", step_id)

        self._kit.act(actor, "open_report", act)
        return self.desk(actor, step_id)

    def desk(self, actor: Actor, step_id: int) -> ReportDesk:
        """What is on the desk, without taking the lock."""
        check_exam(actor, step_id)
        lock = _living_lock(step_id, self._kit.now())
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
            lock = _own_lock(actor, step_id, unit.now)
            expires = unit.now + timedelta(minutes=self._kit.config.reports.lock_minutes)
            ReportLock.update(expires_at=expires).where(ReportLock.step == lock.step_id).execute()
            _keep_draft(unit, actor, step_id, text)
            return unit.now

        return self._kit.act(actor, "save_draft", act)

    def submit(self, actor: Actor, step_id: int, text: ReportText) -> None:
        """The text is ready for signature (T13, T12 after a dictation)."""
        text.check_conclusion()

        def act(unit: Unit) -> None:
            _own_lock(actor, step_id, unit.now)
            row = step_row(step_id)
            dictated = row.report_status == str(ReportStatus.DICTATED)
            advance(unit, actor, row, ReportEvent.TEXT_TYPED if dictated else ReportEvent.DRAFT_SUBMITTED)
            _keep_draft(unit, actor, step_id, text)

        self._kit.act(actor, "submit_report", act)

    def dictated(self, actor: Actor, step_id: int) -> None:
        """Dictated, to be typed (T11)."""

        def act(unit: Unit) -> None:
            _own_lock(actor, step_id, unit.now)
            advance(unit, actor, step_row(step_id), ReportEvent.DICTATION_SAVED)

        self._kit.act(actor, "dictated", act)

    # Versions

    def versions(self, actor: Actor, step_id: int) -> list[ReportVersion]:
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
            _own_lock(actor, step_id, unit.now)
            row = step_row(step_id)
            _make_due(unit, actor, row)
            advance(unit, actor, row, ReportEvent.PRELIMINARY_RELEASED)
            _supersede(unit, step_id, VersionState.RELEASED)
            version = _freeze(unit, actor, row, text, VersionType.PRELIMINARY, VersionState.RELEASED)
            _keep_draft(unit, actor, step_id, text)
            flag(unit, row, Flag.PRELIMINARY_RELEASED)
            open_rows(unit, self._kit, row, version, preliminary=True)
            return int(version.id)

        return self.version(actor, self._kit.act(actor, "release_preliminary", act))

    # Signing

    def viewed(self, actor: Actor, series_id: int, quality: str) -> None:
        """The viewer says how well a series was really shown; the best one per person is kept."""
        if quality not in QUALITIES:
            raise BadInput(_("Qualité inconnue."), "quality")
        seen = Viewed.get_or_none(Viewed.series == series_id, Viewed.login == actor.name)
        if seen is not None and QUALITIES.index(seen.quality) >= QUALITIES.index(quality):
            return

        def act(unit: Unit) -> None:
            Viewed.insert(
                series=series_id, login=actor.name, quality=quality, at=unit.now
            ).on_conflict_replace().execute()

        self._kit.act(actor, "viewed", act)

    def acknowledge_late(self, actor: Actor, step_id: int, key: str) -> None:
        """The signer has seen an image that came after the report was opened."""
        instance = Instance.get_or_none(Instance.key == key)
        if instance is None:
            raise NotFound(_("Cette image n'existe pas."))

        def act(unit: Unit) -> None:
            seen = LateSeen.insert(instance=instance.id, login=actor.name, at=unit.now)
            seen.on_conflict_ignore().execute()
            unit.audit(actor, "acknowledge_late", f"instance:{key}", step=step_id)

        self._kit.act(actor, "acknowledge_late", act)

    def signer_view(self, actor: Actor, step_id: int, text: ReportText) -> SignerView:
        """Everything that must be seen before the PIN, with the hash that the signature must carry."""
        check_exam(actor, step_id)
        return self._signer_view(actor, step_id, text)

    def _signer_view(self, actor: Actor, step_id: int, text: ReportText) -> SignerView:
        row = step_row(step_id)
        studies = list(Study.select().where(Study.step == step_id))
        received = sum(s.instances for s in studies)
        late = _late_keys(row, actor, [s.id for s in studies])
        unseen = tuple(k for k, seen in late if not seen)
        doubtful = str(Flag.IDENTITY_DOUBTFUL) in row.flags or any(s.match == str(Match.UNRECONCILED) for s in studies)
        missing = row.expected_images is not None and received < row.expected_images
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
            series=tuple(_series_viewed(actor, [s.id for s in studies])),
            text=text,
            blocked=_("Identité en cours de vérification : signature impossible.") if doubtful else "",
            reason_needed=missing or str(Flag.INCOMPLETE) in row.flags,
            preliminary_id=preliminary.id if preliminary else None,
            shown_hash="",
            unseen_late=unseen,
        )
        facts = [view.announced, received, row.flags, view.late_instances, [str(s) for s in view.series], text.sha256()]
        digest = hashlib.sha256(json.dumps(facts, ensure_ascii=False, default=str).encode()).hexdigest()
        return SignerView(**{f: getattr(view, f) for f in SignerView.__dataclass_fields__} | {"shown_hash": digest})

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
            _own_lock(actor, step_id, unit.now)
            row = step_row(step_id)
            view = self._signer_view(actor, step_id, text)
            _check_view(view, shown_hash, reason, discordance)
            _make_due(unit, actor, row)
            revision = row.report_status == str(ReportStatus.SIGNED)
            if revision and str(Flag.CORRECTION_OPEN) not in row.flags:
                raise Conflict(_("Ce compte rendu est déjà signé : ouvrez une correction."))
            advance(unit, actor, row, ReportEvent.SIGNED, reason=reason)
            _supersede(unit, step_id, VersionState.RELEASED, VersionState.SIGNED)
            kind = VersionType.CORRECTION if revision else VersionType.INITIAL
            version = _freeze(
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
        """T17: the old version stays readable and says that a correction is under way."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            advance(unit, actor, row, ReportEvent.REVISION_OPENED, reason=reason)
            flag(unit, row, Flag.CORRECTION_OPEN)
            last = VersionRow.select().where(VersionRow.step == step_id).order_by(VersionRow.version.desc()).first()
            if last is not None:
                _keep_draft(unit, actor, step_id, ReportText.from_json(last.text))

        self._kit.act(actor, "open_correction", act)
        return self.open(actor, step_id)

    def close_without_report(self, actor: Actor, step_id: int, reason: str) -> None:
        """T9b: nobody will report this exam; it stays searchable and counted."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            begun = ReportDraft.get_or_none(ReportDraft.step == step_id) or _living_lock(step_id, unit.now)
            if begun or VersionRow.select().where(VersionRow.step == step_id).exists():
                raise Conflict(_("Un compte rendu est commencé."))
            advance(unit, actor, row, ReportEvent.REPORT_WAIVED, reason=reason)

        self._kit.act(actor, "close_without_report", act)

    # The ward

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
        """Somebody on the ward has heard the critical result."""

        def act(unit: Unit) -> None:
            row = step_row(step_id)
            flag(unit, row, Flag.CRITICAL_UNACKNOWLEDGED, on=False)
            unit.audit(actor, "acknowledge_critical", f"step:{step_id}", row.patient_id)

        check_exam(actor, step_id)
        self._kit.act(actor, "acknowledge_critical", act)

    def templates(self, exam_code: str, modality: str = "") -> list[tuple[str, ReportText]]:
        """Report templates for an exam, the best fitting first."""
        return templates_for(exam_code, modality)


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


def _check_reader(actor: Actor) -> None:
    if not actor.is_any(*READERS):
        raise NotAllowed(_("Seul un radiologue ou un interne rédige un compte rendu."))


def _living_lock(step_id: int, now: datetime) -> Any | None:
    lock = ReportLock.get_or_none(ReportLock.step == step_id)
    return lock if lock is not None and lock.expires_at > now else None


def _own_lock(actor: Actor, step_id: int, now: datetime) -> Any:
    lock = _living_lock(step_id, now)
    if lock is None:
        raise Conflict(_("Le verrou a expiré : rouvrez le compte rendu."))
    if lock.owner != actor.name:
        raise Conflict(_("Compte rendu tenu par %s.") % lock.owner)
    return lock


def _keep_draft(unit: Unit, actor: Actor, step_id: int, text: ReportText) -> None:
    ReportDraft.insert(
        step=step_id, author=actor.name, text=text.canonical().decode(), saved_at=unit.now
    ).on_conflict_replace().execute()


def _make_due(unit: Unit, actor: Actor, row: Any) -> None:
    """A radiologist alone on call verifies the images himself: T9 before the report."""
    if row.report_status == str(ReportStatus.NOT_DUE) and state_of(row).allows(ReportEvent.IMAGES_VERIFIED):
        reason = _("radiologue seul : images vérifiées à la lecture")
        advance(unit, actor, row, ReportEvent.IMAGES_VERIFIED, reason=reason, due_at=unit.now)


def _freeze(
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
    version = VersionRow.create(
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


def _supersede(unit: Unit, step_id: int, *states: VersionState) -> None:
    """Earlier versions are replaced; their open deliveries close."""
    live = VersionRow.state.in_([str(s) for s in states])
    for earlier in VersionRow.select().where(VersionRow.step == step_id, live):
        VersionRow.update(state=str(VersionState.SUPERSEDED)).where(VersionRow.id == earlier.id).execute()
        close_rows(unit, earlier.id)


def _check_view(view: SignerView, shown_hash: str, reason: str, discordance: str) -> None:
    if view.blocked:
        raise NotAllowed(view.blocked)
    if view.unseen_late:
        raise Conflict(_("Des images sont arrivées depuis l'ouverture : ouvrez-les ou accusez-les une par une."))
    if view.shown_hash != shown_hash:
        raise Conflict(_("Quelque chose a changé depuis l'aperçu : relisez avant de signer."))
    if view.reason_needed and not reason.strip():
        raise BadInput(_("Examen incomplet : un motif est demandé pour signer."), "reason")
    if view.preliminary_id is not None and discordance not in list(Discordance):
        raise BadInput(_("Discordance avec le provisoire : aucune, mineure ou majeure."), "discordance")


def _late_keys(row: Any, actor: Actor, study_ids: Iterable[int]) -> list[tuple[str, bool]]:
    """Images that came after this person opened the report, and whether they were seen."""
    lock = ReportLock.get_or_none(ReportLock.step == row.id, ReportLock.owner == actor.name)
    if lock is None:
        return []
    late = (
        Instance.select(Instance.id, Instance.key)
        .join(Series, on=(Instance.series == Series.id))
        .where(Series.study.in_(list(study_ids)), Instance.received_at > lock.opened_at)
        .order_by(Instance.id)
    )
    rows = list(late)
    seen = {
        s.instance_id
        for s in LateSeen.select().where(LateSeen.login == actor.name, LateSeen.instance.in_([r.id for r in rows]))
    }
    return [(r.key, r.id in seen) for r in rows]


def _series_viewed(actor: Actor, study_ids: Iterable[int]) -> list[SeriesViewed]:
    series = list(Series.select().where(Series.study.in_(list(study_ids))).order_by(Series.number, Series.id))
    seen = {
        v.series_id: v.quality
        for v in Viewed.select().where(Viewed.login == actor.name, Viewed.series.in_([s.id for s in series]))
    }
    return [
        SeriesViewed(s.id, s.description or s.modality or str(s.number or ""), s.instances, seen.get(s.id, ""))
        for s in series
    ]
