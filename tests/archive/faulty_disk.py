"""A disk that stops before any chosen operation, and forgets what was never synced: a power cut without root.

Model: the content of a file is durable after `sync` of its descriptor; a name (creation, rename) after `sync_folder`
of its folder. At the cut everything else is undone: unsynced content becomes empty, unsynced names go back.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from core.archive.disk import Buffer, Disk


class Cut(BaseException):
    """The power is gone. Not an `Exception`: no handler may swallow it."""


class FaultyDisk(Disk):
    """Cuts the power before operation number `stop_at` (from 0); None never does. `log` names the operations."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.log: list[str] = []
        self._open: dict[int, Path] = {}
        self._unsynced: set[Path] = set()
        self._new_names: dict[Path, Path | None] = {}  # name -> where it was before, None for a creation

    def _tick(self, what: str) -> None:
        if self.stop_at is not None and len(self.log) >= self.stop_at:
            raise Cut(what)
        self.log.append(what)

    def create(self, path: Path) -> int:
        self._tick(f"create {path.name[-9:]}")
        descriptor = super().create(path)
        self._open[descriptor] = path
        self._unsynced.add(path)
        self._new_names[path] = None
        return descriptor

    def write(self, descriptor: int, buffers: Sequence[Buffer]) -> None:
        self._tick("write")
        super().write(descriptor, buffers)
        self._unsynced.add(self._open[descriptor])

    def sync(self, descriptor: int) -> None:
        self._tick("sync")
        super().sync(descriptor)
        self._unsynced.discard(self._open[descriptor])

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        super().close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._tick("rename")
        super().rename(source, target)
        self._new_names.pop(source, None)
        self._new_names[target] = source
        if source in self._unsynced:
            self._unsynced.discard(source)
            self._unsynced.add(target)

    def sync_folder(self, folder: Path) -> None:
        self._tick("sync_folder")
        super().sync_folder(folder)
        self._new_names = {name: old for name, old in self._new_names.items() if name.parent != folder}

    def make_folder(self, folder: Path) -> None:
        self._tick("make_folder")
        super().make_folder(folder)

    def append(self, path: Path, line: bytes) -> None:
        self._tick("append")
        if not path.exists():
            self._new_names[path] = None
        super().append(path, line)

    def remove(self, path: Path) -> None:
        self._tick("remove")
        super().remove(path)

    def lose_power(self) -> None:
        """What a disk holds after the cut: the worst that the order of syncs allows."""
        for name in self._unsynced:
            if name.exists():
                os.truncate(name, 0)
        for name, old in self._new_names.items():
            if name.exists():
                if old is None:
                    name.unlink()
                else:
                    name.rename(old)
