"""The minimal lower layer protocol without sockets: bytes in, frames out.

A frame is `0x0B` message `0x1C 0x0D`. The result never depends on how the bytes were cut.
Source: HL7 v2.5.1 Implementation Support Guide, Appendix C (MLLP release 1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import BadMessage
from core.hl7.limits import DEFAULT, Limits
from core.i18n import _

START = 0x0B
END = 0x1C
RETURN = 0x0D
_START = bytes([START])
_HEAD = 8 * 1024  # enough for any MSH; kept of a refused frame so that it can still be answered
_HEADER = re.compile(rb"(?:\A|[\r\n]|\xef\xbb\xbf)(MSH[^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, or a batch of messages, as received. warnings: what the sender did wrong, for the log."""

    payload: bytes
    warnings: tuple[str, ...] = ()


class Deframer:
    """Cuts a stream into frames. Give bytes to `receive`, then take frames until `next_frame` returns None.

    After a `BadMessage` the stream cannot be trusted any more: answer with `head` if it holds an MSH, and close.
    """

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._inside = False
        self._scanned = 0  # bytes of the open frame already searched for 0x1C
        self._junk = 0
        self._cap = limits.message
        self._ended = False
        self.frames = 0  # completed so far

    @property
    def mid_frame(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return self._inside

    @property
    def head(self) -> bytes:
        """The beginning of the open frame."""
        return bytes(self._buffer[:_HEAD]) if self._inside else b""

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        self._buffer += data

    def end(self) -> None:
        """The peer will send no more: a frame that ends with 0x1C alone counts as complete."""
        self._ended = True

    def next_frame(self) -> Frame | None:
        """The next complete frame, or None until more bytes arrive.

        Raises `BadMessage` (`junk` or `frame-too-long`) when a cap of `Limits` is passed.
        """
        if not self._inside:
            self._seek_start()
        if not self._inside:
            return None
        found = self._seek_end()
        if found is None:
            self._check_size(self._scanned)
            return None
        end, trailer, warning = found
        self._check_size(end)
        return self._take(end, trailer, warning)

    def _seek_start(self) -> None:
        at = self._buffer.find(_START)
        skipped = len(self._buffer) if at < 0 else at
        self._junk += skipped
        if self._junk >= self._limits.junk:
            raise BadMessage(_("Octets sans début de message (0x0B)"), "junk")
        del self._buffer[: skipped if at < 0 else at + 1]
        if at >= 0:
            self._inside, self._scanned, self._cap = True, 0, self._limits.message

    def _drop_leading_starts(self) -> None:
        """A 0x0B at the start of an empty frame begins the frame again."""
        extra = 0
        while extra < len(self._buffer) and self._buffer[extra] == START:
            extra += 1
        if extra and self._scanned == 0:
            self._junk += extra
            del self._buffer[:extra]
            if self._junk >= self._limits.junk:
                raise BadMessage(_("Octets sans début de message (0x0B)"), "junk")

    def _seek_end(self) -> tuple[int, int, str] | None:
        """Where the frame ends, how many bytes end it, and a warning; None when more bytes are needed."""
        self._drop_leading_starts()
        while (at := self._buffer.find(END, self._scanned)) >= 0:
            follower = self._buffer[at + 1] if at + 1 < len(self._buffer) else None
            if follower == RETURN:
                return at, 2, ""
            if follower == START or (follower is None and self._ended):
                return at, 1, _("fin de message sans 0x0D")
            if follower is None:
                self._scanned = at
                return None
            self._scanned = at + 1
        self._scanned = len(self._buffer)
        return None

    def _check_size(self, size: int) -> None:
        if size <= self._cap:
            return
        if self._cap == self._limits.message and is_report(self._buffer[: self._limits.message]):
            self._cap = max(self._limits.report, self._limits.message)
        if size > self._cap:
            raise BadMessage(_("Message trop long (plus de %d octets)") % self._cap, "frame-too-long")

    def _take(self, end: int, trailer: int, warning: str) -> Frame:
        with memoryview(self._buffer) as view:
            payload = bytes(view[:end])
        del self._buffer[: end + trailer]
        warnings: tuple[str, ...] = (warning,) if warning else ()
        if START in payload:
            payload = payload.replace(_START, b"")
            warnings += (_("0x0B au milieu du message"),)
        self._inside, self._junk = False, 0
        self.frames += 1
        return Frame(payload, warnings)


def is_report(message: bytes | bytearray) -> bool:
    """Whether MSH-9 of the first MSH says ORU: the only kind that may be longer than a mebibyte."""
    found = _HEADER.search(message[:_HEAD])
    if found is None or len(found[1]) < 4:
        return False
    fields = found[1].split(found[1][3:4], 9)
    return len(fields) > 8 and fields[8].startswith(b"ORU")


def frame(message: bytes) -> bytes:
    """A message ready for the wire."""
    return b"\x0b" + message + b"\x1c\r"
