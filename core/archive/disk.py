"""The durable seam: every byte that must survive a power cut passes through these few operations.

Tests replace `Disk` by one that stops before or after any operation, and so walk through every crash point.
Order for a file: create the `.part`, write, fsync it, rename it to its final name, fsync the folder (and new parents).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Buffer = bytes | bytearray | memoryview

_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_SYNC_FILE_RANGE_WRITE = 2


class Disk:
    """The operating system's own file system."""

    def create(self, path: Path) -> int:
        """A new file, 0600; the descriptor. Raises FileExistsError rather than overwrite."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, buffers: Sequence[Buffer]) -> None:
        """All the buffers, one after the other."""
        pending = [memoryview(b).cast("B") for b in buffers if len(b)]
        while pending:
            done = os.writev(descriptor, pending[:64])
            while pending and done >= len(pending[0]):
                done -= len(pending.pop(0))
            if done:
                pending[0] = pending[0][done:]

    def begin(self, descriptor: int) -> None:
        """The kernel may begin to write what the file holds. Promises nothing: `sync` does."""
        if _sync_file_range is not None:
            _sync_file_range(descriptor, 0, 0, _SYNC_FILE_RANGE_WRITE)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        os.rename(source, target)

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, folder: Path) -> None:
        os.mkdir(folder, 0o700)

    def append(self, path: Path, line: bytes) -> None:
        """One line more at the end of a file, durable on return; the file's name may still need `sync_folder`."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        os.unlink(path)


def ensure_folder(disk: Disk, folder: Path) -> None:
    """The folder and its parents exist, durably."""
    if folder.is_dir():
        return
    ensure_folder(disk, folder.parent)
    try:
        disk.make_folder(folder)
    except FileExistsError:  # another association was first
        return
    disk.sync_folder(folder.parent)


def publish(disk: Disk, final: Path, buffers: Sequence[Buffer]) -> None:
    """A new file with these bytes under its final name, durable on return. Nothing is left behind on failure."""
    with publishing(disk, final) as descriptor:
        disk.write(descriptor, buffers)


@contextmanager
def publishing(disk: Disk, final: Path) -> Iterator[int]:
    """As `publish`; the block writes the bytes through the descriptor."""
    part = final.with_name(final.name + ".part")
    descriptor = disk.create(part)
    try:
        try:
            yield descriptor
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
        disk.rename(part, final)
        disk.sync_folder(final.parent)
    except Exception:
        _remove(disk, part)
        _remove(disk, final)
        raise


def replace(disk: Disk, final: Path, content: bytes) -> None:
    """The file now holds this content, durably, or still the old one: never half of either."""
    part = final.with_name(final.name + ".part")
    _remove(disk, part)
    descriptor = disk.create(part)
    try:
        try:
            disk.write(descriptor, [content])
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
        disk.rename(part, final)
    except Exception:
        _remove(disk, part)
        raise
    disk.sync_folder(final.parent)


def _remove(disk: Disk, path: Path) -> None:
    if path.exists():
        disk.remove(path)
