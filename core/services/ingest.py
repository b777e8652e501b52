"""Receiving one object: durable and indexed, or durable in quarantine, before anybody is told so.

Order (each step a crash point): checks, file written and fsynced, renamed, folder fsynced, then one act with the rows,
counters, audit and events; its commit is the promise behind a C-STORE success.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from core.archive.part10 import file_meta, same_object
from core.archive.store import PIECE, StoredFile
from core.clock import stamp
from core.errors import OutOfResources
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Instance, Quarantine, Series, Study, Task
from core.index.writer import Unit
from core.model.identifiers import is_uid
from core.model.names import fold
from core.model.people import Actor, Role
from core.model.received import REASON_SENTENCES, Arrival, Reason, ReceivedHeader, Stored, StoreOutcome
from core.model.step import Flag, ReportStatus, StepEvent, StepStatus
from core.model.study import Match
from core.services.access import require
from core.services.kit import Kit
from core.services.matching import Place, find_place
from core.services.patients import show_identity
from core.services.steps import advance, flag, step_row

BULK = frozenset({"CT", "MR", "PT", "US", "XA", "RF", "NM"})
WAITING = (StepStatus.REQUESTED, StepStatus.SCHEDULED, StepStatus.ARRIVED, StepStatus.NO_SHOW)


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """Bytes kept aside: one line a person reads, with the reason in words."""

    id: int
    reason: Reason
    sentence: str
    detail: str
    patient_hint: str
    calling_ae: str
    received_at: datetime
    size: int
    path: str


class Ingest:
    """The one way in for objects, whatever door they came through."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def store(self, arrival: Arrival) -> StoreOutcome:
        """Keep an object: durable and indexed, or durable in quarantine, before this returns.

        Raises `OutOfResources` when the disk is below its reserve or refuses; nothing is then left behind.
        """
        self.check_room()
        refusal = _refusal(arrival)
        if refusal is not None:
            return self._keep_aside(arrival, refusal, arrival.refusal_detail)
        header = arrival.header
        assert header is not None
        if (known := self._known(header.sop_instance_uid)) is not None:
            return self._again(arrival, *known)
        stored = self._write(self._folder(header), _meta_of(arrival), arrival)
        return self._index(arrival, header, stored)

    def check_room(self) -> None:
        """Raises `OutOfResources` when the disk is below its reserve: a door may ask before it takes many bytes."""
        if self._kit.archive.free_percent() < self._kit.config.storage.reserve_percent:
            raise OutOfResources(_("Disque presque plein : plus aucune image n'est reçue."))

    def adopt(self, arrival: Arrival, stored: StoredFile) -> StoreOutcome:
        """Index a file that already lies in the archive without a row: after a cut, or from the files alone.

        The file stays where it lies. When its UID has a row already: DUPLICATE is a second copy that nobody needs,
        QUARANTINED other bytes, ARCHIVED a file that takes the place of one that has vanished.
        """
        header = arrival.header
        assert header is not None
        outcome = self._kit.index.writer.do(lambda unit: self._insert_once(unit, arrival, header, stored))
        if outcome is not None:
            return outcome
        known = self._known(header.sop_instance_uid)
        assert known is not None
        path, _syntax = known
        try:
            same = same_object(self._kit.archive.absolute(path), self._kit.archive.absolute(stored.path))
        except FileNotFoundError:
            self._take_the_place(arrival, path, stored)
            return StoreOutcome(Stored.ARCHIVED)
        if same:
            return StoreOutcome(Stored.DUPLICATE)
        if not _in_quarantine(stored):
            self._kit.index.writer.do(
                lambda unit: self._set_aside(
                    unit, arrival, Reason.DUPLICATE_CONFLICT, _("retrouvé après une coupure"), stored
                )
            )
        return StoreOutcome(Stored.QUARANTINED, Reason.DUPLICATE_CONFLICT)

    def _write(self, folder: str, meta: bytes, arrival: Arrival) -> StoredFile:
        if arrival.spooled:
            return self._kit.archive.store_spooled(folder, meta, Path(arrival.spooled))
        return self._kit.archive.store(folder, [meta, arrival.dataset])

    def _folder(self, header: ReceivedHeader) -> str:
        """The folder of the study's first receipt, of today for a new study."""
        found = self._kit.index.db.execute_sql(
            "SELECT folder FROM study WHERE study_instance_uid = ? LIMIT 1", (header.study_instance_uid,)
        ).fetchone()
        if found:
            return str(found[0])
        return self._kit.archive.folder_of(header.study_instance_uid, self._kit.today())

    def _known(self, sop_instance_uid: str) -> tuple[str, str] | None:
        found = self._kit.index.db.execute_sql(
            "SELECT path, transfer_syntax FROM instance WHERE sop_instance_uid = ?", (sop_instance_uid,)
        ).fetchone()
        return (found[0], found[1]) if found else None

    def _again(self, arrival: Arrival, path: str, syntax: str) -> StoreOutcome:
        """The same SOP Instance UID once more: the same bytes are a success, other bytes a conflict.

        When the file of the first arrival has vanished from the disk, a resend puts one in its place.
        """
        try:
            same = self._kit.archive.same_dataset(path, arrival.dataset, arrival.spooled)
        except FileNotFoundError:
            return self._put_back(arrival, path)
        if same and syntax == arrival.transfer_syntax:
            return StoreOutcome(Stored.DUPLICATE)
        return self._keep_aside(arrival, Reason.DUPLICATE_CONFLICT, "")

    def _put_back(self, arrival: Arrival, lost: str) -> StoreOutcome:
        stored = self._write(lost.rpartition("/")[0], _meta_of(arrival), arrival)
        with self._only_if_named(
            stored, lambda: self._known(arrival.sop_instance_uid) == (stored.path, arrival.transfer_syntax)
        ):
            self._take_the_place(arrival, lost, stored)
        return StoreOutcome(Stored.DUPLICATE)

    def _take_the_place(self, arrival: Arrival, lost: str, stored: StoredFile) -> None:
        """The row of a file that has vanished names this one from now on."""

        def act(unit: Unit) -> None:
            Instance.update(
                path=stored.path, size=stored.size, sha256=stored.sha256, transfer_syntax=arrival.transfer_syntax
            ).where(Instance.sop_instance_uid == arrival.sop_instance_uid, Instance.path == lost).execute()
            unit.audit(_sender_of(arrival), "put_back", f"instance:{stored.key}", lost=lost)
            unit.event("alarm", "archive")

        self._kit.index.writer.do(act)

    def _keep_aside(self, arrival: Arrival, reason: Reason, detail: str) -> StoreOutcome:
        """Quarantine. The third copy of the same conflicting bytes adds no file."""
        digest = _digest(arrival)
        twin = Quarantine.get_or_none(Quarantine.sha256 == digest, Quarantine.reason == str(reason))
        if twin is None:
            stored = self._write("quarantine", _meta_of(arrival), arrival)
            with self._only_if_named(stored, lambda: _in_quarantine(stored)):
                self._kit.index.writer.do(lambda unit: self._set_aside(unit, arrival, reason, detail, stored))
        return StoreOutcome(Stored.QUARANTINED, reason, detail)

    def _set_aside(self, unit: Unit, arrival: Arrival, reason: Reason, detail: str, stored: StoredFile) -> None:
        insert(
            Quarantine,
            reason=str(reason),
            detail=detail,
            sop_instance_uid=arrival.sop_instance_uid[:64],
            transfer_syntax=arrival.transfer_syntax,
            patient_hint=arrival.header.patient_name if arrival.header else "",
            path=stored.path,
            size=stored.size,
            sha256=stored.sha256,
            calling_ae=arrival.sender.ae_title,
            address=arrival.sender.address,
            received_at=unit.now,
        )
        unit.audit(_sender_of(arrival), "quarantine", f"file:{stored.key}", outcome="set aside", reason=str(reason))
        unit.event("alarm", "quarantine")

    def _index(self, arrival: Arrival, header: ReceivedHeader, stored: StoredFile) -> StoreOutcome:
        with self._only_if_named(stored, lambda: Instance.select().where(Instance.key == stored.key).exists()):
            outcome = self._kit.index.writer.do(lambda unit: self._insert_once(unit, arrival, header, stored))
        if outcome is not None:
            return outcome
        self._kit.archive.drop(stored)  # another association was first
        known = self._known(header.sop_instance_uid)
        assert known is not None
        return self._again(arrival, *known)

    @contextmanager
    def _only_if_named(self, stored: StoredFile, named: Callable[[], bool]) -> Iterator[None]:
        """The act that follows a new file. When it fails nothing was promised: the file goes, unless a row names it."""
        try:
            yield
        except Exception:
            if not named():
                self._kit.archive.drop(stored)
            raise

    def _insert_once(
        self, unit: Unit, arrival: Arrival, header: ReceivedHeader, stored: StoredFile
    ) -> StoreOutcome | None:
        """None when the UID has a row already."""
        found = unit.sql("SELECT 1 FROM instance WHERE sop_instance_uid = ?", (header.sop_instance_uid,)).fetchone()
        return None if found else self._insert(unit, _sender_of(arrival), arrival, header, stored)

    def _insert(
        self, unit: Unit, actor: Actor, arrival: Arrival, header: ReceivedHeader, stored: StoredFile
    ) -> StoreOutcome:
        """Study, series and instance rows, counters, and what the first image does to the exam."""
        now = stamp(unit.now)
        row = unit.sql(
            "SELECT s.id, s.step_id, s.match, s.modalities, p.status, p.report_status FROM study s "
            "LEFT JOIN step p ON p.id = s.step_id WHERE s.study_instance_uid = ? AND s.sent_id = ?",
            (header.study_instance_uid, header.patient_id),
        ).fetchone()
        if row is None:
            row = self._new_study(unit, actor, arrival, header, stored)
        study_id, step_id, match, modalities, status, report = row
        series_id = _series(unit, study_id, header)
        unit.sql(
            "INSERT INTO instance (key, series_id, sop_instance_uid, sop_class_uid, transfer_syntax, number, rows, "
            "columns, frames, path, size, sha256, incomplete, charset_suspect, lane, calling_ae, address, received_at)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                stored.key,
                series_id,
                header.sop_instance_uid,
                arrival.sop_class_uid,
                arrival.transfer_syntax,
                header.instance_number,
                header.rows,
                header.columns,
                max(header.number_of_frames or 1, 1),
                stored.path,
                stored.size,
                stored.sha256,
                header.incomplete,
                header.charset_suspect,
                "bulk" if header.modality in BULK else "small",
                arrival.sender.ae_title,
                arrival.sender.address,
                now,
            ),
        )
        unit.sql("UPDATE series SET instances = instances + 1 WHERE id = ?", (series_id,))
        unit.sql(
            "UPDATE study SET instances = instances + 1, bytes = bytes + ?, last_image_at = ? WHERE id = ?",
            (stored.size, now, study_id),
        )
        if header.modality and f'"{header.modality}"' not in modalities:
            _add_modality(study_id, header.modality)
        if header.incomplete:
            Study.update(incomplete=True).where(Study.id == study_id).execute()
        unit.audit(actor, "store", f"instance:{stored.key}", study=study_id)
        unit.event(f"study:{study_id}", study_id)
        if step_id is not None:
            self._image_of(unit, actor, step_id, status, report, header)
        return StoreOutcome(
            Stored.ARCHIVED, study_id=study_id, step_id=step_id, unreconciled=match == str(Match.UNRECONCILED)
        )

    def _image_of(
        self, unit: Unit, actor: Actor, step_id: int, status: str, report: str, header: ReceivedHeader
    ) -> None:
        """What an image does to its exam: the first one starts it, a late one is flagged."""
        unit.event(f"step:{step_id}", step_id)
        if status in WAITING:
            row = step_row(step_id)
            flags = set(row.flags)
            if status in (StepStatus.REQUESTED, StepStatus.NO_SHOW):
                flags.add(str(Flag.NO_APPOINTMENT))
            advance(
                unit,
                actor,
                row,
                StepEvent.ACQUISITION_STARTED,
                source_key=header.sop_instance_uid,
                started_at=unit.now,
                flags=tuple(sorted(flags)),
            )
        elif status == StepStatus.CANCELED:
            _done_though_canceled(unit, step_row(step_id))
        elif report == ReportStatus.SIGNED:
            flag(unit, step_row(step_id), Flag.LATE_IMAGES)
        if header.incomplete:
            flag(unit, step_row(step_id), Flag.INCOMPLETE)

    def _new_study(
        self, unit: Unit, actor: Actor, arrival: Arrival, header: ReceivedHeader, stored: StoredFile
    ) -> tuple[Any, ...]:
        place = find_place(unit, self._kit, actor, header, arrival.sender)
        study = insert(
            Study,
            study_instance_uid=header.study_instance_uid,
            sent_id=header.patient_id,
            sent_issuer=header.issuer_of_patient_id,
            sent_name=header.patient_name,
            sent_birth_date=header.patient_birth_date,
            sent_sex=header.patient_sex,
            patient=place.patient.id if place.patient else None,
            step=place.step.id if place.step else None,
            suspect_step_id=place.suspect.id if place.suspect else None,
            match=str(place.match),
            why=place.why,
            folder=stored.path.rpartition("/")[0],
            accession_number=header.accession_number,
            study_id=header.study_id,
            study_date=header.study_date,
            study_time=header.study_time,
            description=header.study_description,
            referring_physician=header.referring_physician,
            modalities=(header.modality,) if header.modality else (),
            number=header.patient_id,
            name=header.patient_name,
            name_key=fold(header.patient_name.replace("^", " ")),
            birth_date=header.patient_birth_date,
            sex=header.patient_sex,
            device=arrival.sender.ae_title,
            received_at=unit.now,
        )
        _tell_new_study(unit, actor, study, place)
        step = place.step
        return (
            study.id,
            step.id if step else None,
            str(place.match),
            f'["{header.modality}"]',
            step.status if step else None,
            step.report_status if step else None,
        )

    def quarantine(self, actor: Actor) -> list[QuarantineLine]:
        """What waits outside the archive for a person."""
        require(actor, Role.TECHNOLOGIST, Role.LEAD_TECHNOLOGIST, Role.IDENTITY_OFFICER, Role.ADMINISTRATOR)
        rows = Quarantine.select().where(Quarantine.settled_at.is_null()).order_by(Quarantine.id.desc()).limit(500)
        return [
            QuarantineLine(
                r.id,
                Reason(r.reason),
                _(REASON_SENTENCES[Reason(r.reason)]),
                r.detail,
                r.patient_hint,
                r.calling_ae,
                r.received_at,
                r.size,
                r.path,
            )
            for r in rows
        ]


