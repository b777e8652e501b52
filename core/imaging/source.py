"""The bytes of one file, never asked for more than it holds."""

from __future__ import annotations

import io
import os
import zlib
from typing import Any, BinaryIO

from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.part10 import DEFLATED_LE, EXPLICIT_LE, start_of_data_set

MAX_INFLATED = 64 * 1024 * 1024
MAX_RATIO = 100
_SMALL = 64 * 1024


class FileBytes(io.RawIOBase):
    """A descriptor read by position: its own offset, which other holders of the file share, never moves."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._at = 0
        self.size = os.fstat(fd).st_size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def readinto(self, into: Any, /) -> int:
        count = os.preadv(self._fd, [into], self._at)
        self._at += count
        return count


class BoundedReader(io.BufferedReader):
    """A file whose `read` never reserves memory beyond its end, whatever length a header claims."""

    def __init__(self, raw: FileBytes) -> None:
        super().__init__(raw)
        self._size = raw.size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _SMALL:
            size = max(0, min(size, self._size - self.tell()))
        return super().read(size)


class Source:
    """An open file, its transfer syntax, and where its data set begins.

    A deflated data set (PS3.5 A.5) is inflated in memory, at most 64 MiB and 100 to 1, then read as explicit LE.
    """

    def __init__(self, fd: int) -> None:
        self.file: BinaryIO = BoundedReader(FileBytes(fd))
        self.size = os.fstat(fd).st_size
        self.syntax, self.offset = start_of_data_set(self.file)
        self.encoding = self.syntax
        if self.syntax == DEFLATED_LE:
            self._inflate()

    def _inflate(self) -> None:
        self.file.seek(self.offset)
        inflated = inflate(self.file.read())
        self.file, self.size, self.offset, self.encoding = io.BytesIO(inflated), len(inflated), 0, EXPLICIT_LE

    def at(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`: fewer than `length` where the file ends early."""
        self.file.seek(offset)
        return self.file.read(length)


def inflate(deflated: bytes) -> bytes:
    """The inflated bytes. Raises `NotDisplayable` for a bomb, a damaged or an unfinished stream."""
    limit = min(MAX_INFLATED, max(_SMALL, len(deflated) * MAX_RATIO))
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = engine.decompress(deflated, limit)
    except zlib.error as error:
        raise NotDisplayable(Reason.UNREADABLE) from error
    if not engine.eof:
        raise NotDisplayable(Reason.UNREADABLE)
    return inflated
