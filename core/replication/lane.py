"""One lane of the line to the second building: ask how far it is, send what it lacks, believe only what it says.

What was sent counts when the other side's state says that it is durable there. Acknowledged rows leave the journal.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from core.archive.disk import Disk, ensure_folder, publish
from core.config import Replica
from core.errors import Conflict, PeerError
from core.i18n import _
from core.index.journal import KEPT, forget, forgotten, newest, note
from core.index.tables import Audit, Node, ReplicaState
from core.index.writer import Unit
from core.replication.pairing import site_of
from core.replication.plan import Load, next_load
from core.replication.segment import encode, name_of
from core.replication.state import State
from core.replication.transport import Rsync
from core.services import Services

log = logging.getLogger(__name__)
PATIENCE_S = 30.0  # a segment that makes no progress for that long is sent again
POLL_S = 0.3  # between two looks while a segment is under way
SILENT_S = 180.0  # the copy says something every 30 s, even when nothing arrives


class Refused(PeerError):
    """The second building answers, and cannot take what we send; its own words."""


class Fenced(PeerError):
    """The second building lives in a later epoch: this site may write no more."""


class Ahead(Conflict):
    """The second building holds what this site never wrote: this one came from a backup."""


class EmptyCopy(Exception):
    """The copy is new, and rows it needs are no longer journalled."""


@dataclass(frozen=True, slots=True)
class Turn:
    """When to look again. patient: a commit in between changes nothing."""

    pause_s: float
    patient: bool


class Lane:
    """applied: known durable there. sent: shipped, not yet known."""

    def __init__(self, name: str, services: Services, settings: Replica, kept: int = KEPT) -> None:
        self.name = name
        self.rsync = Rsync(settings.target, settings.bandwidth_kbps)
        self.applied = 0
        self.contact: datetime | None = None
        self.state: State | None = None
        self._services = services
        self._interval_s = float(settings.interval_s)
        self._kept = kept
        self._site = site_of(services.kit.index.audit_key)
        self._sent = 0
        self._sent_at: float | None = None
        self._moved_at = 0.0  # when the other side last made progress, or was last sent something
        self._heard: tuple[str, float] | None = None  # its own last word, and when we first read it
        self._refused: int | None = None
        self._disk = Disk()
        self._out = services.config.data / "spool" / f"replica-{name}"

    @property
    def waiting(self) -> bool:
        """Something was sent whose arrival is not known yet."""
        return self._sent > self.applied

    @property
    def trouble(self) -> str:
        """What stops the other side in this lane, in its own words."""
        return self.state.trouble.get(self.name, "") if self.state else ""

    def remember(self) -> None:
        """How far the other side was when this process began; in the thread that runs the lane."""
        row = ReplicaState.get_or_none(ReplicaState.lane == self.name)
        self.applied = self._sent = row.seq if row else 0

    def forget_sent(self) -> None:
        """After a failure: what was sent is not believed to be there, and may go again at once."""
        self._sent, self._sent_at = self.applied, None

    def round(self) -> Turn:
        """One look at the other side, and one segment when it can take one. Raises a `YelenError` or `EmptyCopy`."""
        now = self._services.clock.monotonic()
        self._learn(self.rsync.state(), now)
        if self.waiting and now - self._moved_at < PATIENCE_S:
            return Turn(POLL_S, True)
        load = next_load(self._services.config.data, self._site, Node.get().epoch, self.name, self.applied)
        if load is None:
            self._sent = self.applied
            return Turn(self._interval_s, False)
        if not load.full and not self.waiting and self._sent_at is not None:
            early = self._interval_s - (now - self._sent_at)
            if early > 0:
                return Turn(early, True)
        self._ship(load)
        self._sent, self._sent_at = load.header.last, now
        self._moved_at = self._services.clock.monotonic()
        return Turn(POLL_S, True)

    def _ship(self, load: Load) -> None:
        """The files, then the segment that names them."""
        if load.files:
            self.rsync.push(self._services.config.data, load.files)
        name = f"inbox/{name_of(load.header)}"
        ensure_folder(self._disk, self._out / "inbox")
        (self._out / name).unlink(missing_ok=True)
        publish(self._disk, self._out / name, [encode(load.header, load.entries)])
        self.rsync.push(self._out, [name])
        (self._out / name).unlink()

    def _learn(self, state: State, now: float) -> None:
        self._check_pair(state)
        applied = state.applied.get(self.name, 0)
        _check_history(state, applied)
        if applied < forgotten(self.name):
            self._too_old(state)
        self.state = state
        self.contact = self._services.clock.now()
        if applied != self.applied:
            epoch = state.epoch
            self._services.kit.index.writer.replay(lambda unit: self._acknowledge(unit, epoch, applied))
            self._moved_at = now
            self._sent = max(self._sent, applied) if applied > self.applied else applied
            self.applied = applied
        self._check_alive(state, now)

    def _acknowledge(self, unit: Unit, epoch: int, applied: int) -> None:
        note(unit, self.name, epoch, applied)
        forget(unit, {self.name: applied}, epoch, self._kept)

    def _check_pair(self, state: State) -> None:
        """The copy is ours, and of our epoch; a new one is of nobody yet."""
        epoch = Node.get().epoch
        if state.site not in ("", self._site):
            raise Conflict(_("Ce dossier est la copie d'un autre hôpital : replica.target est à corriger."))
        if not state.site:
            return
        if state.epoch > epoch:
            raise Fenced(
                _("Le second bâtiment a pris la suite (époque %d, ici %d) : ici on n'écrit plus.")
                % (state.epoch, epoch)
            )
        if state.epoch < epoch:
            raise Conflict(
                _("Le second bâtiment en est resté à l'époque %d, ici %d : sa copie est à refaire.")
                % (state.epoch, epoch)
            )

    def _too_old(self, state: State) -> None:
        """What the copy lacks next is forgotten here. An empty copy gets everything; any other must be made anew."""
        if any(state.applied.values()):
            raise Conflict(
                _("La copie est plus ancienne que le journal d'ici : la refaire (« yelen replica reset » là-bas).")
            )
        raise EmptyCopy

    def _check_alive(self, state: State, now: float) -> None:
        """The copy counts what it could not take, and says something every now and then."""
        before, self._refused = self._refused, state.refused.get(self.name, 0)
        if before is not None and self._refused != before:
            raise Refused(self.trouble or _("Le second bâtiment a refusé un envoi."))
        if self._heard is None or self._heard[0] != state.at:
            self._heard = (state.at, now)
        elif now - self._heard[1] > SILENT_S:
            raise Refused(_("Le second bâtiment reçoit mais n'enregistre plus : « yelen replica apply » y est arrêté."))


def _check_history(state: State, applied: int) -> None:
    """The copy holds nothing that is not here. Were it ahead, our next rows would be taken for those it has."""
    seq, mac = state.audit
    here = Audit.get_or_none(Audit.seq == seq) if seq else None
    if applied > newest() or (seq and (here is None or here.mac != mac)):
        raise Ahead(
            _(
                "Le second bâtiment en sait plus que ce site, revenu d'une sauvegarde : rien n'est plus copié. "
                "Y relever ce qui manque ici (« yelen replica verify »), puis « yelen replica reset » là-bas."
            )
        )
