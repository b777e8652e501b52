"""Storage: C-STORE. Read the header, hand the bytes to the ingest, translate what became of them.

Source: PS3.4 annex B; statuses table B.2-1. The data set is kept exactly as received.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final, Protocol

from core.dicom import rejection_note
from core.dicom.dataset import BadDataSet
from core.dicom.dimse import Reply
from core.dicom.handlers import Request
from core.dicom.header import LARGE_WINDOW, walk
from core.dicom.status import CANNOT_UNDERSTAND, DATA_SET_MISMATCH, DUPLICATE_INSTANCE, SUCCESS
from core.dicom.walk_fault import BadHeader
from core.errors import OutOfResources
from core.i18n import _
from core.model.received import Arrival, Reason, ReceivedHeader, Sender, Stored, StoreOutcome
from core.model.rejection import KEY_OBJECT_SELECTION, RejectionNote
from core.trouble import reason_of

ROOM_EVERY: Final = 64 << 20  # bytes of a spooled object between two looks at the free space

# What the sender gets for each reason of quarantine that this door knows; the rest cannot be understood.
_QUARANTINE_STATUS: Final[dict[Reason, int]] = {
    Reason.MISSING_UID: DATA_SET_MISMATCH,
    Reason.UID_MISMATCH: DATA_SET_MISMATCH,
    Reason.DUPLICATE_CONFLICT: DUPLICATE_INSTANCE,
    Reason.UNKNOWN_CALLER: SUCCESS,
}
SET_ASIDE: Final = frozenset(Reason) - {Reason.NO_META, Reason.NO_TRANSFER_SYNTAX, Reason.BOMB, Reason.NOT_AN_INSTANCE}


def quarantine_status(reason: Reason) -> int:
    """The answer to a C-STORE whose object was set aside."""
    return _QUARANTINE_STATUS.get(reason, CANNOT_UNDERSTAND)


class Ingest(Protocol):
    """The verbs of `core.services.ingest` that storage needs."""

    def store(self, arrival: Arrival) -> StoreOutcome: ...
    def check_room(self) -> None: ...


class Seen(Protocol):
    """A machine sent something."""

    def seen(self, ae_title: str, what: str) -> None: ...


class StorageDoor:
    """`Storage` over the ingest. spool: folder for objects too big for memory."""

    def __init__(self, ingest: Ingest, devices: Seen, spool: Path) -> None:
        self._ingest = ingest
        self._devices = devices
        self._spool = spool

    def begin(self, request: Request, /) -> ObjectReception:
        self._ingest.check_room()
        return ObjectReception(self, request)

    def spool_file(self) -> Path:
        return self._spool / f"{secrets.token_hex(16)}.spool"

    def check_room(self) -> None:
        self._ingest.check_room()

    def keep(
        self, request: Request, whole: memoryview | bytes, head: memoryview | bytes, size: int, spooled: str
    ) -> Reply:
        """The answer, when the object is durable in the archive or in quarantine."""
        syntax = request.context.transfer_syntax
        header: ReceivedHeader | None = None
        refusal: Reason | None = None if request.caller.known or request.caller.may_query else Reason.UNKNOWN_CALLER
        detail, mismatch = "", False
        try:
            header = walk(head, syntax, size)
        except BadHeader as error:
            refusal = refusal or error.why
            detail, mismatch = f"{error.detail} ({error.offset})" if error.offset else error.detail, error.mismatch
        rejects: RejectionNote | None = None
        if header is not None and header.sop_class_uid == KEY_OBJECT_SELECTION and request.caller.known:
            try:
                rejects = rejection_note.read(whole, syntax)
            except BadDataSet as error:
                refusal, detail = refusal or Reason.BAD_STRUCTURE, f"{error.reason} ({error.offset})"
        if header is not None and request.command.sop_class != request.context.abstract_syntax:
            refusal = refusal or Reason.UID_MISMATCH
        outcome = self._ingest.store(
            Arrival(
                sender=_sender(request),
                sop_class_uid=request.command.sop_class,
                sop_instance_uid=request.command.sop_instance,
                transfer_syntax=syntax,
                dataset=whole,
                header=header,
                refusal=refusal,
                refusal_detail=detail,
                spooled=spooled,
                rejects=rejects,
            )
        )
        self._devices.seen(request.caller.ae_title, "store")
        return _reply(request, outcome, mismatch)


class ObjectReception:
    """One object on its way in; see `core.dicom.handlers.Reception`."""

    def __init__(self, door: StorageDoor, request: Request) -> None:
        self._door = door
        self._request = request
        self._path: Path | None = None
        self._descriptor = -1
        self._size = 0

    def store(self, whole: memoryview, /) -> Reply:
        return self._door.keep(self._request, whole, whole, len(whole), "")

    def open(self) -> None:
        self._path = self._door.spool_file()
        with _disk_trouble():
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, piece: memoryview, /) -> None:
        before, self._size = self._size, self._size + len(piece)
        if before // ROOM_EVERY != self._size // ROOM_EVERY:
            self._door.check_room()
        with _disk_trouble():
            while piece:
                piece = piece[os.write(self._descriptor, piece) :]

    def close(self) -> Reply:
        try:
            head = os.pread(self._descriptor, LARGE_WINDOW, 0)
            return self._door.keep(self._request, b"", head, self._size, str(self._path))
        finally:
            self.abort()

    def abort(self) -> None:
        """The spool file is ours alone: the archive has its own copy by now, or never will."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class _disk_trouble(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a statement
    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise OutOfResources(_("Écriture impossible sur le disque : %s") % reason_of(error)) from error


def _sender(request: Request) -> Sender:
    caller = request.caller
    return Sender(caller.ae_title, caller.address, caller.known, request.association)


def _reply(request: Request, outcome: StoreOutcome, mismatch: bool) -> Reply:
    if outcome.what is not Stored.QUARANTINED or outcome.reason is None:
        return Reply(SUCCESS)
    device = request.caller.device
    if outcome.reason is Reason.DUPLICATE_CONFLICT and device is not None and device.conflict_is_success:
        return Reply(SUCCESS)
    status = DATA_SET_MISMATCH if mismatch else quarantine_status(outcome.reason)
    return Reply(status, comment="" if status == SUCCESS else outcome.reason.value)
