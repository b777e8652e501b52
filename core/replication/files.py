"""The files that a segment names, before its rows are believed: here, whole, unaltered, and on the disk for good."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from core.archive.disk import Disk
from core.errors import BadMessage
from core.i18n import _
from core.replication.segment import Segment

PIECE = 1 << 20


def check_files(disk: Disk, data: Path, segment: Segment) -> None:
    """Every file is synced, then every folder up to the data folder.

    Raises `BadMessage` naming a file that is missing or altered; an altered one is moved out of the way of a new copy.
    """
    wanted = {path: (size, sha256) for path, size, sha256 in segment.files()}
    folders: set[Path] = set()
    for path, expected in wanted.items():
        file = data / path
        measured = measure(disk, file)
        if measured is None:
            raise BadMessage(_("Fichier pas arrivé : %s") % path, "file")
        if measured != expected:
            disk.rename(file, data / "replica" / "damaged" / file.name)
            raise BadMessage(_("Fichier altéré en route, redemandé : %s") % path, "file")
        folders |= set(file.relative_to(data).parents)
    for folder in sorted(folders, reverse=True):
        disk.sync_folder(data / folder)


def measure(disk: Disk | None, file: Path) -> tuple[int, str] | None:
    """Size and SHA-256 of a plain file, synced when a disk is given; None when there is none."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        digest, size = hashlib.sha256(), 0
        while piece := os.read(descriptor, PIECE):
            digest.update(piece)
            size += len(piece)
        if disk is not None:
            disk.sync(descriptor)
        return size, digest.hexdigest()
    finally:
        os.close(descriptor)
