"""The imaging room's front desk: pictures, descriptions and facts of stored files, made in processes of their own."""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import NotFound, OutOfResources
from core.i18n import _
from core.imaging.cache import DiskCache, file_identity
from core.imaging.ingest_facts import IngestFacts
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.picture import JPEG, MIME, Description, RenderedFrame
from core.imaging.process import Cancellation, WorkerProcess
from core.imaging.window import Window
from core.imaging.wire import (
    Converted,
    ConvertJob,
    Decoded,
    Described,
    DescribeJob,
    FactsJob,
    FrameJob,
    Impossible,
    Job,
    Kept,
    Known,
    PixelsJob,
    Rendered,
    Reply,
    Transcoded,
    TranscodeJob,
)
from core.trouble import reason_of

if TYPE_CHECKING:
    import numpy as np

MIB = 1024 * 1024
THUMBNAIL_SIZE, THUMBNAIL_QUALITY = 128, 60
MAX_CONDEMNED = 1_000
SLOWEST_BYTES_S = 500_000.0  # of a transcode, on the weakest machine

FileOrPath = str | Path | int
"""A path in the archive, or a descriptor open for reading; the caller closes its own descriptor."""


@dataclass(frozen=True)
class DecodedFrame:
    """Stored values of one frame in shared memory, and the rescale that makes them modality values."""

    memory: mmap.mmap
    shape: tuple[int, ...]
    dtype: str
    slope: float
    intercept: float
    missing_rows: int

    def array(self) -> np.ndarray[Any, np.dtype[Any]]:
        """(rows, columns) of stored values, or (rows, columns, 3) of uint8 RGB; read-only, not copied."""
        import numpy as np

        return np.frombuffer(self.memory, self.dtype).reshape(self.shape)


