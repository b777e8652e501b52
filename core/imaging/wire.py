"""The messages between the box and its imaging worker: length-prefixed msgspec, one descriptor at most beside each.

A message is 4 bytes of length (big endian), 1 byte that counts descriptors (0 or 1), then MessagePack.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
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


Job = FrameJob | DescribeJob | PixelsJob | FactsJob


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


class Impossible(msgspec.Struct, frozen=True, tag="impossible"):
    refused: Refused


class Leaving(msgspec.Struct, frozen=True, tag="leaving"):
    """The worker had nothing to do for long and gives its memory back; it did not do the job just sent, if any."""


Reply = Ready | Rendered | Described | Decoded | Known | Impossible | Leaving

M = TypeVar("M", Job, Reply)


def send(sock: socket.socket, message: Job | Reply, fd: int | None = None) -> None:
    """Write one message, with a descriptor when there is one."""
    body = msgspec.msgpack.encode(message)
    prefix = _PREFIX.pack(len(body), fd is not None)
    socket.send_fds(sock, [prefix], [] if fd is None else [fd])
    sock.sendall(body)


def receive(sock: socket.socket, decoder: msgspec.msgpack.Decoder[M]) -> tuple[M, int | None]:
    """Read one message and the descriptor that came with it. Raises EOFError when the other end is gone."""
    prefix, fds = _prefix(sock)
    try:
        length, _ = _PREFIX.unpack(prefix)
        if length > MAX_MESSAGE:
            raise EOFError("message over the limit")
        message = decoder.decode(_exactly(sock, length))
    except BaseException:
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        raise
    return message, fds[0] if fds else None


def _prefix(sock: socket.socket) -> tuple[bytes, list[int]]:
    prefix, fds, _, _ = socket.recv_fds(sock, _PREFIX.size, 1)
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
