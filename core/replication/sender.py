"""The primary's end: one thread a lane ships what the second building lacks; reports never wait behind a scanner.

Files go before the rows that name them. What was sent counts only when the other side's state says it is applied.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from core.archive.disk import Disk, ensure_folder, publish
from core.clock import moment
from core.config import Replica
from core.errors import BadMessage, YelenError
from core.i18n import _
from core.index.tables import Node, ReplicaState
from core.index.writer import Unit
from core.replication.plan import acknowledged, lag, next_load, pruned, write_everything_again
from core.replication.segment import LANES, encode, name_of
from core.replication.transport import Rsync, State
from core.services import Services

log = logging.getLogger(__name__)
PATIENCE_S = 30.0  # an applied segment is known no later than that; then it is sent again
PAUSES_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)


class Replicator:
    """Started by the box when a target is set."""

    def __init__(self, services: Services, settings: Replica) -> None:
        self._services = services
        self._settings = settings
        self._leaving = threading.Event()
        self._bells = {lane: threading.Event() for lane in LANES}
        self._lanes = {lane: Lane(lane, services, settings) for lane in LANES}
        self._threads: list[threading.Thread] = []
        self._unsubscribe: Callable[[], None] = _nothing

    def start(self) -> None:
        self._unsubscribe = self._services.events.subscribe(lambda _changes: self.wake())
        for lane in LANES:
            thread = threading.Thread(target=self._run, args=(lane,), name=f"replica-{lane}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wake(self) -> None:
        for bell in self._bells.values():
            bell.set()

    def stop(self) -> None:
        self._unsubscribe()
        self._leaving.set()
        self.wake()
        for lane in self._lanes.values():
            lane.rsync.interrupt()
        for thread in self._threads:
            thread.join()

    def status(self) -> dict[str, Any]:
        """For `yelen status`, the terminal and the kiosk. lag_s: age of the oldest act not yet there, seconds."""
        now = self._services.clock.now()
        lags = {name: lag(name, lane.applied) for name, lane in self._lanes.items()}
        oldest = min((entry.oldest for entry in lags.values() if entry.oldest), default="")
        contacts = [lane.contact for lane in self._lanes.values() if lane.contact is not None]
        trouble = next((lane.trouble for lane in self._lanes.values() if lane.trouble), "")
        return {
            "role": "primary",
            "epoch": Node.get().epoch,
            "target": self._settings.target,
            "up": not trouble and bool(contacts),
            "last_contact": max(contacts).isoformat() if contacts else "",
            "lag_seq": sum(entry.entries for entry in lags.values()),
            "lag_bytes": sum(entry.file_bytes for entry in lags.values()),
            "lag_s": max(int((now - moment(oldest)).total_seconds()), 0) if oldest else 0,
            "error": trouble,
        }

    def _run(self, name: str) -> None:
        lane, bell, failures = self._lanes[name], self._bells[name], 0
        while not self._leaving.is_set():
            bell.clear()
            try:
                pause = 0.0 if lane.round() else float(self._settings.interval_s)
                failures = 0
            except YelenError as fault:
                pause = PAUSES_S[min(failures, len(PAUSES_S) - 1)]
                failures += 1
                lane.fails(str(fault))
                self._leaving.wait(pause)
                continue
            except Exception:
                log.exception("replica %s", name)
                lane.fails(_("Erreur interne de la réplication (voir le journal)."))
                self._leaving.wait(PAUSES_S[-1])
                continue
            if pause:
                # A short breath, so that many commits make one segment.
                bell.wait(pause if not lane.waiting else 0.5)
                self._leaving.wait(0.2)
        self._services.release_thread()


class Lane:
    """One lane's progress. applied: known durable there; sent: shipped, not yet known."""

    def __init__(self, name: str, services: Services, settings: Replica) -> None:
        self.name = name
        self.rsync = Rsync(settings.target, settings.bandwidth_kbps)
        self.applied = 0
        self.contact: datetime | None = None
        self.trouble = ""
        self._services = services
        self._sent = 0
        self._sent_at = 0.0
        self._disk = Disk()
        self._out = services.config.data / "spool" / f"replica-{name}"

    @property
    def waiting(self) -> bool:
        """Something was sent whose arrival is not known yet."""
        return self._sent > self.applied

    def fails(self, sentence: str) -> None:
        if sentence != self.trouble:
            log.warning("replica %s: %s", self.name, sentence)
        self.trouble = sentence
        self._sent = self.applied

    def round(self) -> bool:
        """Ask how far the other side is, send the next rows. True when there may be more to do at once."""
        state = self.rsync.state()
        if not self._learn(state):
            return False
        if self.waiting and self._services.clock.monotonic() - self._sent_at < PATIENCE_S:
            return False
        load = next_load(self.name, self.applied, Node.get().epoch)
        if load is None:
            self._sent = self.applied
            return False
        if load.files:
            self.rsync.push(self._services.config.data, load.files)
        name = f"inbox/{name_of(load.header)}"
        ensure_folder(self._disk, self._out / "inbox")
        (self._out / name).unlink(missing_ok=True)
        publish(self._disk, self._out / name, [encode(load.header, load.entries)])
        self.rsync.push(self._out, [name])
        (self._out / name).unlink()
        self._sent, self._sent_at = load.header.last, self._services.clock.monotonic()
        return False

    def _learn(self, state: State) -> bool:
        """The other side's state; False while the journal must first be written anew for it.

        Raises `BadMessage` when the other side belongs to a newer epoch.
        """
        epoch = Node.get().epoch
        if state.epoch > epoch:
            raise BadMessage(_("Le second bâtiment est passé à une époque plus récente : ce site est périmé."), "epoch")
        applied = state.applied.get(self.name, 0)
        self.contact = self._services.clock.now()
        self.trouble = state.trouble
        if applied < pruned(self.name):
            if self.name == "small":
                log.warning("replica: the second building is empty or older than the journal; sending everything")
                self._services.kit.index.writer.do(_again)
            return False
        if applied != self.applied:
            self._services.kit.index.writer.do(lambda unit: acknowledged(unit, epoch, state.applied))
        self.applied = applied
        return True


def _nothing() -> None:
    """Before the start there is nothing to undo."""


def _again(unit: Unit) -> None:
    """The other side lacks rows that are no longer journalled: the whole index is journalled again, once."""
    ReplicaState.delete().execute()
    write_everything_again(unit)
