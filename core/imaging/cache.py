"""Two caches that are never unbounded: decoded frames in memory, pictures on disk.

The disk cache may vanish at any time, in part or whole; a damaged entry is a missing one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from core.imaging.picture import RenderedFrame

V = TypeVar("V")


class MemoryCache(Generic[V]):
    """The most recently used values, at most `max_bytes` of them in all. Not for several threads."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep `value`, unless it is larger than the whole cache."""
        self._forget(key)
        if size > self.max_bytes:
            return
        self._values[key] = value, size
        self.bytes += size
        while self.bytes > self.max_bytes:
            self._forget(next(iter(self._values)))

    def clear(self) -> None:
        self._values.clear()
        self.bytes = 0

    def _forget(self, key: Hashable) -> None:
        if key in self._values:
            self.bytes -= self._values.pop(key)[1]


class DiskCache:
    """Pictures by the content hash of their instance and the way they were rendered; least recently used ones go.

    One file each: 4 bytes of CRC-32, then MessagePack. Nothing is fsynced: the check sum finds what a power cut tore.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self.bytes = 0
        self._find()

    def get(self, instance_sha256: str, rendering: str) -> RenderedFrame | None:
        name = _name(instance_sha256, rendering)
        with self._lock:
            if name not in self._sizes:
                return None
            self._sizes.move_to_end(name)
        try:
            return _unpacked((self.folder / name).read_bytes())
        except (OSError, msgspec.DecodeError, ValueError):
            self._forget(name)
            return None

    def put(self, instance_sha256: str, rendering: str, picture: RenderedFrame) -> None:
        """Keep a picture. A full or read-only disk costs the caller nothing: it has its picture already."""
        name, packed = _name(instance_sha256, rendering), _packed(picture)
        path = self.folder / name
        part = path.with_suffix(f".{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(packed)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            return
        self._remember(name, len(packed))

    def _remember(self, name: str, size: int) -> None:
        with self._lock:
            self.bytes += size - self._sizes.pop(name, 0)
            self._sizes[name] = size
            surplus = []
            while self.bytes > self.max_bytes and self._sizes:
                oldest, freed = self._sizes.popitem(last=False)
                self.bytes -= freed
                surplus.append(oldest)
        for each in surplus:
            self._unlink(each)

    def _forget(self, name: str) -> None:
        with self._lock:
            self.bytes -= self._sizes.pop(name, 0)
        self._unlink(name)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self.folder / name).unlink()

    def _find(self) -> None:
        """What earlier runs left, oldest first; unfinished files go."""
        found = []
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(OSError):
                if path.suffix == ".part":
                    path.unlink()
                else:
                    status = path.stat()
                    found.append((status.st_mtime_ns, str(path.relative_to(self.folder)), status.st_size))
        for _, name, size in sorted(found):
            self._remember(name, size)


def file_identity(fd: int) -> tuple[int, int, int, int]:
    """What tells one stored file from another while it exists: archive files are never changed in place."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _name(instance_sha256: str, rendering: str) -> str:
    name = hashlib.sha256(f"{instance_sha256}\n{rendering}".encode()).hexdigest()
    return f"{name[:2]}/{name}"


def _packed(picture: RenderedFrame) -> bytes:
    body = msgspec.msgpack.encode(picture)
    return zlib.crc32(body).to_bytes(4, "big") + body


def _unpacked(packed: bytes) -> RenderedFrame:
    if zlib.crc32(packed[4:]) != int.from_bytes(packed[:4], "big"):
        raise ValueError("check sum")
    return msgspec.msgpack.decode(packed[4:], type=RenderedFrame)
