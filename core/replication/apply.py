"""The second building's end: segments in `inbox/` are checked, applied in one transaction each, then acknowledged.

A segment is applied only when the one before it is, the rows it depends on are there, and every file it names lies
here with its right size and hash. Files' folders are synced before the rows are committed, rows before the state says
so. Applying twice is applying once.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Any

import msgspec

from core.archive.disk import Disk, ensure_folder, replace
from core.clock import Clock, stamp
from core.errors import BadMessage, YelenError
from core.i18n import _
from core.index.opening import Index
from core.index.tables import DERIVED, REPLICATED, Node, ReplicaState, Table
from core.index.triggers import SCHEMA_VERSION, blob_columns, columns, quoted
from core.index.writer import Unit
from core.replication.manifest import answer
from core.replication.segment import LANES, NAME, Entry, Segment, decode
from core.replication.transport import STATE, State

log = logging.getLogger(__name__)
TABLES: dict[str, type[Table]] = {t._meta.table_name: t for t in REPLICATED}
PIECE = 1 << 20
LOOK_S = 0.3


class NotYet(YelenError):
    """What this segment needs has not arrived; it will be tried again."""


class Applier:
    """Works on a data folder whose index was opened as a replica."""

    def __init__(self, data: Path, index: Index, clock: Clock) -> None:
        self._data = data
        self._index = index
        self._clock = clock
        self._disk = Disk()
        self._leaving = threading.Event()
        for folder in ("inbox", "replica", "spool", "archive", "quarantine", "inbox/refused"):
            ensure_folder(self._disk, data / folder)
        self.trouble = ""
        self._tell()

    def run(self) -> None:
        """Until `stop`: apply what arrives."""
        while not self._leaving.is_set():
            if not self.round():
                self._leaving.wait(LOOK_S)

    def stop(self) -> None:
        self._leaving.set()

    def round(self) -> bool:
        """Everything that can be applied now; True when something was."""
        answer(self._data)
        worked, trouble = False, ""
        for path in self._waiting():
            try:
                self._take(path)
                worked = True
            except NotYet as fault:
                trouble = trouble or str(fault)
            except BadMessage as fault:
                log.warning("replica: %s: %s", path.name, fault)
                path.rename(self._data / "inbox" / "refused" / path.name)
                trouble = trouble or str(fault)
        if worked or trouble != self.trouble:
            self.trouble = trouble
            self._tell()
        return worked

    def applied(self) -> dict[str, int]:
        return {r.lane: r.seq for r in ReplicaState.select() if r.lane in LANES}

    def _waiting(self) -> list[Path]:
        """Segments in order of lane and row."""
        return sorted(p for p in (self._data / "inbox").iterdir() if NAME.fullmatch(p.name))

    def _take(self, path: Path) -> None:
        segment = decode(path.read_bytes())
        header, applied = segment.header, self.applied()
        epoch = Node.get().epoch
        if header.epoch != epoch:
            raise BadMessage(_("Segment de l'époque %d, ce site est à l'époque %d.") % (header.epoch, epoch), "epoch")
        if header.last <= applied.get(header.lane, 0):
            path.unlink()
            return
        if header.after > applied.get(header.lane, 0):
            raise NotYet(_("Il manque un segment (%s, après %d).") % (header.lane, applied.get(header.lane, 0)))
        if header.lane == "bulk" and header.needs > applied.get("small", 0):
            raise NotYet(_("Les images attendent leurs études."))
        self._check(segment)
        self._check_files(segment)
        self._index.writer.do(lambda unit: self._apply(unit, segment))
        self._tell()
        path.unlink()

    def _check(self, segment: Segment) -> None:
        for entry in segment.entries:
            if entry.tbl not in TABLES or entry.schema > SCHEMA_VERSION:
                raise BadMessage(_("Segment d'une version plus récente de Yelen (%s).") % entry.tbl, "schema")

    def _check_files(self, segment: Segment) -> None:
        """Every file is here, whole and unaltered, and its folder is on the disk for good."""
        latest = {path: (size, sha256) for path, size, sha256 in segment.files()}
        folders = set()
        for name, (size, sha256) in latest.items():
            path = self._data / name
            if not path.exists():
                raise NotYet(_("Fichier pas encore arrivé : %s") % name)
            if path.stat().st_size != size or digest_of(path) != sha256:
                raise NotYet(_("Fichier altéré en route : %s") % name)
            folders.add(path.parent)
        for folder in folders:
            here = folder
            while here != self._data:
                self._disk.sync_folder(here)
                here = here.parent

    def _apply(self, unit: Unit, segment: Segment) -> None:
        done = self.applied().get(segment.header.lane, 0)
        studies: set[int] = set()
        for entry in segment.entries:
            if entry.seq > done:
                row = msgspec.json.decode(entry.row)
                studies |= _touched_studies(unit, entry.tbl, row)
                _write(unit, entry, row)
        for study_id in studies:
            _count(unit, study_id)
        ReplicaState.insert(
            lane=segment.header.lane, epoch=segment.header.epoch, seq=segment.header.last, at=unit.now
        ).on_conflict_replace().execute()

    def _tell(self) -> None:
        """Rewrite the state that the other side reads; only after what it says is durable."""
        state = State(Node.get().epoch, self.applied(), stamp(self._clock.now()), self.trouble)
        replace(self._disk, self._data / STATE, msgspec.json.encode(state))


def digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _write(unit: Unit, entry: Entry, row: dict[str, Any]) -> None:
    """Put or delete one row as its image says."""
    table = TABLES[entry.tbl]
    key = table._meta.primary_key.column_name  # type: ignore[union-attr]
    if entry.op == "del":
        unit.sql(f"DELETE FROM {quoted(entry.tbl)} WHERE {quoted(key)} = ?", (row[key],))
        return
    blobs = blob_columns(table)
    # Derived columns are counted afterwards; until then they hold what an empty study holds.
    row |= {name: None if name == "last_image_at" else 0 for name in DERIVED.get(entry.tbl, ())}
    names = [*columns(table), *sorted(DERIVED.get(entry.tbl, ()))]
    values = tuple(
        bytes.fromhex(row[name]) if name in blobs and row.get(name) is not None else row.get(name) for name in names
    )
    marks = ", ".join("?" for _name in names)
    spelled = ", ".join(quoted(name) for name in names)
    unit.sql(f"INSERT OR REPLACE INTO {quoted(entry.tbl)} ({spelled}) VALUES ({marks})", values)


def _touched_studies(unit: Unit, table: str, row: dict[str, Any]) -> set[int]:
    if table == "study":
        return {row["id"]}
    if table == "series":
        return {row["study_id"]}
    if table == "instance":
        found = unit.sql("SELECT study_id FROM series WHERE id = ?", (row["series_id"],)).fetchone()
        return {found[0]} if found else set()
    return set()


def _count(unit: Unit, study_id: int) -> None:
    """The derived columns of a study and its series, from its own instance rows."""
    unit.sql(
        "UPDATE series SET instances = (SELECT COUNT(*) FROM instance i WHERE i.series_id = series.id) "
        "WHERE study_id = ?",
        (study_id,),
    )
    unit.sql(
        "UPDATE study SET (instances, bytes, last_image_at) = (SELECT COUNT(*), COALESCE(SUM(i.size), 0), "
        "MAX(i.received_at) FROM instance i JOIN series s ON s.id = i.series_id WHERE s.study_id = study.id), "
        "series = (SELECT COUNT(*) FROM series s WHERE s.study_id = study.id) WHERE id = ?",
        (study_id,),
    )
