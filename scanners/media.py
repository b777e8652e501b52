"""Reading a disc, a stick or a folder: every file is looked at; what a DICOMDIR says is only a hint, never trusted.

Nothing outside the folder is read: symbolic links are refused and named. A file that cannot be read is named and the
next one is served. Only DICOM by content is taken; the original bytes of a data set are kept as they are.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.archive.part10 import META_CAP, FileMeta, read_file_meta
from core.errors import BadMessage, OutOfResources, YelenError
from core.i18n import _, plural
from core.index.writer import Unit
from core.model.people import Actor
from core.model.received import REASON_SENTENCES, Arrival, Reason, ReceivedHeader, Sender, Stored
from core.services import Services
from core.services.ports import ReadHeader
from core.trouble import reason_of

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
FILE_CAP = 4 << 30  # bytes
INFLATED_CAP = 64 << 20  # bytes
RATIO_CAP = 100
FILES_CAP = 200_000
NAMED = 20  # files named in the audit row
SENDER = Sender("IMPORT", "", False)


@dataclass(slots=True)
class ImportReport:
    """What became of every file. Paths are relative to the medium."""

    archived: int = 0
    duplicates: int = 0
    quarantined: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    studies: set[int] = field(default_factory=set)
    stopped: str = ""  # why it ended before the last file

    def lines(self) -> list[str]:
        """The report in French, one line each."""
        said = [
            plural("%d image archivée", "%d images archivées", self.archived) % self.archived,
            plural("%d étude", "%d études", len(self.studies)) % len(self.studies),
        ]
        if self.duplicates:
            said.append(plural("%d image déjà connue", "%d images déjà connues", self.duplicates) % self.duplicates)
        said += [_("en quarantaine : %s (%s)") % found for found in self.quarantined]
        said += [_("illisible : %s (%s)") % found for found in self.unreadable]
        if self.stopped:
            said.append(
                _("ARRÊTÉ AVANT LA FIN : %s ; à relancer, ce qui est archivé ne le sera pas deux fois") % self.stopped
            )
        if self.ignored:
            many = len(self.ignored)
            said.append(plural("%d autre fichier ignoré", "%d autres fichiers ignorés", many) % many)
        return said


class MediaImport:
    """One import of one folder into the department."""

    def __init__(self, services: Services, read_header: ReadHeader) -> None:
        self._services = services
        self._read_header = read_header

    def run(self, actor: Actor, folder: Path, progress: Callable[[int, str], None] | None = None) -> ImportReport:
        """Take in every object below `folder`. Raises `BadMessage` when there is no such folder.

        progress: called with the number of files looked at and the current name. Whatever ends it early (a full disk,
        the box that stops, a person), what was done is in the audit, and in the report where there is one.
        """
        if not folder.exists():
            raise BadMessage(_("Dossier introuvable : %s") % folder)
        report = ImportReport()
        self._note(actor, folder, "begun", report)
        try:
            self._take_all(actor, folder, report, progress)
        except OutOfResources as fault:
            report.stopped = str(fault)
        except BaseException as fault:
            report.stopped = str(fault) or type(fault).__name__
            self._note(actor, folder, "stopped", report)
            raise
        self._note(actor, folder, "stopped" if report.stopped else "ok", report)
        return report

    def _take_all(
        self, actor: Actor, folder: Path, report: ImportReport, progress: Callable[[int, str], None] | None
    ) -> None:
        for number, (name, path) in enumerate(files_below(folder, report), 1):
            if number > FILES_CAP:
                report.stopped = _("Trop de fichiers sur ce support (%d).") % FILES_CAP
            elif self._services.ports.leaving():
                report.stopped = _("le serveur s'arrête")
            if report.stopped:
                return
            if progress:
                progress(number, name)
            self._take(actor, name, path, report)

    def _note(self, actor: Actor, folder: Path, outcome: str, report: ImportReport) -> None:
        def act(unit: Unit) -> None:
            unit.audit(
                actor,
                "import",
                f"media:{folder.name}",
                outcome=outcome,
                archived=report.archived,
                refused=len(report.quarantined),
                unreadable=len(report.unreadable),
                ignored=len(report.ignored),
                names=[name for name, _why in (*report.quarantined, *report.unreadable)][:NAMED],
                why=report.stopped,
            )

        self._services.kit.act(actor, "import", act)

    def _take(self, actor: Actor, name: str, path: Path, report: ImportReport) -> None:
        try:
            content = _read(path)
        except OSError as fault:
            report.unreadable.append((name, reason_of(fault)))
            return
        except BadMessage as fault:
            report.unreadable.append((name, str(fault)))
            return
        try:
            arrival = self._arrival(content)
        except BadMessage as fault:
            if fault.reason == Reason.NO_META and not _looks_dicom(name, content):
                report.ignored.append(name)
            else:
                self._refuse(name, content, fault, report)
            return
        if arrival is None:
            report.ignored.append(name)
            return
        try:
            outcome = self._services.ingest.store(arrival)
        except OutOfResources:
            raise
        except YelenError as fault:
            report.unreadable.append((name, str(fault)))
            return
        if outcome.what is Stored.ARCHIVED:
            report.archived += 1
            if content[128:132] == b"DICM" and any(content[:128]):
                self._note_preamble(actor, arrival.sop_instance_uid, content)
        elif outcome.what is Stored.DUPLICATE:
            report.duplicates += 1
        else:
            report.quarantined.append((name, _(REASON_SENTENCES[outcome.reason]) if outcome.reason else ""))
        if outcome.study_id is not None:
            report.studies.add(outcome.study_id)

    def _note_preamble(self, actor: Actor, uid: str, content: bytes) -> None:
        """Zeros are kept in its place; what the file was can still be proved."""
        digest = hashlib.sha256(content).hexdigest()

        def act(unit: Unit) -> None:
            unit.audit(actor, "preamble_erased", f"sop:{uid}", sha256=digest, begins=content[:8].hex())

        self._services.kit.act(actor, "import", act)

    def _refuse(self, name: str, content: bytes, fault: BadMessage, report: ImportReport) -> None:
        """Bytes that are DICOM and cannot be read are kept aside, so that nothing on the disc is lost.

        The data set in its own syntax where the file says which, else the whole file.
        """
        try:
            meta = read_file_meta(content[:META_CAP])
        except BadMessage:
            meta = FileMeta("", "", "", "", 0)
        instance = meta.sop_instance_uid or hashlib.sha256(content).hexdigest()[:40]
        dataset = memoryview(content)[meta.dataset_offset :]
        arrival = Arrival(
            SENDER, meta.sop_class_uid, instance, meta.transfer_syntax, dataset, None, _reason_of(fault), str(fault)
        )
        self._services.ingest.store(arrival)
        report.quarantined.append((name, str(fault)))

    def _arrival(self, content: bytes) -> Arrival | None:
        """The object in a file; None for a media directory. Raises `BadMessage`."""
        try:
            meta = read_file_meta(content[:META_CAP])
        except BadMessage as fault:
            return self._without_meta(content, fault)
        if meta.sop_class_uid == MEDIA_DIRECTORY:
            return None
        dataset = memoryview(content)[meta.dataset_offset :]
        header = self._header(dataset, meta)
        return Arrival(
            SENDER,
            header.sop_class_uid or meta.sop_class_uid,
            header.sop_instance_uid or meta.sop_instance_uid,
            meta.transfer_syntax,
            dataset,
            header,
            None if header.sop_class_uid else Reason.NOT_AN_INSTANCE,
        )

    def _header(self, dataset: memoryview, meta: FileMeta) -> ReceivedHeader:
        if meta.transfer_syntax == DEFLATED:
            return self._read_header(_inflated(dataset), EXPLICIT)
        return self._read_header(dataset, meta.transfer_syntax)

    def _without_meta(self, content: bytes, fault: BadMessage) -> Arrival:
        """A bare data set: implicit, then explicit little endian, taken only when the whole walk is plausible."""
        start = 132 if content[128:132] == b"DICM" else 0
        for syntax in (IMPLICIT, EXPLICIT):
            dataset = memoryview(content)[start:]
            try:
                header = self._read_header(dataset, syntax)
            except BadMessage:
                continue
            if header.sop_class_uid and header.sop_instance_uid and header.study_instance_uid:
                return Arrival(SENDER, header.sop_class_uid, header.sop_instance_uid, syntax, dataset, header)
        raise fault


def files_below(folder: Path, report: ImportReport) -> Iterator[tuple[str, Path]]:
    """Every regular file below a folder, in order of name; links are named in the report and not followed."""
    if folder.is_file():
        yield folder.name, folder
        return
    for here, folders, names in os.walk(folder, onerror=lambda fault: _unlistable(fault, folder, report)):
        folders.sort()
        for name in sorted(names):
            path = Path(here) / name
            relative = str(path.relative_to(folder))
            if path.is_symlink() or not path.is_file():
                report.unreadable.append((relative, _("lien ou fichier spécial, non suivi")))
                continue
            yield relative, path


def _unlistable(fault: OSError, folder: Path, report: ImportReport) -> None:
    where = Path(str(fault.filename or folder))
    report.unreadable.append((where.name, reason_of(fault)))


def _read(path: Path) -> bytes:
    if path.stat().st_size > FILE_CAP:
        raise BadMessage(_("Fichier trop gros (plus de 4 Gio)."))
    return path.read_bytes()


def _looks_dicom(name: str, content: bytes) -> bool:
    """A file that was meant to be DICOM, whatever is left of it: most discs name no extension.

    It has the prefix, begins with an element of group 0002 or 0008, or is a preamble cut short.
    """
    if name.lower().endswith((".dcm", ".dicom")) or content[128:132] == b"DICM":
        return True
    begins = content[:2] in (b"\x02\x00", b"\x08\x00") and content[3:4] == b"\0" and len(content) >= 8
    return begins or (bool(content) and not any(content[:128]) and b"DICM".startswith(content[128:]))


def _reason_of(fault: BadMessage) -> Reason:
    try:
        return Reason(fault.reason)
    except ValueError:
        return Reason.BAD_STRUCTURE


def _inflated(dataset: memoryview) -> bytes:
    """A deflated data set (PS3.5 A.5), within its caps. Raises `BadMessage` with reason `bomb`."""
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(dataset, INFLATED_CAP + 1)
    except zlib.error as fault:
        raise BadMessage(_("Contenu compressé illisible."), Reason.BAD_STRUCTURE) from fault
    if len(content) > INFLATED_CAP or len(content) > RATIO_CAP * max(len(dataset), 1024):
        raise BadMessage(_("Contenu qui gonfle démesurément."), Reason.BOMB)
    if not inflater.eof:
        raise BadMessage(_("Contenu compressé coupé avant sa fin."), Reason.TRUNCATED)
    return content