def _sender_of(arrival: Arrival) -> Actor:
    return Actor.system("dicom", f"dicom {arrival.sender.ae_title}@{arrival.sender.address}")


def _in_quarantine(stored: StoredFile) -> bool:
    return Quarantine.select().where(Quarantine.path == stored.path).exists()


def _refusal(arrival: Arrival) -> Reason | None:
    """Why these bytes go to quarantine; None when they are an object."""
    if arrival.refusal is not None:
        return arrival.refusal
    header = arrival.header
    if header is None:
        return Reason.BAD_STRUCTURE
    if not header.study_instance_uid or not header.series_instance_uid or not header.sop_instance_uid:
        return Reason.MISSING_UID
    uids = (header.sop_instance_uid, header.study_instance_uid, header.series_instance_uid, arrival.sop_instance_uid)
    if not all(is_uid(uid) for uid in uids):
        return Reason.UID_INVALID
    if header.sop_instance_uid != arrival.sop_instance_uid or header.sop_class_uid != arrival.sop_class_uid:
        return Reason.UID_MISMATCH
    return None


def _meta_of(arrival: Arrival) -> bytes:
    """Preamble and file meta of the file to be written; identifiers are cut at 64 characters for quarantine."""
    return file_meta(
        arrival.sop_class_uid[:64], arrival.sop_instance_uid[:64], arrival.transfer_syntax, arrival.sender.ae_title
    )


