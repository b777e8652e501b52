"""The second building's end: segments in `inbox/` are checked, applied in one transaction each, then acknowledged.

A segment is applied only when the one before it is, the rows it depends on are there, and every file it names lies
here with its right size and hash. Files and folders are synced before the rows are committed, rows before the state
says so, and the state before the segment goes. Applying twice is applying once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from core.archive.disk import Disk, ensure_folder, replace
from core.clock import Clock, stamp
from core.errors import BadMessage, Conflict, YelenError
from core.i18n import _
from core.index.journal import LANES, note
from core.index.opening import Index
from core.index.tables import Audit, Instance, Node, Quarantine, ReplicaState
from core.index.triggers import SCHEMA_VERSION
from core.index.writer import Unit
from core.replication.counters import Counters
from core.replication.files import check_files
from core.replication.inventory import Inventories
from core.replication.pairing import site_of
from core.replication.segment import NAME, PATH, SIZE_CAP, Header, Segment, decode
from core.replication.spelling import TABLES
from core.replication.state import STATE, State, write_state
from core.trouble import reason_of

log = logging.getLogger(__name__)
LOOK_S = 0.2  # between two looks into the inbox
BEAT_S = 30.0  # the state is rewritten that often when nothing happens
TROUBLE_S = 5.0  # after a failure that time may heal: a full disk
SET_ASIDE = 10  # refused segments that are kept to be looked at


class Tombstone(msgspec.Struct, frozen=True):
    """Of an `original` row: a file that is no more, once `removed_at` is said."""

    file: str
    removed_at: str | None


class NotYet(Exception):
    """What this segment needs is still on its way."""


class Applier:
    """Works on a data folder whose index was opened as a replica; one thread runs it."""

    def __init__(self, data: Path, index: Index, clock: Clock, disk: Disk | None = None) -> None:
        self._data = data
        self._index = index
        self._clock = clock
        self._disk = disk or Disk()
        self._leaving = threading.Event()
        self._trouble: dict[str, str] = {}
        self._refused = dict.fromkeys(LANES, 0)
        self._told_at = 0.0
        self._stumbled = False
        self._inventories = Inventories(data)
        for folder in ("archive", "quarantine", "inbox/refused", "replica/tmp", "replica/damaged"):
            ensure_folder(self._disk, data / folder)
        self._sweep()
        self._tell()

    def run(self, beat: Callable[[], object] = lambda: None) -> None:
        """Until `stop`: apply what arrives. `beat` is called at every look."""
        while not self._leaving.is_set():
            beat()
            self._stumbled = False
            if not self.round():
                self._leaving.wait(TROUBLE_S if self._stumbled else LOOK_S)
            if self._clock.monotonic() - self._told_at > BEAT_S:
                self._tell()
        self._inventories.close()

    def stop(self) -> None:
        self._leaving.set()

    def round(self) -> bool:
        """Everything that can be applied now; True when something was."""
        self._inventories.answer()
        worked = False
        for path in self._waiting():
            try:
                self._take(path)
                worked = True
            except NotYet:
                continue
            except BadMessage as fault:
                self._refuse(path, fault)
            except Exception as fault:
                self._stumble(path, fault)
        return worked

    def applied(self) -> dict[str, int]:
        return {row.lane: row.seq for row in ReplicaState.select() if row.lane in LANES}

    def _waiting(self) -> list[Path]:
        """Segments, the small lane first, in order of row."""
        found = [p for p in (self._data / "inbox").iterdir() if NAME.fullmatch(p.name)]
        return sorted(found, key=lambda p: (_lane_of(p) != "small", p.name))

    def _take(self, path: Path) -> None:
        if path.stat().st_size > SIZE_CAP:
            raise BadMessage(_("Envoi démesuré : %s") % path.name, "bad-segment")
        segment = decode(path.read_bytes())
        header, applied = segment.header, self.applied()
        self._check_pair(header, applied)
        if header.last > applied.get(header.lane, 0):
            if header.after > applied.get(header.lane, 0) or header.needs > applied.get("small", 0):
                raise NotYet
            _check_tables(segment)
            check_files(self._disk, self._data, segment)
            self._bury(segment)
            try:
                self._index.writer.replay(lambda unit: self._apply(unit, segment))
            except msgspec.MsgspecError as fault:
                raise BadMessage(_("Envoi illisible : %s") % path.name, "bad-segment") from fault
            self._trouble.pop(header.lane, None)
            self._tell()
        path.unlink()

    def _bury(self, segment: Segment) -> None:
        """Remove the files whose tombstone comes. Before the rows: a cut in between only finds nothing left to do.

        Never a file that a row names, here or in the segment: the primary buries an original when the file that took
        its place is here.
        """
        coming = {path for path, _size, _sha256 in segment.files()}
        for entry in segment.entries:
            if entry.tbl != "original" or entry.op != "put":
                continue
            tombstone = msgspec.json.decode(entry.row, type=Tombstone)
            if not tombstone.removed_at or not tombstone.file:
                continue
            if PATH.fullmatch(tombstone.file) is None:
                raise BadMessage(_("Second bâtiment : %s.") % _("chemin interdit dans un segment"), "bad-segment")
            file = self._data / tombstone.file
            if file.exists() and tombstone.file not in coming and not _is_named(tombstone.file):
                self._disk.remove(file)
                self._disk.sync_folder(file.parent)

    def _check_pair(self, header: Header, applied: dict[str, int]) -> None:
        """One primary, one epoch; both are those of the first segment ever taken."""
        node = Node.get()
        if not node.audit_genesis and not applied:
            return
        if header.site != node.audit_genesis:
            raise BadMessage(_("Envoi d'un autre hôpital que celui dont ce dossier est la copie."), "site")
        if header.epoch != node.epoch:
            raise BadMessage(
                _("Envoi de l'époque %d, cette copie est à l'époque %d.") % (header.epoch, node.epoch), "epoch"
            )

    def _apply(self, unit: Unit, segment: Segment) -> None:
        header = segment.header
        done, counters = self.applied().get(header.lane, 0), Counters(unit.sql)
        for entry in segment.entries:
            if entry.seq <= done:
                continue
            counters.touch(entry.tbl, entry.row)
            spelling = TABLES[entry.tbl]
            act = spelling.put if entry.op == "put" else spelling.remove
            act(unit.sql, bytes(entry.row))
        counters.count()
        Node.update(audit_genesis=header.site, epoch=header.epoch).where(Node.audit_genesis == "").execute()
        note(unit, header.lane, header.epoch, header.last)

    def _refuse(self, path: Path, fault: BadMessage) -> None:
        """Set a segment aside and say so: it will be sent again."""
        log.warning("replica: %s: %s", path.name, fault)
        lane = _lane_of(path)
        aside = self._data / "inbox" / "refused"
        path.rename(aside / path.name)
        for old in sorted(aside.iterdir(), key=lambda p: p.stat().st_mtime)[:-SET_ASIDE]:
            old.unlink()
        self._refused[lane] += 1
        self._trouble[lane] = str(fault)
        self._tell()

    def _stumble(self, path: Path, fault: Exception) -> None:
        """Nothing was applied; the segment stays, and is tried again."""
        sentence = str(fault)
        if isinstance(fault, Conflict):
            sentence = _("%s contredit la copie : « yelen replica verify ».") % path.name
        elif isinstance(fault, OSError):
            sentence = _("Disque de la copie : %s") % reason_of(fault)
        elif not isinstance(fault, YelenError):
            log.exception("replica: %s", path.name)
            sentence = _("Erreur interne de la copie (voir son journal).")
        if self._trouble.get(_lane_of(path)) != sentence:
            log.warning("replica: %s: %s", path.name, fault)
            self._trouble[_lane_of(path)] = sentence
            self._tell()
        self._stumbled = True

    def _tell(self) -> None:
        """Rewrite the state that the other side reads; only after what it says is durable."""
        node = Node.get()
        keys = site_of(self._index.audit_key) == node.audit_genesis
        now = stamp(self._clock.now())
        state = State(
            node.epoch, self.applied(), self._refused, self._trouble, now, node.audit_genesis, keys, _newest_audit()
        )
        self._told_at = self._clock.monotonic()
        try:
            replace(self._disk, self._data / STATE, write_state(state))
        except OSError as fault:
            log.warning("replica: %s: %s", STATE, fault)

    def _sweep(self) -> None:
        """What a receiver that was killed left behind."""
        for left in (self._data / "replica" / "tmp").iterdir():
            left.unlink(missing_ok=True)  # a receiver that lives may have just named it


def _is_named(path: str) -> bool:
    return Instance.select().where(Instance.path == path).exists() or bool(
        Quarantine.select().where(Quarantine.path == path).exists()
    )


def _newest_audit() -> tuple[int, str]:
    row = Audit.select(Audit.seq, Audit.mac).order_by(Audit.seq.desc()).first()
    return (row.seq, row.mac) if row else (0, "")


def _lane_of(path: Path) -> str:
    return path.name.split("-")[2]


def _check_tables(segment: Segment) -> None:
    for entry in segment.entries:
        if entry.tbl not in TABLES or entry.schema != SCHEMA_VERSION:
            raise BadMessage(_("Envoi d'une autre version de Yelen (%s).") % entry.tbl, "schema")
