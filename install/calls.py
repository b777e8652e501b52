"""Calls of the administrator's commands, beside those of the terminals: the socket answers them while the box runs.

Each has a line in `install/verbs.py`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

import msgspec

from core.model.device import Destination, HisSender
from core.model.export import Asked, Progress
from core.model.fetching import Fetch, FetchProgress
from core.model.his import MessageLine
from core.model.order import Exam, Room
from core.model.routing import Route, TransferLine
from core.model.task import TaskLine
from core.model.why import Contact
from core.rpc.contract import Call


class SaveRoom(Call[None], frozen=True):
    method: ClassVar[str] = "orders.save_room"
    room: Room


class RemoveRoom(Call[None], frozen=True):
    method: ClassVar[str] = "orders.remove_room"
    code: str


class SaveExam(Call[None], frozen=True):
    method: ClassVar[str] = "orders.save_exam"
    exam: Exam


class RemoveExam(Call[None], frozen=True):
    method: ClassVar[str] = "orders.remove_exam"
    code: str


class Migrate(Call[FetchProgress], frozen=True):
    method: ClassVar[str] = "fetching.migrate"
    ae_title: str
    first: date
    last: date | None = None


class FetchAgain(Call[int], frozen=True):
    method: ClassVar[str] = "fetching.again"
    ae_title: str


class FetchesSoFar(Call[tuple[FetchProgress, ...]], frozen=True):
    method: ClassVar[str] = "fetching.progress"


class FailedFetches(Call[tuple[Fetch, ...]], frozen=True):
    method: ClassVar[str] = "fetching.failed"


class Senders(Call[tuple[HisSender, ...]], frozen=True):
    method: ClassVar[str] = "his.senders"


class SaveSender(Call[None], frozen=True):
    method: ClassVar[str] = "his.save_sender"
    sender: HisSender


class RemoveSender(Call[None], frozen=True):
    method: ClassVar[str] = "his.remove_sender"
    name: str


class Destinations(Call[tuple[Destination, ...]], frozen=True):
    method: ClassVar[str] = "his.destinations"


class SaveDestination(Call[None], frozen=True):
    method: ClassVar[str] = "his.save_destination"
    destination: Destination


class RemoveDestination(Call[None], frozen=True):
    method: ClassVar[str] = "his.remove_destination"
    name: str


class Routes(Call[tuple[Route, ...]], frozen=True):
    method: ClassVar[str] = "routing.routes"


class AddRoute(Call[None], frozen=True):
    method: ClassVar[str] = "routing.add"
    route: Route


class RemoveRoute(Call[None], frozen=True):
    method: ClassVar[str] = "routing.remove"
    route_id: int


class Transfers(Call[tuple[TransferLine, ...]], frozen=True):
    """Studies on their way to other machines, and those that nobody took."""

    method: ClassVar[str] = "routing.transfers"


class RetryTransfer(Call[None], frozen=True):
    method: ClassVar[str] = "routing.retry"
    transfer_id: int


class AbandonTransfer(Call[None], frozen=True):
    method: ClassVar[str] = "routing.abandon"
    transfer_id: int


class RemovePrinter(Call[None], frozen=True):
    method: ClassVar[str] = "printing.remove_printer"
    name: str


class Probed(msgspec.Struct, frozen=True):
    """What a machine answered to C-ECHO, and what is known of it, one French line each."""

    ok: bool
    lines: tuple[str, ...] = ()


class DeviceContacts(Call[tuple[Contact, ...]], frozen=True):
    """What a machine tried and asked lately, the newest first."""

    method: ClassVar[str] = "why.contacts"
    ae_title: str


class ProbeDevice(Call[Probed], frozen=True):
    method: ClassVar[str] = "devices.probe"
    ae_title: str


class Copied(msgspec.Struct, frozen=True):
    """A backup: its folder, the bytes of its index."""

    folder: str
    size: int


class BackUp(Call[Copied], frozen=True):
    method: ClassVar[str] = "house.backup"
    folder: str


class FileFault(msgspec.Struct, frozen=True):
    """A file of the archive that is not what the index says. what: missing, changed, unknown."""

    path: str
    what: str


class Checked(msgspec.Struct, frozen=True):
    files: int
    size: int
    faults: tuple[FileFault, ...] = ()


class VerifyFiles(Call[Checked], frozen=True):
    method: ClassVar[str] = "house.verify"


class Reindexed(msgspec.Struct, frozen=True):
    """adopted: files that had no row. lines: what else was found, in French."""

    adopted: int
    lines: tuple[str, ...] = ()


class Reindex(Call[Reindexed], frozen=True):
    method: ClassVar[str] = "house.reindex"


class SetSecret(Call[None], frozen=True):
    """A new password or PIN; "" leaves it."""

    method: ClassVar[str] = "people.set_secret"
    login: str
    password: str = ""
    pin: str = ""


class Imported(msgspec.Struct, frozen=True):
    """What became of the files of a disc or folder. refused: how many went to quarantine or could not be read."""

    lines: tuple[str, ...]
    refused: int = 0


class Refused(msgspec.Struct, frozen=True):
    """Somebody who called and was not let in, or spoke nonsense. why: French; times: how often, the last at `at`."""

    door: str
    ae_title: str
    address: str
    why: str
    times: int
    at: datetime


class RefusedCallers(Call[tuple[Refused, ...]], frozen=True):
    method: ClassVar[str] = "devices.attempts"


class Messages(Call[tuple[MessageLine, ...]], frozen=True):
    """What the hospital's system sent, the newest first, and what became of it."""

    method: ClassVar[str] = "his.messages"


class SetAside(msgspec.Struct, frozen=True):
    """Bytes kept in quarantine. why: French; patient, ae_title: as sent; path: in the data folder."""

    id: int
    at: datetime
    ae_title: str
    patient: str
    why: str
    detail: str
    path: str


class Quarantined(Call[tuple[SetAside, ...]], frozen=True):
    method: ClassVar[str] = "ingest.quarantine"


class BeginExport(Call[Progress], frozen=True):
    """folder: a full path on the box. asked: the whole department, a patient or a study."""

    method: ClassVar[str] = "export.begin"
    folder: str
    asked: Asked = Asked()


class ProceedExport(Call[Progress], frozen=True):
    """About a second of work on the export begun in a folder."""

    method: ClassVar[str] = "export.proceed"
    folder: str


class Tasks(Call[tuple[TaskLine, ...]], frozen=True):
    """What people must look at, the oldest first."""

    method: ClassVar[str] = "tasks.waiting"


class SettleTask(Call[None], frozen=True):
    """A person has settled it; how: in French."""

    method: ClassVar[str] = "tasks.settle"
    task_id: int
    how: str


class SettleQuarantine(Call[None], frozen=True):
    method: ClassVar[str] = "ingest.settle"
    quarantine_id: int
    how: str


class Retried(msgspec.Struct, frozen=True):
    """known: the archive had the image already; to_match: a person must say whose it is."""

    known: bool = False
    to_match: bool = False


class RetryQuarantine(Call[Retried], frozen=True):
    """What was set aside goes through the ingest once more."""

    method: ClassVar[str] = "retrying.retry"
    quarantine_id: int


class WaitingOf(Call[tuple[int, ...]], frozen=True):
    """The next lines of quarantine of a machine, the oldest first, above the number `after`."""

    method: ClassVar[str] = "retrying.waiting"
    ae_title: str
    after: int = 0


class Import(Call[Imported], frozen=True):
    method: ClassVar[str] = "house.import"
    path: str
