"""After any cut: sweep partial files, index files without a row, name rows without a file; then say what was found.

What goes was never promised to anybody: a file that was never published, a second copy of an image that has its row,
a document whose print job was never queued. Nothing else is ever deleted.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from core.archive.part10 import META_CAP, read_file_meta
from core.archive.store import StoredFile
from core.errors import OutOfResources, YelenError
from core.i18n import _, plural
from core.index.rows import find
from core.index.tables import Device, Instance, PrintJob, Quarantine, Series, Study
from core.index.writer import Unit
from core.model.device import ae_key
from core.model.people import Actor
from core.model.received import Arrival, Reason, Sender, Stored
from core.services.cut_pixels import FRAGMENTED, is_cut, tail_of
from core.services.ingest import Ingest
from core.services.kit import Kit
from core.services.originals import waiting_files
from core.services.ports import ReadHeader

log = logging.getLogger(__name__)
PIECE = 1 << 20
HEAD = META_CAP + PIECE  # bytes of a file in which its header is looked for
FOLDERS_A_QUERY = 100
NAMED = 20  # paths spelled out in a list


@dataclass(slots=True)
class Recovery:
    """What a start or a reindex found. French lines for the log and for the administrator."""

    folders: int = 0
    swept: int = 0
    adopted: int = 0
    copies: int = 0
    conflicts: int = 0
    unqueued: int = 0
    unfinished: bool = False
    unreadable: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        said = [sentence for number, sentence in self._counted() if number]
        if self.unfinished:
            said.append(_("disque plein : la reprise finira au prochain démarrage"))
        said += _some(_("fichier illisible, laissé en place : %s"), self.unreadable)
        said += _some(_("ALERTE, fichier abîmé, demander un renvoi à sa machine : %s"), self.damaged)
        said += _some(_("ALERTE, fichier absent : %s"), self.missing)
        return said

    def _counted(self) -> Iterator[tuple[int, str]]:
        n = self.swept
        yield n, plural("%d fichier partiel effacé", "%d fichiers partiels effacés", n) % n
        n = self.adopted
        yield n, plural("%d image retrouvée", "%d images retrouvées", n) % n
        n = self.copies
        yield n, plural("%d copie en double effacée", "%d copies en double effacées", n) % n
        n = self.conflicts
        yield n, plural("%d image en conflit mise de côté", "%d images en conflit mises de côté", n) % n
        n = self.unqueued
        yield n, plural("%d document jamais demandé effacé", "%d documents jamais demandés effacés", n) % n


def _some(sentence: str, paths: list[str]) -> Iterator[str]:
    """A line a path; a disk that is gone does not fill the log."""
    for path in paths[:NAMED]:
        yield sentence % path
    if len(paths) > NAMED:
        yield sentence % (_("… et %d autres") % (len(paths) - NAMED))


def recover(kit: Kit, ingest: Ingest, read_header: ReadHeader | None) -> Recovery:
    """The start-up sweep: only the folders touched since the last settled start, so that it is quick.

    On a full disk it stops there: those who read are served all the same, and the next start looks again.
    """
    touched = kit.archive.touched()
    found = Recovery(folders=len(touched), swept=kit.archive.sweep())
    _forget_unqueued(kit, found)
    try:
        _reconcile(kit, ingest, read_header, touched, found)
    except OutOfResources:
        found.unfinished = True
    if read_header is not None and not found.unfinished:
        kit.archive.settled()
    for line in found.lines():
        log.warning(_("reprise : %s"), line)
    return found


def _reconcile(kit: Kit, ingest: Ingest, read_header: ReadHeader | None, touched: list[str], found: Recovery) -> None:
    """Files and rows of the touched folders agree afterwards."""
    _adopt_quarantine(kit, kit.archive.files_in("quarantine") if "quarantine" in touched else [], found)
    found.missing += _vanished_from_quarantine(kit)
    studies = iter(folder for folder in touched if folder != "quarantine")
    while some := list(islice(studies, FOLDERS_A_QUERY)):
        lying = {path for folder in some for path in kit.archive.files_in(folder)}
        named = _named_in(some)
        if read_header is not None:
            nameless = sorted(lying - named - waiting_files())
            _adopt(kit, ingest, read_header, nameless, found, copies_go=True)
        found.missing += sorted(path for path in named - lying if not kit.archive.absolute(path).exists())


def reindex(kit: Kit, ingest: Ingest, read_header: ReadHeader) -> Recovery:
    """Rebuild the image index from the files alone: every file has its row afterwards, and none is deleted."""
    found = Recovery()
    _adopt(kit, ingest, read_header, kit.archive.walk(), found)
    return found


def _named_in(folders: list[str]) -> set[str]:
    """The files that rows name in these folders."""
    images = Instance.select(Instance.path).join(Series).join(Study).where(Study.folder.in_(folders))
    aside = Quarantine.select(Quarantine.path).where(Quarantine.path.startswith("archive/"))
    return _paths(images) | _paths(aside)


def _paths(query: Any) -> set[str]:
    return {path for (path,) in query.tuples()}


def _adopt(
    kit: Kit,
    ingest: Ingest,
    read_header: ReadHeader,
    files: Iterable[str],
    found: Recovery,
    copies_go: bool = False,
) -> None:
    """A row for every file that has none. copies_go: a second copy of an image whose own file is there is deleted."""
    for path in files:
        if (row := find(Instance, key=Path(path).stem)) is not None:
            if row.path != path:  # healed, and cut before the damaged file was moved out of the way
                kit.archive.set_damaged_aside(path)
            continue
        try:
            arrival, stored = arrival_of(kit.archive.absolute(path), path, read_header)
            arrival = replace(arrival, sender=_sender(kit, arrival.sender.ae_title, proven=copies_go))
            outcome = ingest.adopt(arrival, stored)
        except OutOfResources:
            raise
        except (YelenError, OSError) as fault:  # one file stops no start: it stays where it is, with its line
            log.warning("reindex: %s: %s", path, fault)
            found.unreadable.append(path)
            continue
        if outcome.damaged:
            found.damaged.append(outcome.damaged)
        match outcome.what:
            case Stored.ARCHIVED:
                found.adopted += 1
            case Stored.QUARANTINED:
                found.conflicts += 1
            case Stored.DUPLICATE if copies_go:
                kit.archive.drop(stored)
                found.copies += 1


def arrival_of(file: Path, path: str, read_header: ReadHeader) -> tuple[Arrival, StoredFile]:
    """A file of the archive as an arrival. Raises `BadMessage` when it cannot be read."""
    head, size, sha256 = _read(file)
    meta = read_file_meta(head)
    header = read_header(memoryview(head)[meta.dataset_offset :], meta.transfer_syntax, size - meta.dataset_offset)
    if header.rows is not None and meta.transfer_syntax in FRAGMENTED:
        header = replace(header, incomplete=header.incomplete or is_cut(meta.transfer_syntax, tail_of(file)))
    sender = Sender(meta.source_ae, "", False, found_again=True)
    arrival = Arrival(
        sender,
        header.sop_class_uid,
        header.sop_instance_uid,
        meta.transfer_syntax,
        b"",
        header,
        made_from=meta.made_from,
    )
    return arrival, StoredFile(file.stem, path, size, sha256)


def _sender(kit: Kit, ae_title: str, proven: bool) -> Sender:
    """Who laid down a file that has no row. proven: its folder is in the journal of what this box was writing.

    With that, and at a site whose door lets no undeclared caller write into the archive, the title of a declared
    machine in the file meta is that machine's. Otherwise a person says whose image it is.
    """
    device = find(Device, key=ae_key(ae_title)) if proven else None
    known = device is not None and device.active and kit.config.dicom.unknown_callers != "accept"
    return Sender(ae_title, "", known, found_again=True)


def _read(file: Path) -> tuple[bytes, int, str]:
    """The first bytes, the size and the hash of a file of any size."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        head = stream.read(HEAD)
        digest.update(head)
        while piece := stream.read(PIECE):
            digest.update(piece)
        return head, stream.tell(), digest.hexdigest()


