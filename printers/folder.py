"""A printer that is a folder: every sheet becomes a file, whole or absent, named by our own job number."""

from __future__ import annotations

import os
from pathlib import Path

from core.i18n import _
from core.model.printing import PaperKind, PrintJob
from core.trouble import reason_of
from printers.ports import Condition, Fate, News, PrinterState

SUFFIXES = {"application/pdf": ".pdf", "application/vnd.zebra-zpl": ".zpl"}
SLUGS = {
    PaperKind.REPORT: "compte-rendu",
    PaperKind.LABEL: "etiquette",
    PaperKind.CONVOCATION: "convocation",
    PaperKind.WRISTBAND: "bracelet",
}


class FolderPrinter:
    """Writes into `folder`, made when missing. Sending the same job again rewrites the same file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def state(self) -> PrinterState:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return PrinterState(Condition.AWAY, ("folder",), _unwritable(error))
        return PrinterState(Condition.OK, (), _("ok"))

    def send(self, job: PrintJob, document: bytes) -> News:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_whole(self.path_of(job), document)
        except OSError as error:
            return News(Fate.NOT_TAKEN, _unwritable(error))
        return News(Fate.DONE)

    def follow(self, job: PrintJob) -> News:
        return self.find(job)

    def find(self, job: PrintJob) -> News:
        return News(Fate.DONE if self.path_of(job).exists() else Fate.NOT_TAKEN)

    def cancel(self, job: PrintJob) -> News:
        """A file that is there is a sheet already printed."""
        return News(Fate.DONE if self.path_of(job).exists() else Fate.CANCELLED)

    def path_of(self, job: PrintJob) -> Path:
        return self._folder / f"{job.id:06d}-{SLUGS[job.paper]}{SUFFIXES.get(job.mime, '.bin')}"


def _write_whole(path: Path, document: bytes) -> None:
    """File, fsync, rename, fsync of the folder: a reader never sees half a sheet."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as out:
        out.write(document)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unwritable(error: OSError) -> str:
    return _("dossier impossible à écrire : %s") % reason_of(error)