def _digest(arrival: Arrival) -> str:
    """The hash the quarantined file would have."""
    digest = hashlib.sha256(_meta_of(arrival))
    if arrival.spooled:
        with open(arrival.spooled, "rb") as spool:
            while piece := spool.read(PIECE):
                digest.update(piece)
    else:
        digest.update(arrival.dataset)
    return digest.hexdigest()


def _series(unit: Unit, study_id: int, header: ReceivedHeader) -> int:
    found = unit.sql(
        "SELECT id FROM series WHERE study_id = ? AND series_instance_uid = ?", (study_id, header.series_instance_uid)
    ).fetchone()
    if found:
        return int(found[0])
    row = insert(
        Series,
        study=study_id,
        series_instance_uid=header.series_instance_uid,
        modality=header.modality,
        number=header.series_number,
        description=header.series_description,
        body_part=header.body_part,
        laterality=header.laterality,
        station=header.station_name,
    )
    unit.sql("UPDATE study SET series = series + 1 WHERE id = ?", (study_id,))
    return int(row.id)


def _add_modality(study_id: int, modality: str) -> None:
    study = Study.get_by_id(study_id)
    if modality not in study.modalities:
        Study.update(modalities=sorted({*study.modalities, modality})).where(Study.id == study_id).execute()


def _tell_new_study(unit: Unit, actor: Actor, study: Any, place: Place) -> None:
    if place.match is Match.UNRECONCILED:
        insert(
            Task,
            kind="reconcile",
            study_id=study.id,
            role=str(Role.TECHNOLOGIST),
            text=_("Images à rapprocher : %s (%s)") % (study.sent_name.replace("^", " "), place.why),
            created_at=unit.now,
        )
        unit.audit(actor, "unreconciled", f"study:{study.id}", why=place.why)
        unit.event("alarm", "unreconciled")
        if place.suspect is not None:
            flag(unit, place.suspect, Flag.IDENTITY_DOUBTFUL)
    elif place.patient is not None:
        show_identity(place.patient)
    unit.event("studies", study.id)


def _done_though_canceled(unit: Unit, row: Any) -> None:
    if str(Flag.DONE_THOUGH_CANCELED) in row.flags:
        return
    flag(unit, row, Flag.DONE_THOUGH_CANCELED)
    insert(
        Task,
        kind="done_though_canceled",
        step_id=row.id,
        role=str(Role.RECEPTION),
        text=_("Annulé mais réalisé : %s") % row.exam_label,
        created_at=unit.now,
    )
