"""The last association attempts and worklist queries of each machine, for « pourquoi n'est-il pas sur la machine ? ».

Kept off the hot path: a note goes to memory, at most one act a machine is under way, nobody waits for it. What the
power takes before it is written is lost: this is a memory aid, not a promise.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

from core.index.rows import insert
from core.index.tables import DeviceContact
from core.index.writer import Unit
from core.model.device import Device, ae_key
from core.model.why import Contact, ContactKind
from core.services.kit import Kit

KEPT: Final = 50  # of each kind, for each title
MOST_TITLES: Final = 300  # in memory: strangers come with any title
MOST_ROWS: Final = 20_000
EVERY: Final = 2.0  # seconds between two acts for the associations of one machine
_COLUMNS: Final = tuple(Contact.__dataclass_fields__)


class Contacts:
    """What machines tried, newest kept."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Contact]] = {}
        self._writing: set[str] = set()
        self._written: dict[str, float] = {}

    def association(self, calling: str, called: str, address: str, result: str, worklist: str = "") -> None:
        """An association attempt. result: `opened`, or why not. worklist: see `Contact`."""
        self._note(Contact(ContactKind.ASSOCIATION, self._kit.now(), calling, called, address, result, worklist))

    def query(
        self,
        calling: str,
        called: str,
        address: str,
        result: str,
        *,
        keys: Iterable[str] = (),
        received: bytes = b"",
        answers: int = 0,
        limited: bool = False,
        steps: Iterable[int] = (),
        asked: str = "",
    ) -> None:
        """A worklist query, with what was understood of it and what it got."""
        self._note(
            Contact(
                ContactKind.QUERY,
                self._kit.now(),
                calling,
                called,
                address,
                result,
                keys=tuple(keys),
                received=received.hex(),
                answers=answers,
                limited=limited,
                steps=tuple(steps),
                asked=asked,
            )
        )

    def of(self, device: Device, declared: frozenset[str] = frozenset()) -> list[Contact]:
        """The newest of this title, and refusals of undeclared titles from its addresses; newest first.

        declared: folded titles of every machine.
        """
        addresses = [*device.addresses, *([device.host] if device.host else [])]
        near = (DeviceContact.key == device.key) | DeviceContact.address.in_(addresses)
        rows = DeviceContact.select().where(near).order_by(DeviceContact.id.desc()).limit(8 * KEPT)
        found = [_contact(row) for row in rows]
        with self._lock:
            found += [c for queue in self._waiting.values() for c in queue]

        def is_its(contact: Contact) -> bool:
            key = ae_key(contact.calling)
            refused = contact.kind is ContactKind.ASSOCIATION and contact.result != "opened"
            return key == device.key or (refused and key not in declared and contact.address in addresses)

        chosen = sorted(filter(is_its, found), key=lambda contact: contact.at, reverse=True)
        return list(dict.fromkeys(chosen))[: 2 * KEPT]

    def _note(self, contact: Contact) -> None:
        key, now = ae_key(contact.calling), self._kit.clock.monotonic()
        with self._lock:
            if key not in self._waiting and len(self._waiting) >= MOST_TITLES:
                self._waiting.clear()
                self._written.clear()
            queue = self._waiting.setdefault(key, deque(maxlen=KEPT))
            queue.append(contact)
            soon = contact.kind is ContactKind.ASSOCIATION and now - self._written.get(key, -EVERY) < EVERY
            if soon or key in self._writing:
                return
            self._writing.add(key)
            self._written[key] = now
            chosen = tuple(queue)
        future = self._kit.index.writer.submit(lambda unit: _write(unit, key, chosen))
        future.add_done_callback(lambda done: self._wrote(key, chosen, done))

    def _wrote(self, key: str, chosen: tuple[Contact, ...], done: Future[None]) -> None:
        with self._lock:
            self._writing.discard(key)
            queue = self._waiting.get(key)
            if queue is None or done.exception() is not None:
                return
            for contact in chosen:
                if queue and queue[0] is contact:
                    queue.popleft()
            if not queue:
                del self._waiting[key]


def _write(unit: Unit, key: str, contacts: tuple[Contact, ...]) -> None:
    for contact in contacts:
        insert(DeviceContact, key=key, **{name: getattr(contact, name) for name in _COLUMNS})
    for kind in ContactKind:
        unit.sql(
            "DELETE FROM device_contact WHERE key = ? AND kind = ? AND id <= (SELECT id FROM device_contact "
            f"WHERE key = ? AND kind = ? ORDER BY id DESC LIMIT 1 OFFSET {KEPT})",
            (key, str(kind), key, str(kind)),
        )
    unit.sql(f"DELETE FROM device_contact WHERE id <= (SELECT max(id) FROM device_contact) - {MOST_ROWS}")


def _contact(row: Any) -> Contact:
    values = {name: getattr(row, name) for name in _COLUMNS}
    return Contact(**{**values, "kind": ContactKind(values["kind"])})
