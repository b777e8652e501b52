"""What a rejection does to the index, inside acts: images leave their series, or come back to it.

An image without a series is met by nobody who comes through patient, study or series; its row, key and file stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.archive.store import StoredFile
from core.i18n import _
from core.index.counting import SERIES, STUDY
from core.index.rows import insert
from core.index.tables import Instance, RejectedInstance, Rejection, Series, Study
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.model.received import Arrival, Stored, StoreOutcome
from core.model.rejection import RESTORED_AGAIN, RejectedImage, RejectionNote, Title
from core.model.step import Flag, ReportStatus
from core.services.steps import flag, step_row
from core.services.tasks import ask

_IN_FORCE = (
    "SELECT r.title FROM rejected_instance x JOIN rejection r ON r.id = x.rejection_id "
    "WHERE x.sop_instance_uid = ? AND x.restored_at IS NULL AND r.undone_at IS NULL ORDER BY r.id"
)


def titles_in_force(execute: Callable[[str, tuple[Any, ...]], Any], sop_instance_uid: str) -> frozenset[Title]:
    """Why this image is rejected now; none when it is not. execute: of an act, or of a reader."""
    return frozenset(Title(row[0]) for row in execute(_IN_FORCE, (sop_instance_uid,)).fetchall())


def insert_note(unit: Unit, actor: Actor, arrival: Arrival, stored: StoredFile) -> StoreOutcome | None:
    """A note and its effect; it hangs on no series either. None when its UID has a row already."""
    assert arrival.rejects is not None
    if Instance.select().where(Instance.sop_instance_uid == arrival.sop_instance_uid).exists():
        return None
    insert(
        Instance,
        key=stored.key,
        series=None,
        sop_instance_uid=arrival.sop_instance_uid,
        sop_class_uid=arrival.sop_class_uid,
        transfer_syntax=arrival.transfer_syntax,
        path=stored.path,
        size=stored.size,
        sha256=stored.sha256,
        calling_ae=arrival.sender.ae_title,
        address=arrival.sender.address,
        received_at=unit.now,
    )
    unit.audit(actor, "store", f"instance:{stored.key}", note=str(arrival.rejects.title))
    take_effect(unit, actor, arrival.rejects)
    return StoreOutcome(Stored.ARCHIVED)


def take_effect(unit: Unit, actor: Actor, note: RejectionNote) -> int:
    """The note hides its images; the same note again changes nothing. The number of the rejection."""
    known = Rejection.get_or_none(Rejection.note_uid == note.sop_instance_uid)
    if known is not None:
        return int(known.id)
    actor = note.by or actor
    rejection = insert(
        Rejection,
        note_uid=note.sop_instance_uid,
        title=str(note.title),
        study_instance_uid=note.images[0].study_instance_uid if note.images else "",
        actor=actor.name,
        origin=actor.origin,
        reason=note.reason,
        at=unit.now,
    )
    touched: set[int] = set()
    others = 0
    for image in note.images:
        series_id, study = _where(image)
        if study is not None and study.study_instance_uid != image.study_instance_uid:
            others += 1  # the UID of an image of another study: nothing is hidden by mistake
            continue
        insert(
            RejectedInstance,
            rejection=rejection.id,
            sop_instance_uid=image.sop_instance_uid,
            series_id=series_id,
        )
        if _hide(image.sop_instance_uid) and study is not None:
            touched.add(study.id)
    unit.audit(
        actor, "reject", f"rejection:{rejection.id}", title=str(note.title), images=len(note.images), ignored=others
    )
    unit.event("rejections", rejection.id)
    for study_id in sorted(touched):
        _recount(unit, study_id)
        _tell_reader(unit, study_id)
    if others:
        ask(
            unit, "rejection", Role.TECHNOLOGIST, _("Une note de rejet cite des images d'une autre étude : à vérifier.")
        )
    return int(rejection.id)


def hide_on_arrival(unit: Unit, sop_instance_uid: str, titles: frozenset[Title], sent: bool) -> None:
    """An image whose rejection came first is hidden as it comes, unless every title lets it come back.

    sent: by a machine; a file that was found on the disk brings nothing back.
    """
    if sent and titles <= RESTORED_AGAIN:
        restore(unit, sop_instance_uid)
        return
    series_id = Instance.get(Instance.sop_instance_uid == sop_instance_uid).series_id
    RejectedInstance.update(series_id=series_id).where(
        RejectedInstance.sop_instance_uid == sop_instance_uid, RejectedInstance.series_id.is_null()
    ).execute()
    study_id = Series.get_by_id(series_id).study_id
    _hide(sop_instance_uid)
    _recount(unit, study_id)


def restore(unit: Unit, sop_instance_uid: str) -> None:
    """The machine sent again an image whose rejection allows it."""
    for row in _rows_in_force(sop_instance_uid):
        RejectedInstance.update(restored_at=unit.now).where(RejectedInstance.id == row.id).execute()
    _show(unit, sop_instance_uid)


def take_back(unit: Unit, rejection: Any) -> None:
    """Its images are shown again, unless another note hides them too."""
    for row in list(RejectedInstance.select().where(RejectedInstance.rejection == rejection.id)):
        _show(unit, row.sop_instance_uid)


def _where(image: RejectedImage) -> tuple[int | None, Any | None]:
    """The series where the image hangs, or hung before it was hidden, and its study."""
    row = Instance.get_or_none(Instance.sop_instance_uid == image.sop_instance_uid)
    if row is None:
        return None, None
    series_id = row.series_id
    if series_id is None:
        before = RejectedInstance.select().where(
            RejectedInstance.sop_instance_uid == image.sop_instance_uid, RejectedInstance.series_id.is_null(False)
        )
        series_id = before[0].series_id if before.exists() else None
    series = Series.get_or_none(Series.id == series_id)
    return series_id, Study.get_by_id(series.study_id) if series is not None else None


def _rows_in_force(sop_instance_uid: str) -> list[Any]:
    return list(
        RejectedInstance.select()
        .join(Rejection)
        .where(
            RejectedInstance.sop_instance_uid == sop_instance_uid,
            RejectedInstance.restored_at.is_null(),
            Rejection.undone_at.is_null(),
        )
        .order_by(RejectedInstance.id)
    )


def _hide(sop_instance_uid: str) -> bool:
    hidden = Instance.update(series=None).where(
        Instance.sop_instance_uid == sop_instance_uid, Instance.series.is_null(False)
    )
    return bool(hidden.execute())


def _show(unit: Unit, sop_instance_uid: str) -> None:
    if _rows_in_force(sop_instance_uid):
        return
    hung = (
        RejectedInstance.select()
        .where(RejectedInstance.sop_instance_uid == sop_instance_uid, RejectedInstance.series_id.is_null(False))
        .order_by(RejectedInstance.id)
        .first()
    )
    if hung is None:
        return
    shown = Instance.update(series=hung.series_id).where(
        Instance.sop_instance_uid == sop_instance_uid, Instance.series.is_null()
    )
    if shown.execute():
        study_id = Series.get_by_id(hung.series_id).study_id
        _recount(unit, study_id)
        _came_back(unit, study_id)


def _came_back(unit: Unit, study_id: int) -> None:
    """For a report that is signed they are late images."""
    study = Study.get_by_id(study_id)
    if study.step_id is not None and step_row(study.step_id).report_status == ReportStatus.SIGNED:
        flag(unit, step_row(study.step_id), Flag.LATE_IMAGES)


def _recount(unit: Unit, study_id: int) -> None:
    """Counters and modalities of what is left to see."""
    unit.sql(SERIES, (study_id,))
    unit.sql(STUDY, (study_id,))
    seen = Series.select(Series.modality).where(Series.study == study_id, Series.instances > 0, Series.modality != "")
    Study.update(modalities=sorted({s.modality for s in seen})).where(Study.id == study_id).execute()
    study = Study.get_by_id(study_id)
    unit.event(f"study:{study_id}", study_id)
    if study.step_id is not None:
        unit.event(f"step:{study.step_id}", study.step_id)


def _tell_reader(unit: Unit, study_id: int) -> None:
    """Words were already written about images that nobody sees any more."""
    study = Study.get_by_id(study_id)
    if study.step_id is None:
        return
    step = step_row(study.step_id)
    if step.report_status in (ReportStatus.DICTATED, ReportStatus.TO_SIGN, ReportStatus.SIGNED):
        text = _("Images rejetées après le compte rendu : %s") % step.exam_label
        ask(unit, "rejected_after_report", Role.RADIOLOGIST, text, step_id=step.id, study_id=study_id)
