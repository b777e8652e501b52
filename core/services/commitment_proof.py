"""Whether an image may be answered for: its row, its class, and every byte of its file.

Read outside the writer. That a file was synced is known from its row: no row is written before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from core.index.journal import LANES, newest
from core.index.tables import Instance, ReplicaState, database
from core.model.commitment import Doubt, Named
from core.model.people import Actor
from core.services.damaged import is_whole, mark
from core.services.kit import Kit

_AT_ONCE = 500


def examine(kit: Kit, images: Iterable[Named]) -> Iterator[tuple[Named, Doubt | None]]:
    """Each image that is here, with what speaks against it; those that are not here are left out."""
    waiting = iter(images)
    while some := list(islice(waiting, _AT_ONCE)):
        rows = Instance.select().where(Instance.sop_instance_uid.in_([image.sop_instance_uid for image in some]))
        here = {row.sop_instance_uid: row for row in rows}
        for image in some:
            row = here.get(image.sop_instance_uid)
            if row is not None:
                yield image, _doubt(kit, image, row)


def _doubt(kit: Kit, image: Named, row: Any) -> Doubt | None:
    if row.series_id is None:  # rejected: it is shown to nobody
        return Doubt.NO_SUCH_INSTANCE
    if row.sop_class_uid != image.sop_class_uid:
        return Doubt.CLASS_CONFLICT
    if row.incomplete:
        return Doubt.PROCESSING_FAILURE
    if is_whole(kit.archive, row):
        return None
    now = Instance.get_by_id(row.id)
    if now.path != row.path:  # compressed or healed while it was being read
        return _doubt(kit, image, now)
    actor = Actor.system("commitment")
    kit.index.writer.do(lambda unit: mark(unit, actor, row))
    return Doubt.PROCESSING_FAILURE


def journalled() -> int:
    """How far the journal is: what is committed now is at or below."""
    return newest()


def copied(upto: int) -> bool:
    """Whether the second building has acknowledged every row of the journal up to this one."""
    for lane in LANES:
        row = ReplicaState.get_or_none(ReplicaState.lane == lane)
        owed = database.execute_sql(
            "SELECT 1 FROM journal WHERE lane = ? AND seq > ? AND seq <= ? LIMIT 1", (lane, row.seq if row else 0, upto)
        ).fetchone()
        if owed:
            return False
    return True
