"""What a rejection does to the index, inside acts: images leave their series, or come back to it.

An image without a series is met by nobody who comes through patient, study or series; its row, key and file stay.
"""

from __future__ import annotations

import json
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
from core.model.rejection import RESTORED_AGAIN, RejectionNote, Title
from core.model.step import Flag, ReportStatus
from core.services.steps import flag, step_row
from core.services.tasks import ask

_IN_FORCE = (
    "SELECT r.title FROM rejected_instance x JOIN rejection r ON r.id = x.rejection_id "
    "WHERE x.sop_instance_uid = ? AND x.restored_at IS NULL AND r.undone_at IS NULL ORDER BY r.id"
)
_HUNG = (
    "(SELECT h.series_id FROM rejected_instance h WHERE h.sop_instance_uid = i.sop_instance_uid "
    "AND h.series_id IS NOT NULL ORDER BY h.id LIMIT 1)"
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
    places = _places(unit, [image.sop_instance_uid for image in note.images])
    named: list[str] = []
    touched: set[int] = set()
    for image in note.images:
        series_id, study_id, study_uid = places.get(image.sop_instance_uid, (None, None, None))
        if study_uid not in (None, image.study_instance_uid):
            continue  # the UID of an image of another study: nothing is hidden by mistake
        unit.sql(
            "INSERT INTO rejected_instance (rejection_id, sop_instance_uid, series_id) VALUES (?, ?, ?)",
            (rejection.id, image.sop_instance_uid, series_id),
        )
        named.append(image.sop_instance_uid)
        touched |= {study_id} if study_id is not None else set()
    others = len(note.images) - len(named)
    _hide(unit, named)
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
    _hide(unit, [sop_instance_uid])
    _recount(unit, Series.get_by_id(series_id).study_id)


def restore(unit: Unit, sop_instance_uid: str) -> None:
    """The machine sent again an image whose rejection allows it."""
    RejectedInstance.update(restored_at=unit.now).where(
        RejectedInstance.sop_instance_uid == sop_instance_uid, RejectedInstance.restored_at.is_null()
    ).execute()
    _show(unit, [sop_instance_uid])


def take_back(unit: Unit, rejection_id: int) -> None:
    """The images of a rejection that was undone are shown again, unless another note hides them too."""
    rows = unit.sql("SELECT sop_instance_uid FROM rejected_instance WHERE rejection_id = ?", (rejection_id,))
    _show(unit, [row[0] for row in rows.fetchall()])


def _places(unit: Unit, uids: list[str]) -> dict[str, tuple[int | None, int | None, str | None]]:
    """Of the images that are here: the series where each hangs or hung, its study and Study Instance UID."""
    rows = unit.sql(
        f"SELECT i.sop_instance_uid, r.id, t.id, t.study_instance_uid FROM instance i "
        f"LEFT JOIN series r ON r.id = coalesce(i.series_id, {_HUNG}) LEFT JOIN study t ON t.id = r.study_id "
        "WHERE i.sop_instance_uid IN (SELECT value FROM json_each(?))",
        (json.dumps(uids),),
    )
    return {uid: (series, study, study_uid) for uid, series, study, study_uid in rows.fetchall()}


def _hide(unit: Unit, uids: list[str]) -> None:
    unit.sql(
        "UPDATE instance SET series_id = NULL WHERE series_id IS NOT NULL "
        "AND sop_instance_uid IN (SELECT value FROM json_each(?))",
        (json.dumps(uids),),
    )


def _show(unit: Unit, uids: list[str]) -> None:
    back = unit.sql(
        f"UPDATE instance AS i SET series_id = {_HUNG} WHERE i.series_id IS NULL AND {_HUNG} IS NOT NULL "
        f"AND NOT EXISTS (SELECT 1 FROM ({_IN_FORCE.replace('?', 'i.sop_instance_uid')})) "
        "AND i.sop_instance_uid IN (SELECT value FROM json_each(?)) RETURNING series_id",
        (json.dumps(uids),),
    ).fetchall()
    for study_id in sorted({Series.get_by_id(series_id).study_id for (series_id,) in set(back)}):
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
