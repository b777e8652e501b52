"""Receiving one object: durable and indexed, or durable in quarantine, before anybody is told so.

Order (each step a crash point): checks, file written and fsynced, renamed, folder fsynced, then one act with the rows,
counters, audit and events; its commit is the promise behind a C-STORE success.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.archive.part10 import file_meta, same_object
from core.archive.store import PIECE, StoredFile
from core.errors import OutOfResources
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Instance, Quarantine
from core.index.writer import Unit
from core.model.identifiers import is_uid
from core.model.people import Actor, Role
from core.model.received import REASON_SENTENCES, Arrival, Reason, ReceivedHeader, Stored, StoreOutcome
from core.services.access import require
from core.services.image_rows import insert_image
from core.services.kit import Kit
from core.services.new_file import dropped_unless_named


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
        with dropped_unless_named(
            self._kit, stored, lambda: self._known(arrival.sop_instance_uid) == (stored.path, arrival.transfer_syntax)
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
            with dropped_unless_named(self._kit, stored, lambda: _in_quarantine(stored)):
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
        with dropped_unless_named(
            self._kit, stored, lambda: Instance.select().where(Instance.key == stored.key).exists()
        ):
            outcome = self._kit.index.writer.do(lambda unit: self._insert_once(unit, arrival, header, stored))
        if outcome is not None:
            return outcome
        self._kit.archive.drop(stored)  # another association was first
        known = self._known(header.sop_instance_uid)
        assert known is not None
        return self._again(arrival, *known)

    def _insert_once(
        self, unit: Unit, arrival: Arrival, header: ReceivedHeader, stored: StoredFile
    ) -> StoreOutcome | None:
        """None when the UID has a row already."""
        found = unit.sql("SELECT 1 FROM instance WHERE sop_instance_uid = ?", (header.sop_instance_uid,)).fetchone()
        return None if found else insert_image(unit, self._kit, _sender_of(arrival), arrival, header, stored)

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