def _adopt_quarantine(kit: Kit, files: Iterable[str], found: Recovery) -> None:
    """A quarantined file whose row was lost in a cut gets a row again: nothing received is lost."""
    for path in files:
        if Quarantine.select().where(Quarantine.path == path).exists():
            continue
        try:
            _head, size, sha256 = _read(kit.archive.absolute(path))
        except OSError as fault:
            log.warning("quarantine: %s: %s", path, fault)
            found.unreadable.append(path)
            continue

        def act(unit: Unit, path: str = path, size: int = size, sha256: str = sha256) -> None:
            Quarantine.create(
                reason=str(Reason.BAD_STRUCTURE),
                detail=_("retrouvé après une coupure"),
                path=path,
                size=size,
                sha256=sha256,
                received_at=unit.now,
            )
            unit.audit(Actor.system("start"), "quarantine", f"file:{Path(path).stem}", outcome="found again")

        kit.index.writer.do(act)
        found.adopted += 1


def _vanished_from_quarantine(kit: Kit) -> list[str]:
    """What waits for a person without being there any more."""
    waiting = _paths(Quarantine.select(Quarantine.path).where(Quarantine.settled_at.is_null()))
    return sorted(path for path in waiting if not kit.archive.absolute(path).exists())


def _forget_unqueued(kit: Kit, found: Recovery) -> None:
    """A document is on the disk before its job is a row; cut in between, nobody was told « en file »."""
    lying = [f"paper/{path.name}" for path in kit.archive.absolute("paper").iterdir()]
    if lying:
        for path in set(lying) - _paths(PrintJob.select(PrintJob.payload)):
            kit.archive.disk.remove(kit.archive.absolute(path))
            found.unqueued += 1
