"""The verbs of rejection: a person rejects images and takes it back; how often images are taken again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from peewee import fn

from core.errors import BadInput, Conflict, NotFound, OutOfResources
from core.i18n import _
from core.index.tables import Instance, RejectedInstance, Rejection, Series, Step, StepHistory, Study
from core.index.writer import Unit
from core.model.identifiers import random_uid
from core.model.people import Actor, Role
from core.model.received import Arrival, Sender, Stored
from core.model.rejection import (
    KEY_OBJECT_SELECTION,
    NoteDraft,
    RejectedImage,
    RejectionLine,
    RejectionNote,
    RepeatRate,
    Title,
    sentence_of,
)
from core.model.step import StepEvent
from core.services.access import require, study_row
from core.services.ingest import Ingest
from core.services.kit import Kit
from core.services.ports import Ports
from core.services.rejecting import take_back

EXPLICIT_LE = "1.2.840.10008.1.2.1"
_LEADING = (Role.LEAD_TECHNOLOGIST, Role.IDENTITY_OFFICER)
_MAY: dict[Title, tuple[Role, ...]] = {
    Title.QUALITY: (Role.TECHNOLOGIST, *_LEADING),
    Title.WRONG_WORKLIST_ENTRY: (Role.TECHNOLOGIST, *_LEADING),
    Title.SAFETY: _LEADING,
    Title.RETENTION_EXPIRED: (Role.ADMINISTRATOR,),
}
_MAY_UNDO: dict[Title, tuple[Role, ...]] = {
    **dict.fromkeys(Title, (*_LEADING, Role.ADMINISTRATOR)),
    Title.SAFETY: (Role.IDENTITY_OFFICER,),
}


class Rejections:
    """Rejecting writes a note like a machine would, stores it like any object, and lets it take effect."""

    def __init__(self, kit: Kit, ports: Ports, ingest: Ingest) -> None:
        self._kit = kit
        self._ports = ports
        self._ingest = ingest

    def reject(self, actor: Actor, keys: Sequence[str], title: Title, reason: str) -> int:
        """Hide images of one study, by their keys. The number of the rejection.

        Raises `NotAllowed`, `BadInput` without a reason or an image, `NotFound` for an image nobody sees.
        """
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")
        if not keys:
            raise BadInput(_("Aucune image choisie."), "keys")
        self._kit.act(actor, "reject", lambda _unit: require(actor, *_MAY[title]))
        study, images = self._named(actor, keys)
        note = RejectionNote(random_uid(), title, images, actor, reason.strip())
        self._store(note, study)
        return int(Rejection.get(Rejection.note_uid == note.sop_instance_uid).id)

    def _named(self, actor: Actor, keys: Sequence[str]) -> tuple[Any, tuple[RejectedImage, ...]]:
        rows: Any = (
            Instance.select(Instance, Series.study.alias("study_id"), Series.series_instance_uid)
            .join(Series, on=(Instance.series == Series.id))
            .where(Instance.key.in_(list(keys)))
            .order_by(Series.number, Instance.number, Instance.id)
            .objects()
        )
        found = list(rows)
        studies = {row.study_id for row in found}
        if len(found) != len(set(keys)) or not studies:
            raise NotFound(_("Cette image n'existe pas."))
        if len(studies) > 1:
            raise BadInput(_("Une note ne rejette que les images d'une étude."), "keys")
        study = study_row(actor, studies.pop())
        return study, tuple(
            RejectedImage(study.study_instance_uid, r.series_instance_uid, r.sop_class_uid, r.sop_instance_uid)
            for r in found
        )

    def _store(self, note: RejectionNote, study: Any) -> None:
        if self._ports.write_note is None or self._ports.read_header is None:
            raise OutOfResources(_("Les notes de rejet ne sont pas disponibles."))
        content = self._ports.write_note(self._draft(note, study))
        sender = Sender(self._kit.config.dicom.ae_title, "", known=True)
        header = self._ports.read_header(content, EXPLICIT_LE)
        uid = note.sop_instance_uid
        outcome = self._ingest.store(
            Arrival(sender, KEY_OBJECT_SELECTION, uid, EXPLICIT_LE, content, header, rejects=note)
        )
        if outcome.what is not Stored.ARCHIVED:
            raise Conflict(_("La note de rejet n'a pas pu être enregistrée."))

    def _draft(self, note: RejectionNote, study: Any) -> NoteDraft:
        return NoteDraft(
            sop_instance_uid=note.sop_instance_uid,
            series_instance_uid=random_uid(),
            title=note.title,
            images=note.images,
            reason=note.reason,
            at=self._kit.local(self._kit.now()),
            patient_id=study.sent_id,
            issuer_of_patient_id=study.sent_issuer,
            patient_name=study.sent_name,
            patient_birth_date=study.sent_birth_date,
            patient_sex=study.sent_sex,
            study_instance_uid=study.study_instance_uid,
            study_date=study.study_date,
            study_time=study.study_time,
            study_id=study.study_id,
            accession_number=study.accession_number,
            referring_physician=study.referring_physician,
        )

    def undo(self, actor: Actor, rejection_id: int, reason: str) -> None:
        """A person takes a rejection back: its images are shown again where they were."""
        if not reason.strip():
            raise BadInput(_("Un motif est demandé."), "reason")

        def act(unit: Unit) -> None:
            row = Rejection.get_or_none(Rejection.id == rejection_id)
            if row is None or not _may_know(actor, row):
                raise NotFound(_("Aucun rejet de ce numéro."))
            require(actor, *_MAY_UNDO[Title(row.title)])
            if row.undone_at is not None:
                raise Conflict(_("Ce rejet est déjà levé."))
            Rejection.update(undone_at=unit.now, undone_by=actor.name, undone_why=reason.strip()).where(
                Rejection.id == rejection_id
            ).execute()
            take_back(unit, rejection_id)
            unit.audit(actor, "unreject", f"rejection:{rejection_id}", title=row.title, reason=reason.strip())
            unit.event("rejections", rejection_id)

        self._kit.act(actor, "unreject", act)

    def lines(self, actor: Actor, study_id: int | None = None, limit: int = 200) -> list[RejectionLine]:
        """What was rejected, newest first. Rejections for the patient's safety are for identitovigilance alone."""
        require(actor, Role.TECHNOLOGIST, *_LEADING, Role.RADIOLOGIST, Role.ADMINISTRATOR)
        count = fn.COUNT(RejectedInstance.id).alias("images")
        rows: Any = (
            Rejection.select(Rejection, count)
            .join(RejectedInstance, on=(RejectedInstance.rejection == Rejection.id), join_type="LEFT JOIN")
            .group_by(Rejection.id)
            .order_by(Rejection.id.desc())
            .limit(limit)
        )
        if study_id is not None:
            rows = rows.where(Rejection.study_instance_uid == study_row(actor, study_id).study_instance_uid)
        return [_line(row, study_id) for row in rows if _may_know(actor, row)]

    def repeat_rate(self, actor: Actor, first: date, last: date) -> list[RepeatRate]:
        """By modality, from the first day to the last: images kept and rejected for quality, exams taken again."""
        require(actor, Role.TECHNOLOGIST, *_LEADING, Role.RADIOLOGIST, Role.DIRECTOR, Role.ADMINISTRATOR)
        kept = _kept(first, last)
        rejected = _rejected(self._moment(first), self._moment(last + timedelta(days=1)))
        retakes = _retakes(self._moment(first), self._moment(last + timedelta(days=1)))
        return [
            RepeatRate(modality, kept.get(modality, 0), rejected.get(modality, 0), retakes.get(modality, 0))
            for modality in sorted({*kept, *rejected, *retakes})
        ]

    def _moment(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._kit.config.site.timezone)


