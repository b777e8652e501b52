"""The registry of machines, senders and destinations, when each was last seen, and the strangers that knocked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.errors import BadInput, Conflict, NotFound, YelenError
from core.i18n import _
from core.index.tables import CallerAttempt, DeviceSeen
from core.index.tables import Destination as DestinationRow
from core.index.tables import Device as DeviceRow
from core.index.tables import HisSender as SenderRow
from core.index.writer import Unit
from core.model.device import Destination, Device, HisSender, ae_key, certificate_of
from core.model.people import Actor, Role
from core.services.access import require
from core.services.kit import Kit
from core.services.ports import Ports

SEEN_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe of a machine found. sentence: French, says what to do when it failed."""

    ae_title: str
    ok: bool
    milliseconds: float | None
    sentence: str
    last_store_at: datetime | None
    last_query_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A refused or unknown caller: which door, who it said it was, from where, how often, since when."""

    door: str
    ae_title: str
    address: str
    result: str
    times: int
    at: datetime


class Devices:
    """Verbs on machines. The registry is held in memory and reloaded when a row changes: doors ask it often."""

    def __init__(self, kit: Kit, ports: Ports) -> None:
        self._kit = kit
        self._ports = ports
        self._lock = threading.Lock()
        self._cache: dict[str, Device] | None = None
        self._senders: list[HisSender] | None = None
        self._seen: dict[tuple[str, str], float] = {}

    def all(self) -> list[Device]:
        return sorted(self._devices().values(), key=lambda d: d.ae_title)

    def by_ae(self, ae_title: str) -> Device | None:
        return self._devices().get(ae_key(ae_title))

    def by_caller(self, ae_title: str, address: str) -> Device | None:
        """The declared, active device of this AE title at this address. Both must match one row."""
        device = self._devices().get(ae_key(ae_title))
        if device is None or not device.active:
            return None
        allowed = device.addresses or ((device.host,) if device.host else ())
        return device if address in allowed else None

    def save(self, actor: Actor, device: Device) -> None:
        """Declare a machine, or change its row. Raises `BadInput` for an impossible AE title (PS3.5 6.2)
        or certificate."""
        require(actor, Role.ADMINISTRATOR)
        title = device.ae_title.strip()
        if not title or len(title) > 16 or not title.isascii() or not title.isprintable() or "\\" in title:
            raise BadInput(_("Titre AE : 1 à 16 caractères, sans accent ni barre inverse."), "ae_title")
        if device.certificate:
            certificate_of(device.certificate)
        fields = [f for f in Device.__dataclass_fields__ if not f.startswith("last_")]

        def act(unit: Unit) -> None:
            columns = {f: getattr(device, f) for f in fields} | {"ae_title": title}
            DeviceRow.insert(key=ae_key(title), **columns).on_conflict_replace().execute()
            unit.audit(actor, "save_device", f"device:{title}", host=device.host, port=device.port)
            unit.event("devices", title)
            unit.after_commit(self.forget)

        self._kit.act(actor, "save_device", act)

    def remove(self, actor: Actor, ae_title: str) -> None:
        require(actor, Role.ADMINISTRATOR)

        def act(unit: Unit) -> None:
            if not DeviceRow.delete().where(DeviceRow.key == ae_key(ae_title)).execute():
                raise NotFound(_("Aucune machine %s.") % ae_title)
            unit.audit(actor, "remove_device", f"device:{ae_title}")
            unit.event("devices", ae_title)
            unit.after_commit(self.forget)

        self._kit.act(actor, "remove_device", act)

    def seen(self, ae_title: str, what: str, ok: bool = True, milliseconds: float | None = None) -> None:
        """A device answered (`echo`), called (`call`), sent (`store`) or asked (`query`).

        Written at most every 5 s, not waited for.
        """
        key, now = ae_key(ae_title), self._kit.clock.monotonic()
        if what != "echo" and now - self._seen.get((key, what), -SEEN_EVERY_S) < SEEN_EVERY_S:
            return
        self._seen[key, what] = now

        def act(unit: Unit) -> None:
            columns: dict[str, Any] = {f"last_{what}_at": unit.now}
            if what == "echo":
                columns |= {"last_echo_ok": ok, "last_echo_ms": milliseconds}
            if not DeviceSeen.update(**columns).where(DeviceSeen.key == key).execute():
                DeviceSeen.create(key=key, **columns)
            unit.event("devices", ae_title)
            unit.after_commit(self.forget)

        self._kit.index.writer.submit(act)

    def probe(self, actor: Actor, ae_title: str) -> ProbeResult:
        """C-ECHO to the machine, and when it last sent and asked."""
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)
        device = self.by_ae(ae_title)
        if device is None:
            raise NotFound(_("Aucune machine %s.") % ae_title)
        if self._ports.echo is None or not device.host or not device.port:
            sentence = _("%s n'écoute pas : adresse ou port absents de sa fiche.") % device.ae_title
            return ProbeResult(device.ae_title, False, None, sentence, device.last_store_at, device.last_query_at)
        try:
            milliseconds = self._ports.echo(device)
        except YelenError as fault:
            self.seen(device.ae_title, "echo", ok=False)
            return ProbeResult(device.ae_title, False, None, str(fault), device.last_store_at, device.last_query_at)
        self.seen(device.ae_title, "echo", ok=True, milliseconds=milliseconds)
        sentence = _("%s répond en %d ms.") % (device.ae_title, round(milliseconds))
        return ProbeResult(device.ae_title, True, milliseconds, sentence, device.last_store_at, device.last_query_at)

    # Strangers

    def attempt(self, door: str, ae_title: str, address: str, result: str) -> None:
        """A refused or unknown caller: one row per kind with a counter, audited when it is new. Not waited for."""
        title = "".join(c if c.isprintable() and c.isascii() else "?" for c in ae_title)[:16]
        who = Actor.system(door, origin=f"{door} {title}@{address}")

        def act(unit: Unit) -> None:
            same = (
                (CallerAttempt.door == door)
                & (CallerAttempt.ae_title == title)
                & (CallerAttempt.address == address)
                & (CallerAttempt.result == result)
            )
            if CallerAttempt.update(times=CallerAttempt.times + 1, at=unit.now).where(same).execute():
                return
            CallerAttempt.create(door=door, ae_title=title, address=address, result=result, at=unit.now)
            unit.audit(who, "refused_caller", f"{door}:{address}", outcome="refused", result=result)
            unit.event("alarm", door)

        self._kit.index.writer.submit(act)

    def attempts(self, actor: Actor, limit: int = 50) -> list[Attempt]:
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)
        rows = CallerAttempt.select().order_by(CallerAttempt.at.desc()).limit(limit)
        return [Attempt(r.door, r.ae_title, r.address, r.result, r.times, r.at) for r in rows]

    # HL7 neighbours

    def senders(self) -> list[HisSender]:
        with self._lock:
            if self._senders is None:
                self._senders = [_value(HisSender, r) for r in SenderRow.select()]
            return self._senders

    def save_sender(self, actor: Actor, sender: HisSender) -> None:
        self._save_row(actor, SenderRow, sender, f"sender:{sender.name}")

    def remove_sender(self, actor: Actor, name: str) -> None:
        self._remove_row(actor, SenderRow, name, f"sender:{name}")

    def destinations(self) -> list[Destination]:
        return [_value(Destination, r) for r in DestinationRow.select().order_by(DestinationRow.name)]

    def save_destination(self, actor: Actor, destination: Destination) -> None:
        self._save_row(actor, DestinationRow, destination, f"destination:{destination.name}")

    def remove_destination(self, actor: Actor, name: str) -> None:
        self._remove_row(actor, DestinationRow, name, f"destination:{name}")

    def _save_row(self, actor: Actor, table: Any, value: Any, what: str) -> None:
        require(actor, Role.ADMINISTRATOR)
        if not value.name.strip():
            raise Conflict(_("Un nom est demandé."))

        def act(unit: Unit) -> None:
            table.insert(**{f: getattr(value, f) for f in value.__dataclass_fields__}).on_conflict_replace().execute()
            unit.audit(actor, "save", what)
            unit.event("devices", value.name)
            unit.after_commit(self.forget)

        self._kit.act(actor, "save", act)

    def _remove_row(self, actor: Actor, table: Any, name: str, what: str) -> None:
        require(actor, Role.ADMINISTRATOR)

        def act(unit: Unit) -> None:
            if not table.delete().where(table.name == name).execute():
                raise NotFound(_("Rien de ce nom : %s.") % name)
            unit.audit(actor, "remove", what)
            unit.after_commit(self.forget)

        self._kit.act(actor, "remove", act)

    def forget(self) -> None:
        """A row has changed: read the registry again at the next question."""
        with self._lock:
            self._cache = self._senders = None

    def _devices(self) -> dict[str, Device]:
        with self._lock:
            if self._cache is None:
                seen = {s.key: s for s in DeviceSeen.select()}
                self._cache = {r.key: _with_seen(_value(Device, r), seen.get(r.key)) for r in DeviceRow.select()}
            return self._cache


def _value(kind: Any, row: Any) -> Any:
    return kind(**{f: getattr(row, f) for f in kind.__dataclass_fields__ if hasattr(row, f)})


def _with_seen(device: Device, seen: Any | None) -> Device:
    if seen is None:
        return device
    return replace(
        device,
        last_echo_at=seen.last_echo_at,
        last_echo_ok=seen.last_echo_ok,
        last_echo_ms=seen.last_echo_ms,
        last_call_at=seen.last_call_at,
        last_store_at=seen.last_store_at,
        last_query_at=seen.last_query_at,
    )
