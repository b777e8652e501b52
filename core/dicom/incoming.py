"""The data set of one C-STORE while it arrives: in memory when small, through its `Reception` when big."""

from __future__ import annotations

import logging

from core.dicom.dimse import Reply
from core.dicom.handlers import Reception, Request, Storage
from core.dicom.limits import Limits
from core.dicom.status import store_failure
from core.dicom.upper_layer import INVALID_PARAMETER, BadPdu

_log = logging.getLogger(__name__)
_FIRST_BUFFER = 1 << 20


class Memory:
    """A buffer that grows to the biggest small object and is used again for the next one."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def room(self, size: int, used: int) -> memoryview:
        """A writable view of at least `size` bytes whose first `used` bytes are kept."""
        if len(self._bytes) < size:
            bigger = bytearray(max(size, 2 * len(self._bytes), _FIRST_BUFFER))
            bigger[:used] = memoryview(self._bytes)[:used]
            self._bytes = bigger
        return memoryview(self._bytes)

    def release(self) -> None:
        """Give the memory back: the association is idle."""
        self._bytes = bytearray()


class Incoming:
    """The sink of one object. After a failure the rest is thrown away and the answer kept."""

    def __init__(self, storage: Storage, request: Request, memory: Memory, limits: Limits) -> None:
        self._limits = limits
        self._memory = memory
        self._view = memory.room(0, 0)
        self._size = 0
        self._spooling = False
        self._failure: Reply | None = None
        self._reception: Reception | None = None
        try:
            self._reception = storage.begin(request)
        except Exception as error:
            self._fail(error)

    def write(self, piece: memoryview, /) -> None:
        used = self._size
        self._size = size = used + len(piece)
        if not self._spooling and self._failure is None:
            if size <= self._limits.in_memory:
                if size > len(self._view):
                    self._view = self._memory.room(size, used)
                self._view[used:size] = piece
            else:
                self._spool(self._view[:used], piece)
            return
        if size > self._limits.object_size:
            raise BadPdu(f"data set above {self._limits.object_size} bytes", INVALID_PARAMETER)
        if self._failure is None:
            self._spool(piece)

    def _spool(self, *pieces: memoryview) -> None:
        assert self._reception is not None
        try:
            if not self._spooling:
                self._spooling = True
                self._reception.open()
            for piece in pieces:
                self._reception.write(piece)
        except Exception as error:
            self._fail(error)

    def finish(self) -> Reply:
        """The answer, once everything is durable."""
        if self._failure is not None or self._reception is None:
            return self._failure or Reply(0xC000)
        reception, self._reception = self._reception, None
        try:
            return reception.close() if self._spooling else reception.store(self._view[: self._size])
        except Exception as error:
            return store_failure(error)

    def abort(self) -> None:
        """The peer vanished or broke a rule: nothing is left behind."""
        reception, self._reception = self._reception, None
        if reception is not None:
            try:
                reception.abort()
            except Exception:
                _log.exception("an aborted reception could not be cleaned up")

    def _fail(self, error: Exception) -> None:
        self._failure = store_failure(error)
        self.abort()
