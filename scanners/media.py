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

from core.archive.part10 import FileMeta, read_file_meta
from core.errors import BadMessage, OutOfResources, YelenError
from core.i18n import _, plural
from core.model.people import Actor
from core.model.received import Arrival, Reason, ReceivedHeader, Sender, Stored
from core.services import Services
from core.services.ports import ReadHeader

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
FILE_CAP = 4 << 30  # bytes
INFLATED_CAP = 64 << 20  # bytes
RATIO_CAP = 100
FILES_CAP = 200_000
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

        progress: called with the number of files looked at and the current name.
        """
        if not folder.exists():
            raise BadMessage(_("Dossier introuvable : %s") % folder)
        report = ImportReport()
        for number, (name, path) in enumerate(files_below(folder, report), 1):
            if number > FILES_CAP:
                raise BadMessage(_("Trop de fichiers sur ce support (%d).") % FILES_CAP)
            if progress:
                progress(number, name)
            self._take(name, path, report)
        self._services.kit.act(
            actor,
            "import",
            lambda unit: unit.audit(
                actor, "import", f"media:{folder.name}", archived=report.archived, refused=len(report.quarantined)
            ),
        )
        return report

    def _take(self, name: str, path: Path, report: ImportReport) -> None:
        try:
            content = _read(path)
        except OSError as fault:
            report.unreadable.append((name, fault.strerror or str(fault)))
            return
        except BadMessage as fault:
            report.unreadable.append((name, str(fault)))
            return
        try:
            arrival = self._arrival(content)
        except BadMessage as fault:
            if fault.reason == Reason.NO_META and not _looks_dicom(name):
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
        elif outcome.what is Stored.DUPLICATE:
            report.duplicates += 1
        else:
            report.quarantined.append((name, str(outcome.reason)))
        if outcome.study_id is not None:
            report.studies.add(outcome.study_id)

    def _refuse(self, name: str, content: bytes, fault: BadMessage, report: ImportReport) -> None:
        """Bytes that are DICOM and cannot be read are kept aside, so that nothing on the disc is lost."""
        reason = _reason_of(fault)
        arrival = Arrival(SENDER, "", hashlib.sha256(content).hexdigest()[:40], "", content, None, reason, str(fault))
        self._services.ingest.store(arrival)
        report.quarantined.append((name, str(fault)))

    def _arrival(self, content: bytes) -> Arrival | None:
        """The object in a file; None for a media directory. Raises `BadMessage`."""
        try:
            meta = read_file_meta(content[: 64 * 1024])
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
    report.unreadable.append((where.name, fault.strerror or str(fault)))


def _read(path: Path) -> bytes:
    if path.stat().st_size > FILE_CAP:
        raise BadMessage(_("Fichier trop gros (plus de 4 Gio)."))
    return path.read_bytes()


def _looks_dicom(name: str) -> bool:
    return name.lower().endswith((".dcm", ".dicom"))


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
    return content
