"""One process holds a data folder: the box, or a command that works while the box is stopped."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Conflict, NotFound
from core.i18n import _

FILE_NAME = "yelen.lock"


@contextmanager
def hold(data: Path) -> Iterator[None]:
    """Hold the folder while the block runs. Raises `Conflict` when another process does, `NotFound` without a folder.

    The kernel gives the lock back when the process dies, however it dies; the file stays and means nothing.
    """
    try:
        descriptor = os.open(data / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        raise NotFound(_("Le dossier %s n'existe pas ou n'est pas à nous : « yelen init ».") % data) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(_held(data, descriptor)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(data: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        descriptor = os.open(data / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _held(data: Path, descriptor: int) -> str:
    process = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return _("Un serveur Yelen tient déjà le dossier %s (processus %s). Rien n'a été changé.") % (data, process or "?")
