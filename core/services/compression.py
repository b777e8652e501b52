"""Making the archive smaller without losing anything: a queue that is computed from the index, one image at a time.

A study at rest, whose identity nobody doubts and whose machine waits for no commitment, is taken image by image: the
file is hashed against its row, compressed and proved in the imaging worker, published under a new name, and only then
one act moves the row to it. It waits while images arrive, on battery, outside the site's hours, and for as long as it
worked itself.
"""

from __future__ import annotations

import hashlib
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from peewee import fn

from core.archive.part10 import META_CAP, file_meta, read_file_meta
from core.archive.store import PIECE, StoredFile
from core.clock import stamp
from core.errors import BadMessage, OutOfResources
from core.i18n import _
from core.imaging.imaging import Imaging
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.process import Cancellation
from core.imaging.wire import Kept, Transcoded
from core.index.tables import Compression as Looked
from core.index.tables import Instance, Original, Study
from core.index.writer import Unit
from core.model.received import MadeFrom
from core.services.damaged import mark, refuse_ours
from core.services.ingest import Ingest
from core.services.kit import Kit
from core.services.new_file import dropped_unless_named
from core.services.originals import ARCHIVIST, remove_originals, supersede
from core.services.ports import Ports

log = logging.getLogger(__name__)

NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
TARGETS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90")  # JPEG-LS for grey, JPEG 2000 for colour
REST = timedelta(hours=1)  # without a new image
QUIET_S = 10.0  # without an arrival
LATER_S, IDLE_S = 60.0, 600.0
LEAST_S = 0.05
NOT_NOW = (Reason.CANCELLED, Reason.STOPPED)  # the box leaves

AT_REST = (
    "s.last_image_at < ? AND s.match <> 'unreconciled' AND s.suspect_step_id IS NULL "
    "AND (p.id IS NULL OR (p.status NOT IN ('ARRIVED', 'STARTED') AND p.flags NOT LIKE '%identity_doubtful%')) "
    "AND NOT EXISTS (SELECT 1 FROM commitment m WHERE m.state = 'WAITING' AND m.calling_ae = s.device)"
)
NEXT_STUDY = (
    "SELECT s.id, s.instances FROM study s LEFT JOIN compression c ON c.study_id = s.id "
    "LEFT JOIN step p ON p.id = s.step_id "
    "WHERE s.id > ? AND s.instances > 0 AND (c.study_id IS NULL OR c.instances <> s.instances) "
    f"AND {AT_REST} ORDER BY s.id LIMIT 1"
)
STILL_AT_REST = f"SELECT 1 FROM study s LEFT JOIN step p ON p.id = s.step_id WHERE s.id = ? AND {AT_REST}"
NEXT_IMAGE = (
    "SELECT i.id FROM instance i JOIN series r ON r.id = i.series_id WHERE r.study_id = ? AND i.id > ? "
    f"AND i.transfer_syntax IN {NATIVE} AND i.damaged_at IS NULL AND NOT i.incomplete ORDER BY i.id LIMIT 1"
)
DONE_ONE = (
    "INSERT INTO compression (study_id, instances, files, gained, kept) VALUES (?, 0, 1, ?, 0) "
    "ON CONFLICT (study_id) DO UPDATE SET files = files + 1, gained = gained + excluded.gained"
)
DONE_ALL = (
    "INSERT INTO compression (study_id, instances, files, gained, kept) VALUES (?, ?, 0, 0, ?) "
    "ON CONFLICT (study_id) DO UPDATE SET instances = excluded.instances, kept = excluded.kept"
)
KEPT_MORE = (
    "INSERT INTO compression (study_id, instances, files, gained, kept) VALUES (?, 0, 0, 0, ?) "
    "ON CONFLICT (study_id) DO UPDATE SET kept = kept + excluded.kept"
)
ALL = 0  # in place of a study: the sums, so that nobody walks a million studies for them