def _may_know(actor: Actor, row: Any) -> bool:
    return row.title != str(Title.SAFETY) or actor.is_any(Role.IDENTITY_OFFICER)


def _line(row: Any, study_id: int | None) -> RejectionLine:
    title = Title(row.title)
    return RejectionLine(
        id=row.id,
        title=title,
        sentence=sentence_of(title),
        study_instance_uid=row.study_instance_uid,
        study_id=study_id,
        images=row.images,
        by=row.actor,
        reason=row.reason,
        at=row.at,
        undone_at=row.undone_at,
        undone_by=row.undone_by,
    )


def _kept(first: date, last: date) -> dict[str, int]:
    rows: Any = (
        Series.select(Series.modality, fn.SUM(Series.instances))
        .join(Study, on=(Series.study == Study.id))
        .where(Study.study_date.between(f"{first:%Y%m%d}", f"{last:%Y%m%d}"), Series.instances > 0)
        .group_by(Series.modality)
        .tuples()
    )
    return dict(rows)


def _rejected(since: datetime, before: datetime) -> dict[str, int]:
    rows: Any = (
        RejectedInstance.select(Series.modality, fn.COUNT(fn.DISTINCT(RejectedInstance.sop_instance_uid)))
        .join(Rejection)
        .switch(RejectedInstance)
        .join(Series, on=(Series.id == RejectedInstance.series_id))
        .where(
            Rejection.title == str(Title.QUALITY),
            Rejection.undone_at.is_null(),
            Rejection.at >= since,
            Rejection.at < before,
        )
        .group_by(Series.modality)
        .tuples()
    )
    return dict(rows)


def _retakes(since: datetime, before: datetime) -> dict[str, int]:
    rows: Any = (
        StepHistory.select(Step.modality, fn.COUNT(StepHistory.id))
        .join(Step, on=(StepHistory.step == Step.id))
        .where(
            StepHistory.machine == "step",
            StepHistory.event == str(StepEvent.RETAKE),
            StepHistory.at >= since,
            StepHistory.at < before,
        )
        .group_by(Step.modality)
        .tuples()
    )
    return dict(rows)
