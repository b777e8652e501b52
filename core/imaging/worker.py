"""The imaging worker: a process of its own, poor in memory and rights, that opens what the box would rather not.

It reads jobs from one socket, each with a read-only descriptor of the file, and answers in order. It may crash or be
killed at any moment; nothing is lost but the job.

    python -P -m core.imaging.worker SOCKET MEMORY_BYTES CACHE_BYTES IDLE_SECONDS NICENESS
"""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import select
import signal
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from core.imaging import voi
from core.imaging.cache import MemoryCache, file_identity
from core.imaging.convert import convert
from core.imaging.describe import describe
from core.imaging.frames import render
from core.imaging.header import Header, read_header
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.parse import facts_of
from core.imaging.picture import Description, Refused
from core.imaging.pixels import Frame, decode
from core.imaging.source import Source
from core.imaging.transcode import transcode
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
    Known,
    Leaving,
    PixelsJob,
    Ready,
    Rendered,
    Reply,
    TranscodeJob,
    close_all,
    receive,
    send,
)

log = logging.getLogger("core.imaging.worker")  # also when it runs as __main__
MAX_HEADERS = 64
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
Answer = tuple[Reply, int | None]


class Desk:
    """Does jobs. Keeps the last headers and decoded frames, because a viewer asks for the same image again."""

    def __init__(self, cache_bytes: int) -> None:
        self._headers: OrderedDict[tuple[int, ...], Header] = OrderedDict()
        self._frames: MemoryCache[Frame] = MemoryCache(cache_bytes)

    def do(self, job: Job, fd: int, out: int = -1) -> Answer:
        """The answer to one job. This is a door: whatever the file provokes becomes a refusal."""
        try:
            return self._answer(job, fd, out)
        except NotDisplayable as refusal:
            return Impossible(Refused.of(refusal)), None
        except MemoryError:
            self._frames.clear()
            return Impossible(Refused(Reason.NO_MEMORY)), None
        except Exception:
            log.exception("imaging worker")
            return Impossible(Refused(Reason.UNREADABLE)), None

    def _answer(self, job: Job, fd: int, out: int) -> Answer:
        source = Source(fd)
        identity = file_identity(fd)
        match job:
            case DescribeJob():
                return Described(self._describe(source, identity)), None
            case FactsJob():
                return Known(facts_of(source, self._header_or_refusal(source, identity), job.decode)), None
            case FrameJob():
                header = self._header(source, identity)
                index = job.frame_no - 1 if job.frame_no else (header.frames - 1) // 2
                frame = self._frame(source, header, identity, index)
                return Rendered(render(frame, header, index, job.window, job.size, job.quality, job.format)), None
            case ConvertJob():
                memory = convert(source, job.transfer_syntax)
                fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
                return Converted(os.fstat(memory).st_size), memory
            case PixelsJob():
                header = self._header(source, identity)
                index = job.frame_no - 1
                return share(self._frame(source, header, identity, index), header, index)
            case TranscodeJob():
                return transcode(source, read_header(source), job.heads, out), None

    def _describe(self, source: Source, identity: tuple[int, ...]) -> Description:
        header = self._header_or_refusal(source, identity)
        return Description(refusal=header) if isinstance(header, Refused) else describe(header)

    def _header_or_refusal(self, source: Source, identity: tuple[int, ...]) -> Header | Refused:
        try:
            return self._header(source, identity)
        except NotDisplayable as refusal:
            return Refused.of(refusal)

    def _header(self, source: Source, identity: tuple[int, ...]) -> Header:
        header = self._headers.pop(identity, None) or read_header(source)
        self._headers[identity] = header
        if len(self._headers) > MAX_HEADERS:
            self._headers.popitem(last=False)
        return header

    def _frame(self, source: Source, header: Header, identity: tuple[int, ...], index: int) -> Frame:
        frame = self._frames.get((identity, index))
        if frame is None:
            frame = decode(source, header, index)
            self._frames.put((identity, index), frame, frame.samples.nbytes)
        return frame


def share(frame: Frame, header: Header, index: int) -> Answer:
    """The stored values in sealed anonymous memory: the reader may map it and nobody can shrink it under its feet."""
    samples = np.ascontiguousarray(frame.samples)
    memory = os.memfd_create("yelen-pixels", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(memory, "wb", closefd=False) as out:
        out.write(samples.data.cast("B"))
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
    slope, intercept = voi.rescale(header, index)
    return Decoded(samples.shape, samples.dtype.name, slope, intercept, frame.missing_rows), memory


def serve(sock: socket.socket, do: Callable[..., Answer], idle_s: float) -> None:
    """Answer jobs until the box closes its end, or nothing was asked for `idle_s` seconds."""
    decoder = msgspec.msgpack.Decoder(Job)
    send(sock, Ready())
    while True:
        if not select.select([sock], [], [], idle_s)[0]:
            send(sock, Leaving())
            return
        try:
            job, fds = receive(sock, decoder)
        except (EOFError, OSError):
            return
        if not fds:
            return
        try:
            reply, shared = do(job, *fds)
        finally:
            close_all(fds)
        send(sock, reply, *([] if shared is None else [shared]))
        if shared is not None:
            os.close(shared)


def write_log() -> None:
    """Our own warnings go to the box's log, beside those of the box; what libraries say of every file does not."""
    logging.basicConfig(level=logging.CRITICAL, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("core").setLevel(logging.WARNING)


def limit_memory(more_bytes: int) -> None:
    """No more address space than what the libraries took, plus `more_bytes`; no core dumps."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(arguments: list[str]) -> None:
    fd, memory, cache, idle, niceness = (int(each) for each in arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    write_log()
    os.nice(niceness)
    limit_memory(memory)
    serve(socket.socket(fileno=fd), Desk(cache).do, idle)


if __name__ == "__main__":
    main(sys.argv[1:])
