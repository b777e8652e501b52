"""The thread that sends what the rules of routing owe to other machines: one study at a time, again after a failure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from core.clock import Clock
from core.dicom.errand import Errand
from core.dicom.retrieve import Retrieval, StoreTo
from core.dicom.suboperations import Stop
from core.errors import YelenError
from core.i18n import _
from core.model.device import Device
from core.model.outgoing import Outgoing, Tally
from core.model.people import Actor
from core.model.routing import Transfer

_log = logging.getLogger(__name__)
LOOK_EVERY_S: Final = 5.0
_ROUTER: Final = Actor.system("dicom", "dicom routing")


class Routing(Protocol):
    """The verbs of `core.services.routing`."""

    def resume(self) -> None: ...
    def plan(self) -> None: ...
    def due(self) -> Transfer | None: ...
    def objects(self, transfer: Transfer) -> list[Outgoing]: ...
    def sending(self, transfer: Transfer) -> None: ...
    def done(self, transfer: Transfer, sent: int) -> None: ...
    def stopped(self, transfer: Transfer) -> None: ...
    def refused(self, transfer: Transfer, sent: int, failed: Iterable[str]) -> None: ...
    def unreachable(self, transfer: Transfer, why: str, sent: int, failed: Iterable[str] = ()) -> None: ...
    def hidden(self, transfer: Transfer) -> None: ...


class Registry(Protocol):
    def by_ae(self, ae_title: str) -> Device | None: ...


class _Closing(Stop):
    """The box closes."""


class Router:
    """Started once, stopped once. Every step of a transfer is a row before it is done."""

    def __init__(
        self,
        routing: Routing,
        retrieval: Retrieval,
        devices: Registry,
        store: StoreTo,
        clock: Clock,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._routing = routing
        self._retrieval = retrieval
        self._devices = devices
        self._store = store
        self._clock = clock
        self._errand = Errand("dicom-router", self.turn, LOOK_EVERY_S, leave)

    def start(self) -> None:
        self._routing.resume()
        self._errand.start()

    def stop(self) -> None:
        """The object on its way is given up; its study goes again at the next start."""
        self._errand.stop()

    def turn(self) -> None:
        """Everything that is due now."""
        self._routing.plan()
        while not self._errand.stopping.is_set() and (transfer := self._routing.due()) is not None:
            self._carry(transfer)

    def _carry(self, transfer: Transfer) -> None:
        device = self._devices.by_ae(transfer.destination)
        if device is None or not device.active:
            self._routing.sending(transfer)
            self._routing.unreachable(transfer, _("Aucune machine %s.") % transfer.destination, 0, transfer.only)
            return
        objects = self._routing.objects(transfer)
        if device.role != "workstation" and any(each.doubtful for each in objects):
            self._routing.hidden(transfer)
            return
        self._routing.sending(transfer)
        self._send(transfer, device, objects)

    def _send(self, transfer: Transfer, device: Device, objects: Sequence[Outgoing]) -> None:
        tally, why = Tally(len(objects)), ""
        try:
            self._store(device, objects, self._retrieval.dresser(device), tally, self._watch)
        except _Closing:
            self._routing.stopped(transfer)
            return
        except YelenError as error:
            why = str(error)
            _log.warning("routing to %s: %s", device.ae_title, error)
        done = len(objects) - tally.remaining
        sent = tally.completed + tally.warnings
        if done:
            outcome = "ok" if sent == len(objects) else "partial" if sent else "failed"
            self._retrieval.sent(_ROUTER, device.ae_title, objects, tally, outcome, why)
        left = [*tally.failed, *(each.sop_instance_uid for each in objects[done:])]
        if why:
            self._routing.unreachable(transfer, why, sent, left if sent else transfer.only)
        elif left:
            self._routing.refused(transfer, sent, left)
        else:
            self._routing.done(transfer, sent)

    def _watch(self) -> None:
        if self._errand.stopping.is_set():
            raise _Closing
