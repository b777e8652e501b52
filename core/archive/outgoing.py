"""The data set of a stored file as it leaves: some bytes of our own, then the rest of the file.

Most files leave as they lie. One whose identity or accession number has changed since gets a new header.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.archive.coercion import Changes, Provenance, Sent, another_charset, changes, coerced, sent_values
from core.archive.elements import BadElements
from core.archive.part10 import META_CAP, FileMeta, read_file_meta
from core.errors import BadMessage, NotFound
from core.i18n import _
from core.model.charset import Encoder
from core.model.outgoing import CurrentIdentity

HEAD: Final = 4096  # group 0002 and the patient of nearly every file
_NOT_YET: Final[tuple[object, ...]] = ()


@dataclass(slots=True)
class Body:
    """A data set to send: `head`, then `length` bytes of the open file from `offset`. Whoever holds it closes it."""

    descriptor: int
    offset: int
    length: int
    transfer_syntax: str
    head: bytes = b""

    @property
    def size(self) -> int:
        return len(self.head) + self.length

    @property
    def coerced(self) -> bool:
        return bool(self.head)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Wardrobe:
    """Opens files in the identity with which they must leave. One per transfer: it remembers what it has compared."""

    def __init__(self, now: Callable[[], datetime], encoder: Encoder | None = None) -> None:
        """encoder: of the one machine to which everything goes, when it can read one character set alone."""
        self._now = now
        self._encoder = encoder
        self._compared: dict[tuple[Sent, CurrentIdentity], Changes | None] = {}

    def open(self, path: str, identity: CurrentIdentity | None) -> Body:
        """The file's data set in its own transfer syntax. Raises `NotFound`, and `BadMessage` when unreadable."""
        descriptor = opened(path)
        try:
            head = os.pread(descriptor, HEAD, 0)
            meta = _meta(descriptor, head)
            body = Body(
                descriptor, meta.dataset_offset, os.fstat(descriptor).st_size - meta.dataset_offset,
                meta.transfer_syntax,
            )  # fmt: skip
            self.dress(body, head, meta.source_ae, identity)
            return body
        except BaseException:
            os.close(descriptor)
            raise

    def dressed(self, descriptor: int, syntax: str, original: str, identity: CurrentIdentity | None) -> Body:
        """A data set that was converted from a file, in this identity. descriptor: now the body's, or closed."""
        body = Body(descriptor, 0, os.fstat(descriptor).st_size, syntax)
        try:
            self.dress(body, os.pread(descriptor, HEAD, 0), _source_of(original), identity)
        except BaseException:
            body.close()
            raise
        return body

    def dress(self, body: Body, head: bytes, source: str, identity: CurrentIdentity | None) -> None:
        """Give an open body the header it must have. head: the first bytes of its file, as far as they are known."""
        if identity is None and self._encoder is None:
            return
        try:
            sent = _sent(body, head)
        except BadElements:
            if identity is None or identity.as_sent:
                return
            raise
        new = self._compare(sent, identity) if identity is not None else None
        encoder = self._encoder
        if encoder is not None and not another_charset(sent, encoder) and new is None:
            encoder = None
        if new is None and encoder is None:
            return
        with mmap.mmap(body.descriptor, 0, prot=mmap.PROT_READ) as data:
            end = len(data)
            note = Provenance(self._now(), source)
            body.head, rest = coerced(data, body.offset, end, body.transfer_syntax, new, note, encoder)
        body.offset, body.length = rest, end - rest

    def _compare(self, sent: Sent, identity: CurrentIdentity) -> Changes | None:
        key = (sent, identity)
        found = self._compared.get(key, _NOT_YET)
        if found is _NOT_YET:
            found = self._compared[key] = changes(sent, identity)
        return found  # type: ignore[return-value]


def _sent(body: Body, head: bytes) -> Sent:
    try:
        sent = sent_values(head, body.offset, len(head), body.transfer_syntax)
    except BadElements:
        sent = None  # cut short by the window, perhaps
    if sent is not None:
        return sent
    with mmap.mmap(body.descriptor, 0, prot=mmap.PROT_READ) as data:
        sent = sent_values(data, body.offset, len(data), body.transfer_syntax)
    if sent is None:  # it ends before group 0020: no stored object does
        raise BadElements("no identity", body.offset)
    return sent


def opened(path: str) -> int:
    """A descriptor for reading. Raises `NotFound`."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(_("Le fichier de cette image est absent de l'archive.")) from error


def _source_of(path: str) -> str:
    with open(path, "rb") as file:
        return read_file_meta(file.read(META_CAP)).source_ae


def _meta(descriptor: int, head: bytes) -> FileMeta:
    try:
        meta = read_file_meta(head)
        if meta.dataset_offset + 8 <= len(head):
            return meta
    except BadMessage:
        pass
    return read_file_meta(os.pread(descriptor, META_CAP, 0))
