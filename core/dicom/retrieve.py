"""C-GET and C-MOVE, Study and Patient Root: read the identifier, find the objects, send them, say what became of each.

Source: PS3.4 C.4.2 (C-MOVE), C.4.3 (C-GET), tables C.4-2 and C.4-3 (statuses), C.6.1 and C.6.2 (unique keys).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from core.clock import Clock
from core.dicom import dataset
from core.dicom.conformance import IMPLICIT_LE, PATIENT_ROOT_GET, PATIENT_ROOT_MOVE
from core.dicom.dataset import Item
from core.dicom.dimse import BadCommand, Reply
from core.dicom.handlers import Request
from core.dicom.requestor import Requestor
from core.dicom.status import (
    CANCELLED,
    DESTINATION_UNKNOWN,
    PENDING,
    SUBOPERATIONS_FAILED,
    SUBOPERATIONS_REFUSED,
    SUCCESS,
)
from core.dicom.suboperations import Bodies, Cancelled, RequestorGone, carry_out
from core.dicom.upper_layer import BadPdu
from core.dicom.wire import PeerGone
from core.errors import BadInput, YelenError
from core.i18n import _
from core.model.device import Device
from core.model.outgoing import Level, Outgoing, Tally, Wanted
from core.model.people import Actor

_log = logging.getLogger(__name__)
LEVEL: Final = 0x00080052
SOP_UID: Final = 0x00080018
PATIENT_ID: Final = 0x00100020
ISSUER: Final = 0x00100021
STUDY_UID: Final = 0x0020000D
SERIES_UID: Final = 0x0020000E
FAILED_UIDS: Final = 0x00080058
REPORT_EVERY: Final = 50  # sub-operations between two pending responses
REPORT_EVERY_S: Final = 10.0
_LONGEST_VALUE: Final = 0xFFFE  # of a UI in explicit VR
_ORDER: Final = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)


class Retrieval(Protocol):
    """The verbs of `core.services.retrieval` that the door needs."""

    def find(self, wanted: Wanted) -> list[Outgoing]: ...
    def dresser(self, receiver: Device | None = None) -> Bodies: ...
    def sent(
        self, actor: Actor, to: str, objects: Sequence[Outgoing], tally: Tally, outcome: str, why: str
    ) -> None: ...


class Machines(Protocol):
    """The registry of machines."""

    def by_ae(self, ae_title: str) -> Device | None: ...
    def seen(self, ae_title: str, what: str) -> None: ...


class StoreTo(Protocol):
    """Our store sender: `core.dicom.send.DicomSender.store`."""

    def __call__(
        self,
        device: Device,
        objects: Sequence[Outgoing],
        bodies: Bodies,
        tally: Tally,
        watch: Callable[[], None] = ...,
        originator: tuple[str, int] | None = None,
    ) -> None: ...


class Progress:
    """Looks after one retrieve between its sub-operations: the requestor's wish to stop, and the pending responses."""

    def __init__(self, requestor: Requestor, tally: Tally, clock: Clock) -> None:
        self._requestor = requestor
        self._tally = tally
        self._clock = clock
        self._reported = clock.monotonic()
        self._remaining = tally.remaining

    def __call__(self) -> None:
        self._requestor.check()
        now = self._clock.monotonic()
        if self._remaining - self._tally.remaining >= REPORT_EVERY or now - self._reported >= REPORT_EVERY_S:
            self._reported, self._remaining = now, self._tally.remaining
            self._requestor.report(Reply(PENDING, counters=self._tally.counters))


