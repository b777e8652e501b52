"""What leaves the box, as services need it: implemented on the floors above, injected by `install`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.archive.outgoing import Body
from core.model.device import Device
from core.model.fetching import FoundStudy, Moved, StudyCriteria
from core.model.outgoing import Outgoing, Tally
from core.model.received import ReceivedHeader
from core.model.rejection import NoteDraft, RejectionNote
from core.model.report import ReportVersion
from core.model.worklist import ExamLine


class Echo(Protocol):
    """C-ECHO to a device; milliseconds. Raises `Unreachable` or `BadMessage`."""

    def __call__(self, device: Device) -> float: ...


class Bodies(Protocol):
    """Opens stored objects as they must leave (`core.services.retrieval.Dresser`)."""

    def body(self, outgoing: Outgoing, transfer_syntax: str) -> Body: ...


class StoreTo(Protocol):
    """C-STORE of stored objects to a device; the tally says what became of each. Raises `Unreachable`."""

    def __call__(self, device: Device, objects: Sequence[Outgoing], bodies: Bodies, tally: Tally) -> None: ...


class PeerArchive(Protocol):
    """Another archive, asked by us. Both raise `Unreachable` or `BadMessage`."""

    def studies(self, device: Device, criteria: StudyCriteria) -> list[FoundStudy]:
        """C-FIND at study level; every answer that makes sense."""

    def move(self, device: Device, study_instance_uid: str) -> Moved:
        """C-MOVE of one study to ourselves, over when the archive says so."""


class ReadHeader(Protocol):
    """The header walk of a data set in a transfer syntax. Raises `BadMessage` whose `reason` is a `Reason`.

    size: of the whole data set, when `dataset` is only its beginning.
    """

    def __call__(
        self, dataset: bytes | memoryview, transfer_syntax: str, size: int | None = None, /
    ) -> ReceivedHeader: ...


class ReadNote(Protocol):
    """The rejection note in a data set, None when it rejects nothing. Raises `BadMessage`."""

    def __call__(self, content: bytes | memoryview, transfer_syntax: str, /) -> RejectionNote | None: ...


class WriteNote(Protocol):
    """The data set of a rejection note, explicit little endian."""

    def __call__(self, note: NoteDraft, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Page:
    """A finished document: its bytes, type and number of sheets."""

    document: bytes
    mime: str
    pages: int


class Pages(Protocol):
    """Draws paper. `language` of a label: pdf or zpl."""

    def report(self, version: ReportVersion, exam: ExamLine) -> Page: ...
    def label(self, exam: ExamLine, language: str) -> Page: ...
    def wristband(self, exam: ExamLine) -> Page: ...
    def convocation(self, exam: ExamLine, preparation: str) -> Page: ...


@dataclass(slots=True)
class Ports:
    """What `install` plugged in. A missing one refuses the act with a sentence."""

    echo: Echo | None = None
    store: StoreTo | None = None
    archives: PeerArchive | None = None
    read_header: ReadHeader | None = None
    read_note: ReadNote | None = None
    write_note: WriteNote | None = None
    pages: Pages | None = None
    doors: Callable[[], dict[str, str]] | None = None
    replica: Callable[[], dict[str, object]] | None = None
    on_battery: Callable[[], bool] = lambda: False
    leaving: Callable[[], bool] = lambda: False
    """Whether the box was told to stop: what works for long ends at the next whole step."""
