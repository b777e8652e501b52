"""The primary's end: one thread a lane ships what the second building lacks; reports never wait behind a scanner."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from core.clock import moment, stamp
from core.config import Replica
from core.errors import Conflict, YelenError
from core.i18n import _
from core.index.journal import KEPT, LANES, forgotten
from core.index.tables import Node
from core.replication.lane import EmptyCopy, Fenced, Lane, Turn
from core.replication.plan import files_behind, lag
from core.replication.seeding import is_unfinished, seed
from core.services import Services

log = logging.getLogger(__name__)
PAUSES_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)  # after the first, second … failure
BREATH_S = 0.2  # so that many commits make one segment
SILENCE_ALARM_S, LAG_ALARM_S = 15 * 60, 24 * 3600
COUNTED_EVERY_S, MANY = 5.0, 20_000


class Replicator:
    """Started by the box when a target is set. kept: how many acknowledged rows stay in the journal."""

    def __init__(self, services: Services, settings: Replica, kept: int = KEPT) -> None:
        self._services = services
        self._settings = settings
        self._leaving = threading.Event()
        self._bells = {lane: threading.Event() for lane in LANES}
        self.lanes = {lane: Lane(lane, services, settings, kept) for lane in LANES}
        self._errors = dict.fromkeys(LANES, "")
        self._stuck = dict.fromkeys(LANES, "")  # what no patience heals
        self._up: bool | None = None
        self._since: datetime | None = None
        self._seeding = threading.Lock()
        self._counted: tuple[float, int, int] | None = None
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
        for lane in self.lanes.values():
            lane.rsync.close()
        for thread in self._threads:
            thread.join()

    def status(self) -> dict[str, Any]:
        """For `yelen status`, the terminal and the kiosk.

        lag_s: age of the oldest act not yet there, seconds; lag_seq, lag_files, lag_bytes: what is on its way.
        up: the last look at the other side succeeded (None before the first one); since: for how long that is so.
        keys: whether the audit can be verified there. alarm: a sentence when a person should act.
        """
        lags = {name: lag(name, lane.applied) for name, lane in self.lanes.items()}
        oldest = min((entry.oldest for entry in lags.values() if entry.oldest), default="")
        now = self._services.clock.now()
        late = max(int((now - moment(oldest)).total_seconds()), 0) if oldest else 0
        entries = sum(entry.entries for entry in lags.values())
        files, size = self._behind(entries)
        contact = self._contact()
        states = [lane.state for lane in self.lanes.values() if lane.state is not None]
        return {
            "role": "primary",
            "epoch": Node.get().epoch,
            "target": self._settings.target,
            "up": self._up,
            "since": stamp(self._since) if self._since else "",
            "last_contact": stamp(contact) if contact else "",
            "lag_seq": entries,
            "lag_files": files,
            "lag_bytes": size,
            "lag_s": late,
            "keys": states[0].keys if states else None,
            "error": self._error(),
            "alarm": self._alarm(now, late),
        }

    def _error(self) -> str:
        said = [self._errors[name] or lane.trouble for name, lane in self.lanes.items()]
        return next((sentence for sentence in said if sentence), "")

    def _contact(self) -> datetime | None:
        return max((lane.contact for lane in self.lanes.values() if lane.contact is not None), default=None)

    def _alarm(self, now: datetime, late: int) -> str:
        if stuck := next((sentence for sentence in self._stuck.values() if sentence), ""):
            return stuck
        if self._up is False and self._since and (now - self._since).total_seconds() >= SILENCE_ALARM_S:
            return _("Second bâtiment sans nouvelles : %s") % self._error()
        if late >= LAG_ALARM_S:
            return _("Second bâtiment en retard de plus d'un jour.")
        return ""

    def _behind(self, entries: int) -> tuple[int, int]:
        """Files and bytes behind; behind a long backlog counted now and then only."""
        now = self._services.clock.monotonic()
        counted = self._counted
        if counted is None or entries < MANY or now - counted[0] > COUNTED_EVERY_S:
            found = [files_behind(name, lane.applied) for name, lane in self.lanes.items()]
            counted = self._counted = (now, sum(f for f, _b in found), sum(b for _f, b in found))
        return counted[1], counted[2]

    def _run(self, name: str) -> None:
        lane, failures = self.lanes[name], 0
        lane.remember()
        while not self._leaving.is_set():
            self._bells[name].clear()
            before = lane.applied
            try:
                turn = self._turn(lane)
            except YelenError as fault:
                self._fails(lane, fault)
                self._leaving.wait(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
                failures += 1
                continue
            except Exception:
                log.exception("replica %s", name)
                self._fails(lane, YelenError(_("Erreur interne de la réplication (voir le journal du serveur).")))
                self._leaving.wait(PAUSES_S[-1])
                continue
            if lane.applied != before or not lane.waiting:
                failures = 0
            self._works(lane)
            self._rest(name, turn)
        self._services.release_thread()

    def _turn(self, lane: Lane) -> Turn:
        if is_unfinished():
            self._seed(lane)
        try:
            return lane.round()
        except EmptyCopy:
            log.warning("replica: the second building is empty; everything is journalled again")
            self._seed(lane)
            return Turn(0.0, True)

    def _seed(self, lane: Lane) -> None:
        """Whichever lane comes first journals everything again; the other one waits for it."""
        with self._seeding:
            self._errors[lane.name] = _("La copie est neuve : tout lui est envoyé.")
            if is_unfinished() or forgotten(lane.name):
                seed(self._services.kit.index.writer, lambda: not self._leaving.is_set())

    def _rest(self, name: str, turn: Turn) -> None:
        if turn.patient:
            self._leaving.wait(turn.pause_s)
        elif self._bells[name].wait(turn.pause_s):
            self._leaving.wait(BREATH_S)

    def _fails(self, lane: Lane, fault: YelenError) -> None:
        if self._leaving.is_set():
            return
        sentence = str(fault)
        if sentence != self._errors[lane.name]:
            log.warning("replica %s: %s", lane.name, sentence)
        self._errors[lane.name] = sentence
        lane.forget_sent()
        self._line(False)
        if self._stuck[lane.name] != (stuck := sentence if isinstance(fault, Conflict | Fenced) else ""):
            self._stuck[lane.name] = stuck
            self._services.kit.index.writer.submit(lambda unit: unit.event("alarm", "replica"))
        if isinstance(fault, Fenced):
            self._services.kit.index.writer.seal(sentence)

    def _works(self, lane: Lane) -> None:
        self._errors[lane.name] = self._stuck[lane.name] = ""
        if not any(self._errors.values()):
            self._line(True)

    def _line(self, up: bool) -> None:
        if self._up is not up:
            self._up, self._since = up, self._services.clock.now()


def _nothing() -> None:
    """Before the start there is nothing to undo."""