class RetrieveDoor:
    """The handlers of C-GET and C-MOVE. title: our own AE, which is nobody's destination."""

    def __init__(self, retrieval: Retrieval, machines: Machines, store: StoreTo, title: str, clock: Clock) -> None:
        self._retrieval = retrieval
        self._machines = machines
        self._store = store
        self._title = title
        self._clock = clock

    def get(self, request: Request) -> Iterator[Reply]:
        requestor = _requestor(request)

        def send(objects: Sequence[Outgoing], tally: Tally, watch: Callable[[], None]) -> None:
            carry_out(objects, requestor, self._retrieval.dresser(request.caller.device), tally, watch)

        yield self._retrieve(request, requestor, request.caller.ae_title, request.caller.device, send)

    def move(self, request: Request) -> Iterator[Reply]:
        requestor = _requestor(request)
        device = self._destination(request.command.move_destination)
        if device is None:
            yield Reply(DESTINATION_UNKNOWN, comment="Move Destination unknown")
            return
        originator = (request.caller.ae_title, request.command.message_id)

        def send(objects: Sequence[Outgoing], tally: Tally, watch: Callable[[], None]) -> None:
            self._store(device, objects, self._retrieval.dresser(device), tally, watch, originator)

        yield self._retrieve(request, requestor, device.ae_title, device, send)

    def _destination(self, ae_title: str) -> Device | None:
        """A machine of the registry that listens and may receive; never ourselves: that would be a loop."""
        device = self._machines.by_ae(ae_title)
        if device is None or not device.active or not device.may_receive or not device.host or not device.port:
            return None
        return None if device.key == self._title.strip().casefold() else device

    def _retrieve(
        self,
        request: Request,
        requestor: Requestor,
        to: str,
        receiver: Device | None,
        send: Callable[[Sequence[Outgoing], Tally, Callable[[], None]], None],
    ) -> Reply:
        keys = dataset.decode(request.data_set, request.context.transfer_syntax)
        self._machines.seen(request.caller.ae_title, "query")
        asker = request.caller.device
        doubtful = _reads_here(asker) and _reads_here(receiver)
        objects = self._retrieval.find(read_wanted(keys, request.context.abstract_syntax, doubtful))
        tally = Tally(len(objects))
        status, why = None, ""
        try:
            if objects:
                send(objects, tally, Progress(requestor, tally, self._clock))
        except Cancelled:
            status, why = CANCELLED, "cancelled"
        except RequestorGone as error:
            why = "requestor gone"
            raise PeerGone("left in the middle of a retrieve") from error
        except (BadPdu, BadCommand) as error:  # the association itself is broken
            why = error.reason
            raise
        except YelenError as error:  # the destination cannot be reached, or left and did not come back
            why = str(error)
            _log.warning("%s: retrieve to %s: %s", request.association, to, error)
            _give_up(objects, tally)
        except BaseException as error:
            why = type(error).__name__
            raise
        finally:
            requestor.close()
            if objects:
                actor = Actor.system("dicom", f"dicom {request.caller.ae_title}@{request.caller.address}")
                self._retrieval.sent(actor, to, objects, tally, _outcome(tally, why), why)
        return final(status, tally, request)


def _requestor(request: Request) -> Requestor:
    assert request.requestor is not None
    return request.requestor(request)


def _reads_here(device: Device | None) -> bool:
    """Studies under the overlay are looked at on a workstation of the department, and go nowhere else."""
    return device is not None and device.role == "workstation"


def _give_up(objects: Sequence[Outgoing], tally: Tally) -> None:
    done = len(objects) - tally.remaining
    tally.failed += [each.sop_instance_uid for each in objects[done:]]
    tally.remaining = 0


def _outcome(tally: Tally, why: str) -> str:
    if not tally.failed and not why:
        return "ok"
    return "partial" if tally.completed or tally.warnings else "failed"


def final(status: int | None, tally: Tally, request: Request) -> Reply:
    """The last response. Remaining sub-operations are only said of a cancelled retrieve."""
    remaining, completed, failed, warnings = tally.counters
    if status is None:
        nothing = tally.failed and not completed and not warnings
        some = tally.failed or warnings
        status = SUBOPERATIONS_REFUSED if nothing else SUBOPERATIONS_FAILED if some else SUCCESS
    counters = (remaining if status == CANCELLED else None, completed, failed, warnings)
    identifier = _failed_list(tally.failed, request.context.transfer_syntax) if tally.failed else None
    return Reply(status, identifier, counters=counters)


def _failed_list(uids: list[str], transfer_syntax: str) -> bytes:
    """(0008,0058); as many as one value can hold."""
    value = "\\".join(uids).encode("ascii", "replace")
    if transfer_syntax != IMPLICIT_LE and len(value) > _LONGEST_VALUE:
        value = value[: value.rindex(b"\\", 0, _LONGEST_VALUE)]
    return dataset.element(FAILED_UIDS, "UI", value, transfer_syntax)


def read_wanted(keys: Item, sop_class: str, doubtful: bool) -> Wanted:
    """The unique keys at and above the level. Raises `BadInput` (0xA900) for a level that this class does not have.

    Keys above the level that are left out do not restrict: a UID names its object by itself.
    """
    name = keys.text(LEVEL).upper()
    patient_root = sop_class in (PATIENT_ROOT_GET, PATIENT_ROOT_MOVE)
    if name not in [str(level) for level in _ORDER] or (name == Level.PATIENT and not patient_root):
        raise BadInput(_("Niveau de recherche non pris en charge : %s") % (name[:16] or "-"), "QueryRetrieveLevel")
    level = Level(name)
    depth = _ORDER.index(level)
    patient_id, *more = [text for text in keys.text(PATIENT_ID).split("\\") if text] or [""]
    if more or "*" in patient_id or "?" in patient_id:
        raise BadInput(_("Une seule valeur exacte est demandée."), "PatientID")
    return Wanted(
        level,
        patient_id if patient_root else "",
        keys.text(ISSUER) if patient_root else "",
        _uids(keys, STUDY_UID) if depth >= 1 else (),
        _uids(keys, SERIES_UID) if depth >= 2 else (),
        _uids(keys, SOP_UID) if depth >= 3 else (),
        doubtful,
    )


def _uids(keys: Item, tag: int) -> tuple[str, ...]:
    return tuple(uid for text in keys.text(tag).split("\\") if (uid := text.strip(" \0")))
