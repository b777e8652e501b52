"""Bringing studies in from another archive: every one is a durable row until its images are here and counted.

A migration asks for a whole period once and may be cut at any moment; the priors of a child are asked for when an exam
is ordered. Who calls the other archive is the DICOM floor; what is still missing, and when to try again, is here.
"""

from __future__ import annotations

import logging
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

from core.errors import BadInput, NotAllowed, NotFound, YelenError
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Counter, PatientIdentifier, Step, Study
from core.index.tables import Fetch as Row
from core.index.writer import Unit
from core.model.device import Device
from core.model.fetching import Fetch, FetchProgress, FetchReason, FetchState, FoundStudy, Moved, StudyCriteria
from core.model.people import Actor, Role
from core.model.step import StepStatus
from core.services.access import require
from core.services.devices import Devices
from core.services.kit import Kit
from core.services.ports import PeerArchive, Ports
from core.services.tasks import ask

log = logging.getLogger(__name__)

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
SEEN_STEPS = "fetch step"  # counter of an archive: orders up to this step have been looked at
STEPS_A_TURN = 50
TO_COME = (StepStatus.REQUESTED, StepStatus.SCHEDULED, StepStatus.ARRIVED)
FETCHER = Actor.system("fetch")


class Fetching:
    """Verbs of the administrator, of the timer, and of whoever drains the queue (one thread)."""

    def __init__(self, kit: Kit, ports: Ports, devices: Devices) -> None:
        self._kit = kit
        self._ports = ports
        self._devices = devices
        self._silent: dict[str, str] = {}  # archives that did not answer, and the last fault of each

    # What to bring in

    def migrate(self, actor: Actor, ae_title: str, first: date, last: date | None = None) -> FetchProgress:
        """Queue every study of the period (until today) that is not here whole. Asked again, it goes on where it was.

        Raises `NotFound`, `BadInput`, `NotAllowed` for a machine that is no archive, `Unreachable`, `BadMessage`.
        """
        require(actor, Role.ADMINISTRATOR)
        device = self._archive(ae_title)
        last = last or self._kit.today()
        if first > last:
            raise BadInput(_("La période finit avant de commencer."), "to")
        for begin, end in _months(first, last):
            found = self._peer().studies(device, StudyCriteria(begin, end))
            self._queue(actor, device, found, FetchReason.MIGRATION)
        return self._progress(device)

    def again(self, actor: Actor, ae_title: str) -> int:
        """Try anew what failed; how many studies."""
        require(actor, Role.ADMINISTRATOR)
        key = self._archive(ae_title).key

        def act(unit: Unit) -> int:
            failed = Row.update(state=str(FetchState.QUEUED), attempts=0, next_at=unit.now)
            count = int(failed.where(Row.device == key, Row.state == str(FetchState.FAILED)).execute())
            unit.audit(actor, "fetch_again", f"device:{ae_title}", studies=count)
            unit.event("fetch", key)
            return count

        return self._kit.act(actor, "fetch_again", act)

    def prefetch(self) -> int:
        """Timer: the priors of the children for whom exams were ordered since the last look; how many were queued.

        Each archive has its own last look: one that does not answer passes over no order and holds up no other.
        """
        if self._ports.archives is None:
            return 0
        asked = [d for d in self._devices.all() if d.active and d.prefetch and d.role == "archive"]
        return sum(self._prefetch_from(device) for device in asked)

    def _prefetch_from(self, device: Device) -> int:
        look = f"{SEEN_STEPS} {device.key}"
        row = Counter.get_or_none(Counter.name == look)
        ordered = Step.select(Step.id, Step.patient, Step.status).where(Step.id > (row.value if row else 0))
        steps = list(ordered.order_by(Step.id).limit(STEPS_A_TURN))
        patients = dict.fromkeys(step.patient_id for step in steps if step.status in TO_COME)
        try:
            queued = sum(self._queue_priors(device, patient_id) for patient_id in patients)
        except YelenError as fault:
            if self._silent.get(device.key) != str(fault):
                log.warning("prefetch: %s", fault)
            self._silent[device.key] = str(fault)
            return 0
        self._silent.pop(device.key, None)
        if steps:
            counter = Counter.insert(name=look, value=steps[-1].id)
            self._kit.index.writer.do(lambda unit: counter.on_conflict_replace().execute())
        return queued

    def _queue_priors(self, device: Device, patient_id: int) -> int:
        queued = 0
        for identifier in PatientIdentifier.select().where(PatientIdentifier.patient == patient_id):
            found = self._peer().studies(device, StudyCriteria(patient_id=identifier.value))
            queued += self._queue(FETCHER, device, found, FetchReason.PRIOR)
        return queued

    def _queue(self, actor: Actor, device: Device, found: Iterable[FoundStudy], reason: FetchReason) -> int:
        missing = [s for s in found if s.study_instance_uid and not _is_here(s.study_instance_uid, s.instances)]

        def act(unit: Unit) -> int:
            fresh = 0
            for study in missing:
                same = (Row.device == device.key) & (Row.study_instance_uid == study.study_instance_uid)
                known = Row.get_or_none(same)
                if known is None:
                    insert(
                        Row,
                        device=device.key,
                        study_instance_uid=study.study_instance_uid,
                        reason=str(reason),
                        patient_id=study.patient_id,
                        study_date=study.study_date,
                        expected=study.instances,
                        state=str(FetchState.QUEUED),
                        next_at=unit.now,
                    )
                elif known.state == str(FetchState.DONE):  # it has grown there since
                    Row.update(
                        state=str(FetchState.QUEUED), expected=study.instances, attempts=0, next_at=unit.now
                    ).where(same).execute()
                else:
                    continue
                fresh += 1
            if fresh:
                unit.audit(actor, "fetch", f"device:{device.ae_title}", reason=str(reason), studies=fresh)
                unit.event("fetch", device.key)
            return fresh

        return self._kit.act(actor, "fetch", act) if missing else 0

    # Draining

    def due(self) -> Fetch | None:
        """The next study to be asked for. Priors go before a migration: somebody waits for them."""
        waiting = Row.select().where(Row.state == str(FetchState.QUEUED), Row.next_at <= self._kit.now())
        row = waiting.order_by(Row.reason.desc(), Row.id).first()
        return None if row is None else self._fetch_of(row)

    def fetch(self, fetch: Fetch) -> Fetch:
        """Ask the archive to send one study, and count what came. Never raises for the other side's faults."""
        try:
            moved = self._peer().move(self._archive(fetch.ae_title), fetch.study_instance_uid)
        except YelenError as fault:
            return self._attempted(fetch, str(fault))
        return self._attempted(fetch, _told(moved, _held(fetch.study_instance_uid), fetch.expected))

    def _attempted(self, fetch: Fetch, fault: str) -> Fetch:
        attempts, held = fetch.attempts + 1, _held(fetch.study_instance_uid)
        over = attempts > len(PAUSES)
        state = FetchState.DONE if not fault else FetchState.FAILED if over else FetchState.QUEUED

        def act(unit: Unit) -> None:
            again = unit.now + PAUSES[min(attempts, len(PAUSES)) - 1]
            Row.update(state=str(state), attempts=attempts, held=held, next_at=again, answer=fault[:200]).where(
                Row.id == fetch.id
            ).execute()
            unit.event("fetch", fetch.ae_title)
            if state is FetchState.FAILED:
                sentence = _("%s n'a pas envoyé l'étude %s : %s")
                text = sentence % (fetch.ae_title, fetch.study_instance_uid, fault)
                ask(unit, "fetch", Role.ADMINISTRATOR, text)
                unit.audit(FETCHER, "fetch_failed", f"fetch:{fetch.id}", outcome="failed", why=fault)

        self._kit.index.writer.do(act)
        return self._fetch_of(Row.get_by_id(fetch.id))

    # What it has come to

    def progress(self, actor: Actor) -> list[FetchProgress]:
        """One line an archive that was ever asked."""
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)
        keys = [row.device for row in Row.select(Row.device).distinct()]
        known = {device.key: device for device in self._devices.all()}
        return [self._progress(known.get(key) or Device(key)) for key in sorted(keys)]

    def failed(self, actor: Actor) -> list[Fetch]:
        """What a person must look at, the newest first."""
        require(actor, Role.ADMINISTRATOR, Role.LEAD_TECHNOLOGIST)
        rows = Row.select().where(Row.state == str(FetchState.FAILED)).order_by(Row.id.desc()).limit(500)
        return [self._fetch_of(row) for row in rows]

    def _progress(self, device: Device) -> FetchProgress:
        rows: Any = self._kit.index.db.execute_sql(
            "SELECT state, COUNT(*), SUM(held) FROM fetch WHERE device = ? GROUP BY state", (device.key,)
        ).fetchall()
        count = {state: (studies, images) for state, studies, images in rows}
        queued, done, failed = (count.get(str(state), (0, 0)) for state in FetchState)
        return FetchProgress(device.ae_title, queued[0], done[0], failed[0], done[1])

    def _fetch_of(self, row: Any) -> Fetch:
        device = next((d for d in self._devices.all() if d.key == row.device), None)
        return Fetch(
            row.id,
            device.ae_title if device else row.device,
            row.study_instance_uid,
            FetchReason(row.reason),
            row.patient_id,
            row.study_date,
            row.expected,
            row.held,
            FetchState(row.state),
            row.attempts,
            row.next_at,
            row.answer,
        )

    def _archive(self, ae_title: str) -> Device:
        device = self._devices.by_ae(ae_title)
        if device is None:
            raise NotFound(_("Aucune machine %s.") % ae_title)
        if device.role != "archive" or not device.active:
            raise NotAllowed(_("%s n'est pas déclarée comme archive (--role archive).") % device.ae_title)
        return device

    def _peer(self) -> PeerArchive:
        if self._ports.archives is None:
            raise NotAllowed(_("Cette commande demande que le serveur tourne."))
        return self._ports.archives


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """A period month by month: archives cap the number of their answers."""
    begin = first
    while begin <= last:
        end = min(last, begin.replace(day=monthrange(begin.year, begin.month)[1]))
        yield begin, end
        begin = end + timedelta(days=1)


def _held(study_instance_uid: str) -> int:
    return sum(study.instances for study in Study.select().where(Study.study_instance_uid == study_instance_uid))


def _is_here(study_instance_uid: str, instances: int | None) -> bool:
    held = _held(study_instance_uid)
    return held >= instances if instances is not None else held > 0


def _told(moved: Moved, held: int, expected: int | None) -> str:
    """What is wrong with a C-MOVE that ended, in French; "" when every image is here."""
    if moved.failed:
        return _("%d images refusées ou perdues en route") % moved.failed
    if expected is not None and held < expected:
        return _("%d images reçues sur %d") % (held, expected)
    return "" if held else _("aucune image reçue")
