"""A segment: a run of journal rows of one lane, as NDJSON. Bytes in, values out, no file and no socket.

First line: the header. Then one line a row. Last line: their number and the SHA-256 of everything before it.
Whatever the bytes, a segment is understood or `BadMessage` is raised; rows are capped before they are parsed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator

import msgspec

from core.errors import BadMessage
from core.i18n import _
from core.index.journal import LANES

FORMAT = 1
SIZE_CAP = 256 << 20  # bytes; one message of 32 MiB alone takes 64 MiB, its bytes travel as hexadecimal text
NAME = re.compile(r"seg-(\d{4})-(small|bulk)-(\d{12})-(\d{12})\.ndjson")
PATH = re.compile(r"(archive/\d{4}/\d\d/\d\d/[0-9a-f]{24}|quarantine)/[0-9a-f]{36}\.dcm")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """site: whose rows these are. after: the row of the lane that comes before the first. last: the last row.

    needs: the `small` row that must be applied before.
    """

    format: int
    site: str
    epoch: int
    lane: str
    after: int
    last: int
    needs: int


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One journal row. row: the JSON image of the table row. path, size, sha256: the file it names, if any."""

    seq: int
    tbl: str
    op: str
    schema: int
    row: msgspec.Raw
    path: str | None = None
    size: int | None = None
    sha256: str | None = None


class Trailer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: int
    sha256: str


class Segment(msgspec.Struct, frozen=True):
    header: Header
    entries: tuple[Entry, ...]

    def files(self) -> Iterator[tuple[str, int, str]]:
        """(path, size, sha256) of every file that a row of this segment names."""
        for entry in self.entries:
            if entry.op == "put" and entry.path is not None and entry.size is not None and entry.sha256 is not None:
                yield entry.path, entry.size, entry.sha256


def name_of(header: Header) -> str:
    return f"seg-{header.epoch:04d}-{header.lane}-{header.after:012d}-{header.last:012d}.ndjson"


def encode(header: Header, entries: Iterable[Entry]) -> bytes:
    lines = [msgspec.json.encode(header), *(msgspec.json.encode(e) for e in entries)]
    body = b"\n".join(lines) + b"\n"
    trailer = Trailer(len(lines) - 1, hashlib.sha256(body).hexdigest())
    return body + msgspec.json.encode(trailer) + b"\n"


def decode(content: bytes) -> Segment:
    """Raises `BadMessage` for anything but a whole, unaltered segment."""
    if len(content) > SIZE_CAP:
        raise _bad(_("segment trop gros"))
    body, newline, last = content.removesuffix(b"\n").rpartition(b"\n")
    try:
        trailer = msgspec.json.decode(last, type=Trailer)
        if not newline or hashlib.sha256(body + newline).hexdigest() != trailer.sha256:
            raise _bad(_("segment altéré ou tronqué"))
        first, *rows = body.split(b"\n")
        header = msgspec.json.decode(first, type=Header)
        entries = tuple(msgspec.json.decode(row, type=Entry) for row in rows)
    except msgspec.MsgspecError as fault:
        raise _bad(_("segment illisible")) from fault
    _check(header, entries, trailer)
    return Segment(header, entries)


def _check(header: Header, entries: tuple[Entry, ...], trailer: Trailer) -> None:
    if header.format != FORMAT or header.lane not in LANES or len(entries) != trailer.rows:
        raise _bad(_("segment d'un format inconnu"))
    seqs = [header.after, *(e.seq for e in entries)]
    if seqs != sorted(set(seqs)) or not 0 <= header.after < header.last or seqs[-1] > header.last:
        raise _bad(_("segment désordonné"))
    for entry in entries:
        if entry.op not in ("put", "del"):
            raise _bad(_("opération inconnue dans un segment"))
        if entry.path is not None and PATH.fullmatch(entry.path) is None:
            raise _bad(_("chemin interdit dans un segment"))


def _bad(what: str) -> BadMessage:
    return BadMessage(_("Second bâtiment : %s.") % what, "bad-segment")