class Compression:
    """One thread turns it; what it has done is in the index, so that a start goes on where the stop came."""

    def __init__(self, kit: Kit, ports: Ports, imaging: Imaging | None, ingest: Ingest) -> None:
        self._kit = kit
        self._ports = ports
        self._imaging = imaging
        self._ingest = ingest
        self._study: tuple[int, int] | None = None  # id, and its images when it was taken up
        self._behind = 0  # studies up to here have been looked at since the last time there was nothing to do
        self._after = 0  # the last image looked at
        self._kept = 0

    def turn(self, cancel: Cancellation | None = None) -> float:
        """Do the next thing, if now is the time; in how many seconds to come back."""
        try:
            if not self._ports.on_battery():
                remove_originals(self._kit)
            if not self._is_time():
                return LATER_S
            row = self._next()
            if row is None:
                return IDLE_S
            began = self._kit.clock.monotonic()
            self._after = row.id if self._compress(row, cancel) else row.id - 1
            return max(LEAST_S, self._kit.clock.monotonic() - began)
        except OutOfResources as fault:
            log.warning("compression: %s", fault)
            return LATER_S

    def _is_time(self) -> bool:
        wanted = self._kit.config.archive
        if self._imaging is None or wanted.compress == "off" or self._ports.on_battery():
            return False
        if self._kit.clock.monotonic() - self._ingest.arrived_at < QUIET_S:
            return False
        if self._kit.archive.free_percent() < self._kit.config.storage.reserve_percent:
            return False
        hour, begins, ends = self._kit.local(self._kit.now()).hour, wanted.from_hour, wanted.to_hour
        night = begins <= hour < ends if begins < ends else hour >= begins or hour < ends
        return wanted.compress == "always" or night

    def _next(self) -> Any | None:
        """The next image of the study under way, else of the next study at rest."""
        while True:
            limit = stamp(self._kit.now() - REST)
            if self._study is None:
                found = self._kit.index.db.execute_sql(NEXT_STUDY, (self._behind, limit)).fetchone()
                if found is None:
                    self._behind = 0
                    return None
                self._study, self._after, self._kept = (found[0], found[1]), 0, 0
                self._behind = found[0]
            study, images = self._study
            if self._kit.index.db.execute_sql(STILL_AT_REST, (study, limit)).fetchone() is None:
                self._study = None
                continue
            found = self._kit.index.db.execute_sql(NEXT_IMAGE, (study, self._after)).fetchone()
            if found is not None:
                return Instance.get_by_id(found[0])
            self._finish(study, images)

    def _finish(self, study: int, images: int) -> None:
        """Every image of the study under way has been looked at."""
        kept = self._kept
        self._kit.index.writer.do(lambda unit: _looked_at(unit, study, images, kept))
        self._study = None

    def _compress(self, row: Any, cancel: Cancellation | None) -> bool:
        """Whether the image is done with: compressed, or left as it is for a reason that stays."""
        made_from = self._original(row)
        if made_from is None:
            self._kit.index.writer.do(lambda unit: _mark_unless_healed(unit, row))
            return True
        assert self._imaging is not None
        facts = (row.sop_class_uid, row.sop_instance_uid)
        heads = {syntax: file_meta(*facts, syntax, row.calling_ae, made_from) for syntax in TARGETS}
        with self._kit.archive.spooling() as (spooled, descriptor):
            try:
                made = self._imaging.transcode(self._kit.archive.absolute(row.path), descriptor, heads, cancel=cancel)
            except NotDisplayable as refusal:
                if refusal.reason in NOT_NOW:
                    return False
                made = Kept(str(refusal.reason))
            if isinstance(made, Kept):
                _refuse_full(made)
                log.info("compression: %s stays as received: %s", row.key, made.why)
                self._kept += 1
                return True
            self._publish(row, made_from, made, spooled)
        return True

    def _original(self, row: Any) -> MadeFrom | None:
        """The file as its row promises it; None when it is no longer that. Raises `OutOfResources`."""
        try:
            size, file_sha256, dataset_sha256 = _hashes(self._kit.archive.absolute(row.path))
        except BadMessage:
            return None
        except OSError as fault:
            refuse_ours(fault)
            return None
        if (size, file_sha256) != (row.size, row.sha256):
            return None
        return MadeFrom(file_sha256, dataset_sha256, row.transfer_syntax)

    def _publish(self, row: Any, made_from: MadeFrom, made: Transcoded, spooled: Path) -> None:
        stored = self._kit.archive.store_spooled(row.path.rpartition("/")[0], b"", spooled)

        def named() -> bool:
            return Instance.select().where(Instance.path == stored.path).exists()

        def act(unit: Unit) -> bool:
            return self._move(unit, row, made_from, made, stored)

        with dropped_unless_named(self._kit, stored, named):
            moved = stored.size == made.size and self._kit.index.writer.do(act)
        if not moved:
            self._kit.archive.drop(stored)

    def _move(self, unit: Unit, row: Any, made_from: MadeFrom, made: Transcoded, stored: StoredFile) -> bool:
        """The one act: the row names the new file, what it was is remembered, the audit says so."""
        study_id = unit.sql("SELECT study_id FROM series WHERE id = ?", (row.series_id,)).fetchone()[0]
        if unit.sql(STILL_AT_REST, (study_id, stamp(unit.now - REST))).fetchone() is None:
            return False
        if not supersede(unit, row, made_from, stored, made.syntax):
            return False
        for counted in (study_id, ALL):
            unit.sql(DONE_ONE, (counted, row.size - stored.size))
        unit.audit(
            ARCHIVIST,
            "transcode",
            f"instance:{row.key}",
            Study.get_by_id(study_id).patient_id,
            syntax=made.syntax,
            before={"syntax": row.transfer_syntax, "sha256": row.sha256, "size": row.size},
            after={"sha256": stored.sha256, "size": stored.size},
        )
        unit.event(f"study:{study_id}", study_id)
        return True


