"""After any cut: sweep partial files, index files without a row, name rows without a file; then say what was found.

Nothing is ever deleted but files that were never published.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.archive.part10 import read_file_meta
from core.archive.store import StoredFile
from core.errors import BadMessage
from core.i18n import _, plural
from core.index.tables import Instance, Quarantine
from core.index.writer import Unit
from core.model.people import Actor
from core.model.received import Arrival, Reason, Sender, Stored
from core.services.ingest import Ingest
from core.services.kit import Kit
from core.services.ports import ReadHeader

log = logging.getLogger(__name__)
WINDOW = 1 << 20


@dataclass(slots=True)
class Recovery:
    """What a start or a reindex found. French lines for the log and for the administrator."""

    swept: int = 0
    adopted: int = 0
    unreadable: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        said = []
        if self.swept:
            said.append(plural("%d fichier partiel effacé", "%d fichiers partiels effacés", self.swept) % self.swept)
        if self.adopted:
            said.append(plural("%d image retrouvée", "%d images retrouvées", self.adopted) % self.adopted)
        said += [_("fichier illisible, laissé en place : %s") % path for path in self.unreadable]
        said += [_("ALERTE, fichier absent : %s") % path for path in self.missing]
        return said


def recover(kit: Kit, ingest: Ingest, read_header: ReadHeader | None) -> Recovery:
    """The start-up sweep: only the folders touched since the last settled start, so that it is quick."""
    found = Recovery(swept=kit.archive.sweep())
    for folder in kit.archive.touched():
        files = kit.archive.files_in(folder)
        if folder == "quarantine":
            _adopt_quarantine(kit, files, found)
            continue
        if read_header is not None:
            _adopt(kit, ingest, read_header, files, found)
        _note_missing(kit, folder, found)
    if read_header is not None:
        kit.archive.settled()
    for line in found.lines():
        log.warning("start: %s", line)
    return found


def reindex(kit: Kit, ingest: Ingest, read_header: ReadHeader) -> Recovery:
    """Rebuild the image index from the files alone: every file of the archive has its row afterwards."""
    found = Recovery()
    _adopt(kit, ingest, read_header, kit.archive.walk(), found)
    return found


def _adopt(kit: Kit, ingest: Ingest, read_header: ReadHeader, files: Iterable[str], found: Recovery) -> None:
    for path in files:
        key = Path(path).stem
        if Instance.select().where(Instance.key == key).exists():
            continue
        try:
            arrival, stored = arrival_of(kit.archive.absolute(path), path, read_header)
        except (BadMessage, OSError) as fault:
            log.warning("reindex: %s: %s", path, fault)
            found.unreadable.append(path)
            continue
        outcome = ingest.adopt(arrival, stored)
        if outcome.what is Stored.ARCHIVED:
            found.adopted += 1


def arrival_of(file: Path, path: str, read_header: ReadHeader) -> tuple[Arrival, StoredFile]:
    """A file of the archive as an arrival. Raises `BadMessage` when it cannot be read."""
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        head = stream.read(WINDOW)
        digest.update(head)
        size += len(head)
        while piece := stream.read(WINDOW):
            digest.update(piece)
            size += len(piece)
    meta = read_file_meta(head)
    whole = file.read_bytes() if size > len(head) else head
    header = read_header(memoryview(whole)[meta.dataset_offset :], meta.transfer_syntax)
    sender = Sender(meta.source_ae, "", True)
    arrival = Arrival(
        sender, header.sop_class_uid, header.sop_instance_uid, meta.transfer_syntax, b"", header, spooled=str(file)
    )
    return arrival, StoredFile(file.stem, path, size, digest.hexdigest())


def _adopt_quarantine(kit: Kit, files: Iterable[str], found: Recovery) -> None:
    """A quarantined file whose row was lost in a cut gets a row again: nothing received is lost."""
    for path in files:
        if Quarantine.select().where(Quarantine.path == path).exists():
            continue
        content = kit.archive.absolute(path).read_bytes()

        def act(unit: Unit, path: str = path, content: bytes = content) -> None:
            Quarantine.create(
                reason=str(Reason.BAD_STRUCTURE),
                detail=_("retrouvé après une coupure"),
                path=path,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                received_at=unit.now,
            )
            unit.audit(Actor.system("start"), "quarantine", f"file:{Path(path).stem}", outcome="found again")

        kit.index.writer.do(act)
        found.adopted += 1


def _note_missing(kit: Kit, folder: str, found: Recovery) -> None:
    for row in Instance.select(Instance.path).where(Instance.path.startswith(folder + "/")):
        if not kit.archive.absolute(row.path).exists():
            found.missing.append(row.path)
