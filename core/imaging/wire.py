"""The messages between the box and its imaging worker: length-prefixed msgspec, two descriptors at most beside each.

A message is 4 bytes of length (big endian), 1 byte that counts descriptors (0 to 2), then MessagePack.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from core.imaging.ingest_facts import IngestFacts
from core.imaging.picture import Description, Refused, RenderedFrame
from core.imaging.window import Window

MAX_MESSAGE = 64 * 1024 * 1024
_PREFIX = struct.Struct(">IB")


class FrameJob(msgspec.Struct, frozen=True, tag="frame"):
    """Render one frame. `frame_no` counts from 1; 0 is the middle one."""

    frame_no: int
    window: Window | None
    size: int | None
    quality: int
    format: str


class DescribeJob(msgspec.Struct, frozen=True, tag="describe"):
    """Read the header."""


class PixelsJob(msgspec.Struct, frozen=True, tag="pixels"):
    """Decode one frame into shared memory."""

    frame_no: int


class FactsJob(msgspec.Struct, frozen=True, tag="facts"):
    """Read everything, decode every frame and hash it."""

    decode: bool


class TranscodeJob(msgspec.Struct, frozen=True, tag="transcode"):
    """Write the file losslessly compressed through the second descriptor.

    heads: preamble and file meta of the new file, by the transfer syntax that its pixels may ask for.
    """

    heads: dict[str, bytes]


class ConvertJob(msgspec.Struct, frozen=True, tag="convert"):
    """Write the data set in an uncompressed transfer syntax into shared memory."""

    transfer_syntax: str


Job = FrameJob | DescribeJob | PixelsJob | FactsJob | TranscodeJob | ConvertJob


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker has started. One that ends before it said so met no file: the machine had no room for it."""


class Rendered(msgspec.Struct, frozen=True, tag="rendered"):
    frame: RenderedFrame


class Described(msgspec.Struct, frozen=True, tag="described"):
    description: Description


class Decoded(msgspec.Struct, frozen=True, tag="decoded"):
    """Stored values, in the shared memory that comes with the message; `dtype` is numpy's name for them."""

    shape: tuple[int, ...]
    dtype: str
    slope: float
    intercept: float
    missing_rows: int


class Known(msgspec.Struct, frozen=True, tag="known"):
    facts: IngestFacts


class Transcoded(msgspec.Struct, frozen=True, tag="transcoded"):
    """Written, read back, and the same in every sample and every other element. size: of the new file, in bytes."""

    syntax: str
    size: int


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """The file stays as it was received; why, in English, for the log."""

    why: str


class Converted(msgspec.Struct, frozen=True, tag="converted"):
    """The data set is in the shared memory that comes with the message."""

    size: int


class Impossible(msgspec.Struct, frozen=True, tag="impossible"):
    refused: Refused


class Leaving(msgspec.Struct, frozen=True, tag="leaving"):
    """The worker had nothing to do for long and gives its memory back; it did not do the job just sent, if any."""


Reply = Ready | Rendered | Described | Decoded | Known | Transcoded | Kept | Converted | Impossible | Leaving

M = TypeVar("M", Job, Reply)


def send(sock: socket.socket, message: Job | Reply, *fds: int) -> None:
    """Write one message, with the descriptors that go with it."""
    body = msgspec.msgpack.encode(message)
    socket.send_fds(sock, [_PREFIX.pack(len(body), len(fds))], fds)
    sock.sendall(body)


def receive(sock: socket.socket, decoder: msgspec.msgpack.Decoder[M]) -> tuple[M, list[int]]:
    """Read one message and the descriptors that came with it. Raises EOFError when the other end is gone."""
    prefix, fds = _prefix(sock)
    try:
        length, _count = _PREFIX.unpack(prefix)
        if length > MAX_MESSAGE:
            raise EOFError("message over the limit")
        return decoder.decode(_exactly(sock, length)), fds
    except BaseException:
        close_all(fds)
        raise


def close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _prefix(sock: socket.socket) -> tuple[bytes, list[int]]:
    prefix, fds, _flags, _address = socket.recv_fds(sock, _PREFIX.size, 2)
    if not prefix:
        raise EOFError("closed")
    if len(prefix) < _PREFIX.size:
        prefix += _exactly(sock, _PREFIX.size - len(prefix))
    return prefix, fds


def _exactly(sock: socket.socket, length: int) -> bytearray:
    body = bytearray(length)
    view, got = memoryview(body), 0
    while got < length:
        count = sock.recv_into(view[got:])
        if not count:
            raise EOFError("closed in mid-message")
        got += count
    return body