def _mark_unless_healed(unit: Unit, row: Any) -> None:
    if Instance.get_by_id(row.id).path == row.path:
        mark(unit, ARCHIVIST, row)


def _looked_at(unit: Unit, study: int, images: int, kept: int) -> None:
    before = unit.sql("SELECT kept FROM compression WHERE study_id = ?", (study,)).fetchone()
    unit.sql(DONE_ALL, (study, images, kept))
    unit.sql(KEPT_MORE, (ALL, kept - (before[0] if before else 0)))


def gained() -> dict[str, int]:
    """How many images were made smaller, by how many bytes, how many could not be, and the originals still here."""
    sums = Looked.get_or_none(Looked.study_id == ALL)
    waiting = Original.select(fn.SUM(Original.bytes)).where(Original.removed_at.is_null()).scalar()
    return {
        "compressed": sums.files if sums else 0,
        "gained_bytes": sums.gained if sums else 0,
        "left_as_received": sums.kept if sums else 0,
        "originals_bytes": waiting or 0,
    }


def _refuse_full(kept: Kept) -> None:
    if kept.why.startswith("disk"):
        raise OutOfResources(_("Écriture impossible sur le disque : %s") % kept.why)


def _hashes(file: Path) -> tuple[int, str, str]:
    """Size and SHA-256 of a file, and SHA-256 of its data set, in one reading. Raises `BadMessage`."""
    whole, dataset = hashlib.sha256(), hashlib.sha256()
    with file.open("rb") as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        head = stream.read(META_CAP)
        whole.update(head)
        dataset.update(head[read_file_meta(head).dataset_offset :])
        while piece := stream.read(PIECE):
            whole.update(piece)
            dataset.update(piece)
        return stream.tell(), whole.hexdigest(), dataset.hexdigest()
