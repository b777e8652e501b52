"""Storage commitment with us as the SCU: an archive is asked on our association, and answers there or on its own.

Source: PS3.4 annex J (J.3.2 N-ACTION, J.3.3 N-EVENT-REPORT).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from core.dicom import conformance, dataset
from core.dicom.commitment import REFERENCED_INSTANCE, REFERENCED_SOP_SEQUENCE, TRANSACTION_UID
from core.dicom.commitment_report import (
    EVERYTHING_IS_SAFE,
    FAILED_SOP_SEQUENCE,
    FAILURE_REASON,
    FAILURES_EXIST,
    references,
)
from core.dicom.dataset import Item
from core.dicom.dimse import Reply
from core.dicom.errand import Errand
from core.dicom.handlers import Request
from core.dicom.status import INVALID_ARGUMENT_VALUE, NO_SUCH_EVENT, SUCCESS
from core.errors import Unreachable, YelenError
from core.i18n import _
from core.model.device import Device
from core.model.identifiers import is_uid
from core.model.pledge import Answer, Pledge

_log = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 5.0


class Answers(Protocol):
    """The verb of `core.services.pledges` that hears."""

    def answered(self, archive: str, answer: Answer) -> None: ...


class Pledges(Answers, Protocol):
    """The verbs of `core.services.pledges`."""

    def due(self) -> Sequence[Pledge]: ...
    def asked(self, pledge: Pledge) -> None: ...
    def not_asked(self, pledge: Pledge, why: str) -> None: ...


class Registry(Protocol):
    def by_ae(self, ae_title: str) -> Device | None: ...


class Sender(Protocol):
    """An N-ACTION on an association of our own; `heard` is given what is said on it before it ends."""

    def ask_commitment(self, device: Device, information: bytes, heard: Callable[[int, bytes], None]) -> None: ...


class PledgeDoor:
    """The handler of N-EVENT-REPORT."""

    def __init__(self, pledges: Answers) -> None:
        self._pledges = pledges

    def report(self, request: Request) -> Iterator[Reply]:
        """Durable before success; what was never asked of this archive is 0x0112."""
        if request.command.event_type not in (EVERYTHING_IS_SAFE, FAILURES_EXIST):
            yield Reply(NO_SUCH_EVENT, comment="event type")
            return
        answer = read_answer(request.data_set, request.context.transfer_syntax)
        if not is_uid(answer.transaction_uid):
            yield Reply(INVALID_ARGUMENT_VALUE, comment="(0008,1195)")
            return
        self._pledges.answered(request.caller.ae_title, answer)
        yield Reply(SUCCESS)


def read_answer(data_set: bytes, syntax: str) -> Answer:
    """The Event Information of a report. Raises `BadDataSet`."""
    item = dataset.decode(data_set, syntax)
    failed = tuple((i.text(REFERENCED_INSTANCE), _reason(i)) for i in item.items(FAILED_SOP_SEQUENCE))
    refused = {uid for uid, _why in failed}
    named = (i.text(REFERENCED_INSTANCE) for i in item.items(REFERENCED_SOP_SEQUENCE))
    return Answer(item.text(TRANSACTION_UID), tuple(uid for uid in named if uid not in refused), failed)


def _reason(item: Item) -> int:
    return int.from_bytes(item.values.get(FAILURE_REASON, b""), "little")


def question(pledge: Pledge, syntax: str) -> bytes:
    """The Action Information of a request."""
    body = dataset.element(TRANSACTION_UID, "UI", pledge.transaction_uid.encode(), syntax)
    return body + dataset.sequence(REFERENCED_SOP_SEQUENCE, references(pledge.images, syntax), syntax)


class PledgeAsker:
    """The thread that asks. Between two restarts only the rows remember."""

    def __init__(
        self, pledges: Pledges, devices: Registry, sender: Sender, leave: Callable[[], None] = lambda: None
    ) -> None:
        self._pledges = pledges
        self._devices = devices
        self._sender = sender
        self._errand = Errand("dicom-pledges", self.turn, _LOOK_EVERY_S, leave)

    def start(self) -> None:
        self._errand.start()

    def stop(self) -> None:
        self._errand.stop()

    def turn(self) -> None:
        """Everything that is due now."""
        for pledge in self._pledges.due():
            if self._errand.stopping.is_set():
                return
            try:
                self._ask(pledge)
            except YelenError as error:
                _log.warning("pledge %d: %s is not asked", pledge.id, pledge.archive)
                self._pledges.not_asked(pledge, str(error))

    def _ask(self, pledge: Pledge) -> None:
        device = self._devices.by_ae(pledge.archive)
        if device is None:
            raise Unreachable(_("%s n'est plus une machine déclarée.") % pledge.archive)

        def heard(event_type: int, data_set: bytes) -> None:
            if event_type in (EVERYTHING_IS_SAFE, FAILURES_EXIST):
                self._pledges.answered(pledge.archive, read_answer(data_set, conformance.IMPLICIT_LE))

        self._sender.ask_commitment(device, question(pledge, conformance.IMPLICIT_LE), heard)
        self._pledges.asked(pledge)
