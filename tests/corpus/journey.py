"""The corpus goes through a box: sent by a machine as its bytes stand, or read from a medium where no machine could."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from core.archive.part10 import META_CAP, read_file_meta
from core.dicom import dimse
from core.dicom.server import DicomServer
from core.errors import BadMessage
from core.index.tables import Instance, Quarantine, Series, Study
from core.services import Services
from scanners.media import DEFLATED, MEDIA_DIRECTORY, MediaImport
from tests.corpus.expected import ARCHIVED, IGNORED
from tests.dicom.modality import Modality, request_command
from tests.people.hospital import ADMIN
from tests.people.images import read_header

CALLING = b"SCANNER1"
STORE, IMPORT = "C-STORE", "import"
PDU = 16_384


@dataclass(frozen=True, slots=True)
class Sendable:
    """A file as a machine sends it: what its data set says it is, and the bytes after the file meta."""

    sop_class: str
    instance: str
    syntax: str
    dataset: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of one file. kept: the file of its row; digest, size: of the bytes that were handed over."""

    door: str
    status: int | None
    outcome: str
    names: tuple[str, ...]  # under which its study is found
    kept: Path | None
    digest: str
    size: int

    @property
    def unchanged(self) -> bool:
        """What was handed over stands in the file after a file meta of ours, and nothing after it."""
        if self.kept is None:
            return False
        content = self.kept.read_bytes()
        return hashlib.sha256(content[max(0, len(content) - self.size) :]).hexdigest() == self.digest


class Complaints(logging.Handler):
    """Errors that the box logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def sendable(path: Path) -> Sendable | None:
    """None when no machine could send it: no file meta, no class or instance, deflated, or a media directory."""
    content = path.read_bytes()
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    except InvalidDicomError:
        return None
    sop_class, instance = str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", ""))
    meta = read_file_meta(content[:META_CAP])
    if not (sop_class and instance) or meta.transfer_syntax == DEFLATED or meta.sop_class_uid == MEDIA_DIRECTORY:
        return None
    return Sendable(sop_class, instance, meta.transfer_syntax, content[meta.dataset_offset :])


class Journey:
    """Files on their way into one box."""

    def __init__(self, services: Services, door: DicomServer) -> None:
        self.services = services
        self._door = door

    def take(self, path: Path) -> Arrived:
        """One file, on an association of its own or from a medium."""
        sent = sendable(path)
        return self._imported(path) if sent is None else self._sent(sent)

    def _sent(self, sent: Sendable) -> Arrived:
        before = _newest()
        with Modality(self._door.address) as machine:
            machine.associate(contexts=[(1, sent.sop_class, [sent.syntax])], calling=CALLING)
            command = request_command(dimse.C_STORE_RQ, sent.sop_class, 1, sent.instance)
            status = machine.ask(1, command, sent.dataset, PDU)
            machine.release()
        return self._found(STORE, status, before, sent.dataset, sent.instance)

    def _imported(self, path: Path) -> Arrived:
        before = _newest()
        report = MediaImport(self.services, read_header).run(ADMIN, path)
        assert not report.unreadable
        assert not report.stopped
        return self._found(IMPORT, None, before, _on_the_medium(path.read_bytes()), "")

    def _found(self, door: str, status: int | None, before: tuple[int, int], handed: bytes, instance: str) -> Arrived:
        """The row that this file made, or the one that already holds the same bytes."""
        for table, newest, old in zip((Instance, Quarantine), _newest(), before, strict=True):
            if newest > old:
                return self._arrived(door, status, handed, table.get_by_id(newest))
        known = [row for table in (Instance, Quarantine) for row in table.select().where(_uid(table) == instance)]
        same = (self._arrived(door, status, handed, row) for row in known)
        digest = hashlib.sha256(handed).hexdigest()
        nothing = Arrived(door, status, IGNORED, (), None, digest, len(handed))
        return next((arrived for arrived in same if arrived.unchanged), nothing)

    def _arrived(self, door: str, status: int | None, handed: bytes, row: Any) -> Arrived:
        archived = isinstance(row, Instance)
        kept = self.services.kit.archive.absolute(row.path)
        digest = hashlib.sha256(handed).hexdigest()
        outcome = ARCHIVED if archived else str(row.reason)
        return Arrived(door, status, outcome, _names(row) if archived else (), kept, digest, len(handed))


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _uid(table: Any) -> Any:
    return table.sop_instance_uid


def _newest() -> tuple[int, int]:
    """The last row of the archive and of the quarantine."""
    first, second = (
        table.select(table.id).order_by(table.id.desc()).limit(1).scalar() for table in (Instance, Quarantine)
    )
    return first or 0, second or 0


def _names(row: Any) -> tuple[str, ...]:
    study = Study.get_by_id(Series.get_by_id(row.series_id).study_id)
    return (study.sent_name, *study.also_sent)


def _on_the_medium(content: bytes) -> bytes:
    """The data set of a file of the medium; everything when it has no file meta."""
    try:
        return content[read_file_meta(content[:META_CAP]).dataset_offset :]
    except BadMessage:
        return content