class Imaging:
    """Workers for people who wait, for the background and for the archive, and a disk cache of the usual pictures.

    memory_bytes: what a worker may allocate beyond its libraries. idle_s: a worker without work leaves after that
    long and gives its memory back. deadline_s, background_deadline_s: for one job.
    """

    def __init__(
        self,
        cache_folder: Path | None = None,
        *,
        disk_cache_bytes: int = 512 * MIB,
        memory_bytes: int = 1024 * MIB,
        frame_cache_bytes: int = 64 * MIB,
        idle_s: int = 600,
        deadline_s: float = 20,
        background_deadline_s: float = 120,
    ) -> None:
        self.interactive = WorkerProcess(
            memory_bytes=memory_bytes, cache_bytes=frame_cache_bytes, idle_s=idle_s, deadline_s=deadline_s
        )
        self.background = WorkerProcess(
            memory_bytes=memory_bytes,
            cache_bytes=16 * MIB,
            idle_s=min(idle_s, 60),
            deadline_s=background_deadline_s,
            niceness=10,
        )
        self.archivist = WorkerProcess(
            memory_bytes=memory_bytes,
            cache_bytes=MIB,
            idle_s=min(idle_s, 60),
            deadline_s=background_deadline_s,
            niceness=19,
        )
        self._disk = DiskCache(cache_folder / "pictures", disk_cache_bytes) if cache_folder else None
        self._condemned: OrderedDict[tuple[int, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the interactive worker, so that the first picture of the day does not wait for it."""
        self.interactive.warm()

    def close(self) -> None:
        """End the workers; jobs that wait are refused."""
        self.interactive.close()
        self.background.close()
        self.archivist.close()

    def frame(
        self,
        file: FileOrPath,
        frame_no: int = 1,
        window: Window | None = None,
        size: int | None = None,
        quality: int = 75,
        format: str = JPEG,
        *,
        key: str = "",
        background: bool = False,
        cancel: Cancellation | None = None,
    ) -> RenderedFrame:
        """The picture of frame `frame_no`, counted from 1; 0 is the middle one.

        window: None for the image's own; ignored for colour. size: longest side at most, in pixels; None for the full
        matrix. quality: 1 to 100. format: `jpeg`, `webp` or `png`.
        key: SHA-256 of the instance's content; given, pictures with the default window are kept on disk.
        Raises `NotFound` beyond the last frame, `NotDisplayable` with its reason.
        """
        job = FrameJob(max(0, frame_no), _sane(window), size and max(1, size), min(max(quality, 1), 100), format)
        if format not in MIME:
            raise ValueError(format)
        cacheable = self._disk is not None and key != "" and job.window is None
        rendering = f"{job.frame_no} {job.size} {job.quality} {job.format}"
        if cacheable and self._disk and (kept := self._disk.get(key, rendering)):
            return kept
        reply = self._ask(job, file, background, cancel)
        assert isinstance(reply, Rendered)
        if cacheable and self._disk:
            self._disk.put(key, rendering, reply.frame)
        return reply.frame

    def thumbnail(
        self, file: FileOrPath, *, key: str = "", background: bool = False, cancel: Cancellation | None = None
    ) -> RenderedFrame:
        """The middle frame in 128 x 128 pixels at most, as JPEG of about 2 kB."""
        return self.frame(
            file, 0, None, THUMBNAIL_SIZE, THUMBNAIL_QUALITY, key=key, background=background, cancel=cancel
        )

    def describe(self, file: FileOrPath, *, cancel: Cancellation | None = None) -> Description:
        """What the pixel data is, from the header alone. Never raises `NotDisplayable` for what the file is."""
        reply = self._ask(DescribeJob(), file, False, cancel)
        assert isinstance(reply, Described)
        return reply.description

    def pixels(
        self, file: FileOrPath, frame_no: int = 1, *, background: bool = False, cancel: Cancellation | None = None
    ) -> DecodedFrame:
        """The stored values of frame `frame_no`, counted from 1, in shared memory."""
        with self._asked(PixelsJob(max(0, frame_no)), file, background, cancel) as (reply, shared):
            assert isinstance(reply, Decoded)
            if shared is None:  # this process had no descriptor left for it
                raise OutOfResources(_("Le service d'images n'a plus de place : réessayer."))
            memory = mmap.mmap(shared, 0, prot=mmap.PROT_READ)
        return DecodedFrame(memory, reply.shape, reply.dtype, reply.slope, reply.intercept, reply.missing_rows)

    def ingest_facts(self, file: FileOrPath, *, decode: bool = True, cancel: Cancellation | None = None) -> IngestFacts:
        """The later parse of a stored file, in the background worker; `decode` false leaves the pixels alone."""
        reply = self._ask(FactsJob(decode), file, True, cancel)
        assert isinstance(reply, Known)
        return reply.facts

    def transcode(
        self, file: FileOrPath, into: int, heads: dict[str, bytes], *, cancel: Cancellation | None = None
    ) -> Transcoded | Kept:
        """Write the file through `into`, losslessly compressed, proved equal in every sample and every other element.

        heads: preamble and file meta of the new file, by the transfer syntax that its pixels may ask for. In a worker
        that nobody waits for; a codec that dies on it says nothing about showing the image. Raises `NotDisplayable`
        when no worker managed.
        """
        with _opened(file) as fd:
            size = os.fstat(fd).st_size
            reply, _shared = self.archivist.ask(
                TranscodeJob(heads), fd, cancel, out=into, more_s=size / SLOWEST_BYTES_S
            )
        if isinstance(reply, Impossible):
            raise reply.refused.error()
        assert isinstance(reply, Transcoded | Kept)
        return reply

    def converted(self, file: FileOrPath, transfer_syntax: str, *, cancel: Cancellation | None = None) -> int:
        """A descriptor of the file's data set in an uncompressed transfer syntax; the caller closes it.

        Raises `NotDisplayable` when it cannot be decoded exactly as it was stored.
        """
        with self._asked(ConvertJob(transfer_syntax), file, True, cancel) as (reply, shared):
            assert isinstance(reply, Converted)
            assert shared is not None
            return os.dup(shared)

    def _ask(self, job: Job, file: FileOrPath, background: bool, cancel: Cancellation | None) -> Reply:
        with self._asked(job, file, background, cancel) as (reply, _shared):
            return reply

    @contextlib.contextmanager
    def _asked(
        self, job: Job, file: FileOrPath, background: bool, cancel: Cancellation | None
    ) -> Iterator[tuple[Reply, int | None]]:
        with _opened(file) as fd:
            identity = file_identity(fd)
            if identity in self._condemned:
                raise NotDisplayable(Reason.CRASHED)
            worker = self.background if background else self.interactive
            try:
                reply, shared = worker.ask(job, fd, cancel)
            except NotDisplayable as refusal:
                if refusal.reason is Reason.CRASHED:
                    self._condemn(identity)
                raise
        try:
            if isinstance(reply, Impossible):
                raise reply.refused.error()
            yield reply, shared
        finally:
            if shared is not None:
                os.close(shared)

    def _condemn(self, identity: tuple[int, ...]) -> None:
        """A file that killed two workers is not shown to a third until the box starts again."""
        with self._lock:
            self._condemned[identity] = None
            if len(self._condemned) > MAX_CONDEMNED:
                self._condemned.popitem(last=False)


def _sane(window: Window | None) -> Window | None:
    return window if window is not None and window.usable else None


@contextlib.contextmanager
def _opened(file: FileOrPath) -> Iterator[int]:
    if isinstance(file, int):
        yield file
        return
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(_("Le fichier de cette image est absent de l'archive.")) from error
    except OSError as error:
        raise OutOfResources(_("Le fichier de cette image ne peut pas être lu : %s") % reason_of(error)) from error
    try:
        yield fd
    finally:
        os.close(fd)
