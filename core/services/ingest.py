"""Receiving one object: durable and indexed, or durable in quarantine, before anybody is told so.

Order (each step a crash point): checks, file written and fsynced, renamed, folder fsynced, then one act with the rows,
counters, audit and events; its commit is the promise behind a C-STORE success.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from core.archive.disk import Buffer
from core.archive.part10 import file_meta, same_object
from core.archive.store import PIECE, StoredFile, pieces_of
from core.errors import BadInput, BadMessage, Conflict, NotFound, OutOfResources
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Instance, Quarantine
from core.index.writer import Unit
from core.model.identifiers import is_uid
from core.model.people import Actor, Role
from core.model.received import REASON_SENTENCES, Arrival, Reason, ReceivedHeader, Stored, StoreOutcome
from core.model.rejection import KEY_OBJECT_SELECTION, REFUSED_AGAIN, RESTORED_AGAIN
from core.services.access import require
from core.services.cut_pixels import with_flag
from core.services.damaged import Content, data_set_of, heal, is_whole, mark, promised_meta, refuse_ours
from core.services.image_rows import insert_image
from core.services.kit import Kit
from core.services.new_file import dropped_unless_named
from core.services.originals import is_copy_of, is_original, remember, weigh_again
from core.services.ports import Ports
from core.services.rejecting import hide_on_arrival, insert_note, restore, take_effect, titles_in_force

ARRIVING = 64  # studies that are remembered while they arrive


KEEPERS = (Role.TECHNOLOGIST, Role.LEAD_TECHNOLOGIST, Role.IDENTITY_OFFICER, Role.ADMINISTRATOR)


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


@dataclass(frozen=True, slots=True)
class _Arriving:
    """A study while it arrives. held: its images, when all came since we know it; then others need no look-up.

    Only ever spares a question: the row decides, in the act that writes it.
    """

    folder: str
    held: set[str] | None = None

    def may_hold(self, sop_instance_uid: str) -> bool:
        return self.held is None or sop_instance_uid in self.held

    def note(self, sop_instance_uid: str) -> None:
        if self.held is not None:
            self.held.add(sop_instance_uid)


class Ingest:
    """The one way in for objects, whatever door they came through."""

    def __init__(self, kit: Kit, ports: Ports) -> None:
        self._kit = kit
        self._ports = ports
        self.arrived_at = float("-inf")  # monotonic; what can wait does so while images arrive
        self._arriving: dict[str, _Arriving] = {}  # by Study Instance UID

    def store(self, arrival: Arrival) -> StoreOutcome:
        """Keep an object: durable and indexed, or durable in quarantine, before this returns.

        Raises `OutOfResources` when the disk is below its reserve or refuses; nothing is then left behind.
        """
        self.arrived_at = self._kit.clock.monotonic()
        self.check_room()
        refusal = _refusal(arrival)
        if refusal is not None:
            return self._keep_aside(arrival, refusal, arrival.refusal_detail)
        header = with_flag(arrival)
        study = self._study_of(header)
        if study.may_hold(header.sop_instance_uid) and (known := self._known(header.sop_instance_uid)) is not None:
            return self._sent_again(arrival, *known)
        stored = self._write(study.folder, _meta_of(arrival), arrival)
        outcome = self._index(arrival, header, stored)
        study.note(header.sop_instance_uid)
        return outcome

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
        if header.sop_class_uid == KEY_OBJECT_SELECTION:
            arrival = self._with_note(arrival, stored)
        outcome = self._insert(arrival, header, stored, adopting=True)
        if outcome is not None:
            return outcome
        row = Instance.get(Instance.sop_instance_uid == header.sop_instance_uid)
        if (ours := self._other_form(arrival, row, stored)) is not None:
            return ours
        archive = self._kit.archive
        try:
            same = same_object(archive.absolute(row.path), archive.absolute(stored.path))
        except (BadMessage, OSError) as fault:
            same = _says_nothing_of(fault)
        if same:
            return StoreOutcome(Stored.DUPLICATE)
        whole = is_whole(archive, row)
        content = data_set_of(archive.absolute(stored.path))
        if not whole and arrival.transfer_syntax == row.transfer_syntax and promised_meta(archive, row, content):
            self._take_the_place(arrival, row, stored)
            return StoreOutcome(Stored.ARCHIVED)
        if not _in_quarantine(stored):
            reason, detail = Reason.DUPLICATE_CONFLICT, _("retrouvé après une coupure")
            self._kit.index.writer.do(lambda unit: self._set_aside(unit, arrival, reason, detail, stored))
        return StoreOutcome(
            Stored.QUARANTINED, Reason.DUPLICATE_CONFLICT, damaged="" if whole else self._mark(arrival, row)
        )

    def _other_form(self, arrival: Arrival, row: Any, stored: StoredFile) -> StoreOutcome | None:
        """A file that is the same image as its row's, compressed here without loss, or as it was before that.

        It takes the place of one that is damaged or has vanished: of a backup's row, the original may be gone.
        """
        content = data_set_of(self._kit.archive.absolute(stored.path))
        if not is_copy_of(row, arrival.made_from) and not is_original(row, arrival.transfer_syntax, content):
            return None
        if row.path == stored.path or is_whole(self._kit.archive, row):
            return StoreOutcome(Stored.DUPLICATE)
        self._take_the_place(arrival, row, stored)
        return StoreOutcome(Stored.ARCHIVED)

    def _with_note(self, arrival: Arrival, stored: StoredFile) -> Arrival:
        """What was rejected stays rejected when the index is made again from the files."""
        if self._ports.read_note is None:
            return arrival
        content = b"".join(bytes(piece) for piece in data_set_of(self._kit.archive.absolute(stored.path))())
        return replace(arrival, rejects=self._ports.read_note(content, arrival.transfer_syntax))

    def _write(self, folder: str, meta: bytes, arrival: Arrival) -> StoredFile:
        if arrival.spooled:
            return self._kit.archive.store_spooled(folder, meta, Path(arrival.spooled))
        return self._kit.archive.store(folder, [meta, arrival.dataset])

    def _study_of(self, header: ReceivedHeader) -> _Arriving:
        """The study of an image, with the folder of its first receipt: of today for a new study."""
        uid = header.study_instance_uid
        if (known := self._arriving.get(uid)) is not None:
            return known
        found = self._read("SELECT folder FROM study WHERE study_instance_uid = ? LIMIT 1", uid)
        folder = found[0] if found else self._kit.archive.folder_of(uid, self._kit.today())
        study = _Arriving(folder, None if found else set())
        if len(self._arriving) >= ARRIVING:
            self._arriving.clear()
        return self._arriving.setdefault(uid, study)

    def _known(self, sop_instance_uid: str) -> tuple[str, str] | None:
        found = self._read("SELECT path, transfer_syntax FROM instance WHERE sop_instance_uid = ?", sop_instance_uid)
        return (found[0], found[1]) if found else None

    def _read(self, query: str, uid: str) -> tuple[str, ...] | None:
        row: tuple[str, ...] | None = self._kit.index.db.connection().execute(query, (uid,)).fetchone()
        return row

    def _again(self, arrival: Arrival, path: str, syntax: str) -> StoreOutcome:
        """The same SOP Instance UID once more: the same bytes are a success, other bytes a conflict.

        When the file of the first arrival is damaged or has vanished, the same object puts it in its place again.
        """
        try:
            same = self._kit.archive.same_dataset(path, arrival.dataset, arrival.spooled)
        except (BadMessage, OSError) as fault:
            same = _says_nothing_of(fault)
        if same and syntax == arrival.transfer_syntax:
            return StoreOutcome(Stored.DUPLICATE)
        row = Instance.get(Instance.sop_instance_uid == arrival.sop_instance_uid)
        if row.path != path:  # another association has just healed it
            return self._again(arrival, row.path, row.transfer_syntax)
        if is_original(row, arrival.transfer_syntax, _content_of(arrival)):
            if is_whole(self._kit.archive, row):
                return StoreOutcome(Stored.DUPLICATE)
            return self._put_back(arrival, row, _meta_of(arrival))
        if not is_whole(self._kit.archive, row):
            if syntax == arrival.transfer_syntax and (meta := self._promised(arrival, row)):
                return self._put_back(arrival, row, meta)
            self._mark(arrival, row)
        return self._keep_aside(arrival, Reason.DUPLICATE_CONFLICT, "")

    def _promised(self, arrival: Arrival, row: Any) -> bytes | None:
        return promised_meta(self._kit.archive, row, _content_of(arrival))

    def _mark(self, arrival: Arrival, row: Any) -> str:
        """The file of this row is damaged: say so, once. Its path."""
        self._kit.index.writer.do(lambda unit: mark(unit, _sender_of(arrival), row))
        return str(row.path)

    def _put_back(self, arrival: Arrival, row: Any, meta: bytes) -> StoreOutcome:
        stored = self._write(row.path.rpartition("/")[0], meta, arrival)
        with dropped_unless_named(
            self._kit, stored, lambda: self._known(arrival.sop_instance_uid) == (stored.path, arrival.transfer_syntax)
        ):
            took = self._take_the_place(arrival, row, stored)
        if not took:  # another association was first
            self._kit.archive.drop(stored)
        return StoreOutcome(Stored.DUPLICATE)

    def _take_the_place(self, arrival: Arrival, row: Any, stored: StoredFile) -> bool:
        """The row of a file that is damaged or has vanished names this one from now on; the damaged one is kept.

        In another syntax when it is another form of the same image.
        """

        def act(unit: Unit) -> bool:
            still = (Instance.id == row.id) & (Instance.path == row.path)
            now = Instance.update(
                path=stored.path, size=stored.size, sha256=stored.sha256, transfer_syntax=arrival.transfer_syntax
            )
            if not now.where(still).execute():
                return False
            weigh_again(unit, row, stored.size)
            if arrival.made_from is not None:
                remember(unit, row.key, arrival.made_from)
            heal(unit, _sender_of(arrival), row)
            unit.audit(_sender_of(arrival), "put_back", f"instance:{row.key}", lost=row.path)
            unit.event("alarm", "archive")
            return True

        took = self._kit.index.writer.do(act)
        if took:
            self._kit.archive.set_damaged_aside(row.path)
        return took

    def _keep_aside(self, arrival: Arrival, reason: Reason, detail: str) -> StoreOutcome:
        """Quarantine. The third copy of the same conflicting bytes adds no file, unless those before are no more."""
        if arrival.set_aside:
            return StoreOutcome(Stored.QUARANTINED, reason, detail)
        digest = _digest(arrival)
        twin = Quarantine.get_or_none(Quarantine.sha256 == digest, Quarantine.reason == str(reason))
        if twin is None or not is_whole(self._kit.archive, twin):
            stored = self._write("quarantine", _meta_of(arrival), arrival)
            with dropped_unless_named(self._kit, stored, lambda: _in_quarantine(stored)):
                self._kit.index.writer.do(lambda unit: self._lay_aside(unit, arrival, reason, detail, stored, twin))
        return StoreOutcome(Stored.QUARANTINED, reason, detail)

    def _lay_aside(
        self, unit: Unit, arrival: Arrival, reason: Reason, detail: str, stored: StoredFile, twin: Any | None
    ) -> None:
        """A line of its own, or that of the same bytes whose file is no more."""
        if twin is None:
            self._set_aside(unit, arrival, reason, detail, stored)
            return
        waits_again = {"settled_at": None, "settled_by": "", "settled_how": ""}
        Quarantine.update(path=stored.path, **waits_again).where(Quarantine.id == twin.id).execute()
        unit.audit(_sender_of(arrival), "put_back", f"file:{stored.key}", lost=twin.path)
        unit.event("alarm", "quarantine")

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
            outcome = self._insert(arrival, header, stored)
        if outcome is not None and outcome.what is Stored.ARCHIVED:
            return outcome
        self._kit.archive.drop(stored)  # another association was first, or its rejection
        known = self._known(header.sop_instance_uid)
        return self._sent_again(arrival, *known) if known else self._keep_aside(arrival, Reason.REJECTED_AGAIN, "")

    def _insert(
        self, arrival: Arrival, header: ReceivedHeader, stored: StoredFile, adopting: bool = False
    ) -> StoreOutcome | None:
        """None when the UID has a row already; QUARANTINED, and nothing written, when it was rejected for good."""
        actor = _sender_of(arrival)

        def act(unit: Unit) -> StoreOutcome | None:
            if arrival.rejects is not None:
                return insert_note(unit, actor, arrival, stored)
            titles = titles_in_force(unit.sql, header.sop_instance_uid)
            if titles & REFUSED_AGAIN and not adopting:
                return StoreOutcome(Stored.QUARANTINED, Reason.REJECTED_AGAIN)
            outcome = insert_image(unit, self._kit, actor, arrival, header, stored)
            if outcome is not None and arrival.made_from is not None:
                remember(unit, stored.key, arrival.made_from)
            if outcome is not None and titles:
                hide_on_arrival(unit, header.sop_instance_uid, titles, sent=not adopting and not arrival.set_aside)
            return outcome

        return self._kit.index.writer.do(act)

    def _sent_again(self, arrival: Arrival, path: str, syntax: str) -> StoreOutcome:
        """What a machine sends once more, after what people decided about it."""
        uid = arrival.sop_instance_uid
        titles = titles_in_force(self._kit.index.db.execute_sql, uid)
        if titles & REFUSED_AGAIN:
            return self._keep_aside(arrival, Reason.REJECTED_AGAIN, "")
        outcome = self._again(arrival, path, syntax)
        sent = outcome.what is Stored.DUPLICATE and not arrival.set_aside
        if sent and titles and titles <= RESTORED_AGAIN:
            self._kit.index.writer.do(lambda unit: restore(unit, uid))
        note, actor = arrival.rejects, _sender_of(arrival)
        if outcome.what is Stored.DUPLICATE and note is not None:  # its effect may have been cut off
            self._kit.index.writer.do(lambda unit: take_effect(unit, actor, note))
        return outcome

    def quarantine(self, actor: Actor) -> list[QuarantineLine]:
        """What waits outside the archive for a person."""
        require(actor, *KEEPERS)
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

    def settle(self, actor: Actor, quarantine_id: int, how: str) -> None:
        """A person has looked and says what became of it. The line leaves the list; the bytes stay where they are."""
        require(actor, *KEEPERS)
        if not how.strip():
            raise BadInput(_("Un motif est demandé."), "how")

        def act(unit: Unit) -> None:
            row = settle_line(unit, actor, quarantine_id, how.strip())
            unit.audit(actor, "settle_quarantine", f"file:{Path(row.path).stem}", path=row.path, how=how.strip())

        self._kit.act(actor, "settle_quarantine", act)


def waiting_line(quarantine_id: int) -> Any:
    """The row of a line that waits for a person. Raises `NotFound`, `Conflict` when it is settled."""
    row = Quarantine.get_or_none(Quarantine.id == quarantine_id)
    if row is None:
        raise NotFound(_("Rien de ce numéro n'a été mis de côté."))
    if row.settled_at is not None:
        raise Conflict(_("C'est déjà réglé, par %s.") % row.settled_by)
    return row


def settle_line(unit: Unit, actor: Actor, quarantine_id: int, how: str) -> Any:
    """Inside an act: the line leaves the list, its file stays. Its row as it was; raises as `waiting_line`."""
    row = waiting_line(quarantine_id)
    settled = {"settled_at": unit.now, "settled_by": actor.name, "settled_how": how}
    Quarantine.update(**settled).where(Quarantine.id == quarantine_id).execute()
    unit.event("alarm", "quarantine")
    return row


def _sender_of(arrival: Arrival) -> Actor:
    return Actor.system("dicom", f"dicom {arrival.sender.ae_title}@{arrival.sender.address}")


def _says_nothing_of(fault: BadMessage | OSError) -> bool:
    """A file that cannot be compared is not the same. Raises `OutOfResources` when the fault is not the file's."""
    if isinstance(fault, OSError):
        refuse_ours(fault)
    return False


def _content_of(arrival: Arrival) -> Content:
    def pieces() -> Iterator[Buffer]:
        if not arrival.spooled:
            yield from pieces_of(arrival.dataset)
            return
        with open(arrival.spooled, "rb") as spool:
            while piece := spool.read(PIECE):
                yield piece

    return pieces


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
    for piece in _content_of(arrival)():
        digest.update(piece)
    return digest.hexdigest()
