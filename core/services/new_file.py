"""A file is on the disk before the row that names it: what becomes of it when there is no row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.archive.store import StoredFile
from core.index.writer import may_still_be_written
from core.services.kit import Kit


@contextmanager
def dropped_unless_named(kit: Kit, stored: StoredFile, named: Callable[[], bool]) -> Iterator[None]:
    """The act that follows a new file. When it fails nothing was promised: the file goes, unless a row names it.

    Where a row may yet appear after a crash the file waits: a file without a row is settled by the next start, a row
    without its file is a loss.
    """
    try:
        yield
    except Exception as fault:
        if not may_still_be_written(fault) and not named():
            kit.archive.drop(stored)
        raise
