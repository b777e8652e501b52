"""What an image was as it was received, once its file has been compressed without loss: known again, put back, removed.

The hash of its data set stays for ever, so that a resend is a success and no conflict. Its file stays until the second
building has the new one (or there is none) and a day is over; then it goes, and the row becomes its tombstone.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from core.archive.store import StoredFile
from core.index.journal import newest
from core.index.rows import insert
from core.index.tables import Instance, Original, ReplicaState
from core.index.writer import Unit
from core.model.people import Actor
from core.model.received import MadeFrom
from core.services.damaged import Content, is_whole
from core.services.kit import Kit

ARCHIVIST = Actor.system("archive")
DELAY = timedelta(days=1)
AT_ONCE = 200
SEEDING = "seeding"


def supersede(unit: Unit, row: Any, made_from: MadeFrom, stored: StoredFile, syntax: str) -> bool:
    """The image is this new file from now on; False when its row is no longer what the file was made from."""
    still = (Instance.id == row.id) & (Instance.path == row.path) & (Instance.sha256 == row.sha256)
    now = Instance.update(path=stored.path, size=stored.size, sha256=stored.sha256, transfer_syntax=syntax)
    if not now.where(still).execute():
        return False
    weigh_again(unit, row, stored.size)
    insert(
        Original,
        instance=row.id,
        transfer_syntax=made_from.transfer_syntax,
        dataset_sha256=made_from.dataset_sha256,
        file=row.path,
        bytes=row.size,
        digest=row.sha256,
        lane=row.lane,
        after_seq=newest(),
        superseded_at=unit.now,
    )
    return True


def weigh_again(unit: Unit, row: Any, size: int) -> None:
    """The study counts the bytes of the file that took the place of this row's."""
    unit.sql(
        "UPDATE study SET bytes = bytes + ? WHERE id = (SELECT study_id FROM series WHERE id = ?)",
        (size - row.size, row.series_id),
    )


def remember(unit: Unit, key: str, made_from: MadeFrom) -> None:
    """Of an image whose row was made anew from the compressed file alone: what a resend of the original looks like."""
    row = Instance.get(Instance.key == key)
    insert(
        Original,
        instance=row.id,
        transfer_syntax=made_from.transfer_syntax,
        dataset_sha256=made_from.dataset_sha256,
        file="",
        bytes=0,
        digest=made_from.file_sha256,
        lane=row.lane,
        after_seq=0,
        superseded_at=unit.now,
        removed_at=unit.now,
    )


def is_original(row: Any, syntax: str, content: Content) -> bool:
    """Whether this data set is, byte for byte, what the image of this row was before it was compressed."""
    known = Original.select().where(Original.instance == row.id, Original.transfer_syntax == syntax)
    hashes = {original.dataset_sha256 for original in known}
    if not hashes:
        return False
    digest = hashlib.sha256()
    for piece in content():
        digest.update(piece)
    return digest.hexdigest() in hashes


def is_copy_of(row: Any, made_from: MadeFrom | None) -> bool:
    """Whether a compressed file was made from the image of this row, as it is or as it was."""
    if made_from is None:
        return False
    known = Original.select().where(Original.instance == row.id, Original.dataset_sha256 == made_from.dataset_sha256)
    return bool(made_from.file_sha256 == row.sha256 or known.exists())


def waiting_files() -> set[str]:
    """Originals that still lie in the archive beside the file that took their place."""
    waiting: Any = Original.select().where(Original.removed_at.is_null())
    return {original.file for original in waiting}


def remove_originals(kit: Kit) -> int:
    """Remove what may go; how many files. One whose new file is not whole any more takes its place again."""
    removed = 0
    for original in _may_go(kit):
        row = Instance.get_by_id(original.instance_id)
        if row.path != original.file and not is_whole(kit.archive, row):
            if not is_whole(kit.archive, _as_row(original)):
                continue  # the new file is what there is, and `yelen verify` names it
            kit.index.writer.do(lambda unit, o=original, r=row: _take_back(unit, o, r))  # type: ignore[misc]
            kit.archive.set_damaged_aside(row.path)
        elif row.path != original.file:
            kit.archive.remove(original.file)
            kit.index.writer.do(lambda unit, o=original, r=row: _bury(unit, o, r))  # type: ignore[misc]
            removed += 1
    return removed


def _as_row(original: Any) -> Any:
    return Instance(path=original.file, size=original.bytes, sha256=original.digest)


def _may_go(kit: Kit) -> list[Any]:
    old = Original.superseded_at < kit.now() - DELAY
    waiting: Any = Original.select().where(Original.removed_at.is_null(), old)
    if kit.config.replica.target:
        if ReplicaState.get_or_none(ReplicaState.lane == SEEDING) is not None:
            return []
        is_there = (ReplicaState.lane == Original.lane) & (ReplicaState.seq >= Original.after_seq)
        waiting = waiting.join(ReplicaState, on=is_there)
    return list(waiting.order_by(Original.superseded_at).limit(AT_ONCE))


def _bury(unit: Unit, original: Any, row: Any) -> None:
    Original.update(removed_at=unit.now).where(Original.id == original.id).execute()
    unit.audit(ARCHIVIST, "remove_original", f"instance:{row.key}", file=original.file, sha256=original.digest)


def _take_back(unit: Unit, original: Any, row: Any) -> None:
    Instance.update(
        path=original.file, size=original.bytes, sha256=original.digest, transfer_syntax=original.transfer_syntax
    ).where(Instance.id == row.id, Instance.path == row.path).execute()
    weigh_again(unit, row, original.bytes)
    Original.delete().where(Original.id == original.id).execute()
    unit.audit(ARCHIVIST, "put_back", f"instance:{row.key}", lost=row.path)
    unit.event("alarm", "archive")
