"""Who may associate with us: the registry of machines and the site's policy for those it does not hold."""

from __future__ import annotations

import hmac
import threading
from typing import Final, Protocol

from core.clock import Clock
from core.dicom.negotiation import Caller
from core.dicom.notes import Happened, Note
from core.dicom.secure import Line
from core.model.device import Device, certificate_of

_QUIET: Final = 5.0  # seconds between two identical reports of the same stranger
_MOST_STRANGERS: Final = 1000
_REPORTED: Final = frozenset(Happened) - {Happened.OPENED, Happened.CLOSED}
_WITH_REASON: Final = frozenset({Happened.REJECTED, Happened.FAULT})


class Devices(Protocol):
    """The verbs of `core.services.devices` that the door needs."""

    def by_caller(self, ae_title: str, address: str) -> Device | None: ...
    def attempt(self, door: str, ae_title: str, address: str, result: str) -> None: ...


class Contacts(Protocol):
    """What machines tried is remembered."""

    def association(self, calling: str, called: str, address: str, result: str, worklist: str = "") -> None: ...


class Registry:
    """`Callers` over the devices of the index. policy: `dicom.unknown_callers`."""

    def __init__(self, devices: Devices, policy: str) -> None:
        self._devices = devices
        self._policy = policy

    def admit(self, ae_title: str, address: str, line: Line, /) -> Caller | None:
        device = self._devices.by_caller(ae_title, address)
        if device is not None:
            if missing := _unproved(device, line):
                self._devices.attempt("dicom", ae_title, address, f"{Happened.REJECTED}: {missing}")
                return None
            return Caller(device.ae_title, address, device, may_store=device.may_store)
        if self._policy == "reject":
            return None
        # "quarantine": what it sends waits outside the archive, and it may ask nothing.
        return Caller(ae_title, address, None, may_query=self._policy == "accept")


def _unproved(device: Device, line: Line) -> str:
    """What this line does not prove and the row of the machine asks for; "" when nothing is missing."""
    if device.certificate and line.certificate != certificate_of(device.certificate):
        return "CERTIFICATE"
    if device.identity and not hmac.compare_digest(device.identity, line.identity):
        return "IDENTITY"
    return "TLS" if device.tls and not line.secured else ""


class Visitors:
    """The `Notebook` of the door: strangers and rule breakers become rows that an administrator sees, and what each
    machine tried is remembered.

    The same thing from the same address is reported once every few seconds: a flood is one line with a counter.
    """

    def __init__(self, devices: Devices, clock: Clock, contacts: Contacts) -> None:
        self._devices = devices
        self._contacts = contacts
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str, str], float] = {}

    def __call__(self, note: Note) -> None:
        if note.what is Happened.OPENED:
            self._contacts.association(note.calling, note.called, note.address, "opened", note.worklist)
        if note.what not in _REPORTED or self._told_lately(note):
            return
        result = f"{note.what}: {note.reason}" if note.what in _WITH_REASON else str(note.what)
        self._devices.attempt("dicom", note.calling, note.address, result)
        if note.what is Happened.REJECTED and note.calling:
            self._contacts.association(note.calling, note.called, note.address, note.reason)

    def _told_lately(self, note: Note) -> bool:
        key, now = (str(note.what), note.address, note.calling), self._clock.monotonic()
        with self._lock:
            if now - self._told.get(key, -_QUIET) < _QUIET:
                return True
            if len(self._told) >= _MOST_STRANGERS:
                self._told.clear()
            self._told[key] = now
        return False
