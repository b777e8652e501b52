"""Auto-routing: which new studies are owed to which machine, durably; who sends them is the DICOM door.

A study leaves when no image has come for a while; what comes later leaves after it. Images never go back to the machine
that sent them, and a study under the overlay waits here until somebody knows whose it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from core.clock import moment
from core.errors import BadInput, NotFound
from core.i18n import _
from core.index.rows import insert
from core.index.tables import Instance, RouteRow, Series, Study, TransferRow, database
from core.index.writer import Unit
from core.model.device import ae_key
from core.model.outgoing import Outgoing
from core.model.people import Actor, Role
from core.model.routing import GIVE_UP, MOST_REFUSALS, STABLE, Route, Transfer, TransferLine, pause
from core.model.study import Match
from core.services.access import require
from core.services.devices import Devices
from core.services.kit import Kit
from core.services.pledges import owe
from core.services.retrieval import Retrieval

SEEN = "routed"  # the counter that holds the last instance looked at
OPEN = ("WAITING", "QUEUED", "SENDING")


class Routing:
    """Verbs of the administrator, and of the one thread that sends."""

    def __init__(self, kit: Kit, devices: Devices, retrieval: Retrieval) -> None:
        self._kit = kit
        self._devices = devices
        self._retrieval = retrieval

    # Rules

    def routes(self) -> list[Route]:
        rows = RouteRow.select().where(RouteRow.active).order_by(RouteRow.id)
        return [Route(r.destination, r.source, r.modality, r.id) for r in rows]

    def add(self, actor: Actor, route: Route) -> None:
        """From the next image on. Raises `NotFound`, and `BadInput` for a machine that may not receive."""
        require(actor, Role.ADMINISTRATOR)
        for title in filter(None, (route.source, route.destination)):
            if self._devices.by_ae(title) is None:
                raise NotFound(_("Aucune machine %s.") % title)
        device = self._devices.by_ae(route.destination)
        if device is None or not device.may_receive:
            raise BadInput(_("%s ne reçoit pas d'images.") % (route.destination or "-"), "destination")
        if not device.host or not device.port:
            raise BadInput(
                _("On ne sait pas où %s écoute : dire --host et --port (yelen device add).") % device.ae_title,
                "destination",
            )
        if ae_key(route.source) == ae_key(route.destination):
            raise BadInput(_("Une machine ne se renvoie pas ses propres images."), "destination")

        def act(unit: Unit) -> None:
            same = {"source": route.source, "modality": route.modality.upper(), "destination": device.ae_title}
            if not RouteRow.update(active=True).where(*_equal(RouteRow, same)).execute():
                insert(RouteRow, **same)
            if not _seen(unit):
                _see(unit, _newest())
            unit.audit(
                actor,
                "add_route",
                f"device:{device.ae_title}",
                source=route.source,
                modality=route.modality,
            )

        self._kit.act(actor, "add_route", act)

    def remove(self, actor: Actor, route_id: int) -> None:
        """What is already owed still goes."""
        require(actor, Role.ADMINISTRATOR)

        def act(unit: Unit) -> None:
            if not RouteRow.update(active=False).where(RouteRow.id == route_id, RouteRow.active).execute():
                raise NotFound(_("Aucune règle d'envoi de ce numéro."))
            unit.audit(actor, "remove_route", f"route:{route_id}")

        self._kit.act(actor, "remove_route", act)

    def transfers(self, actor: Actor, limit: int = 100) -> list[TransferLine]:
        """What is on its way, and what nobody took; the newest first."""
        require(actor, Role.ADMINISTRATOR)
        rows: Any = (
            TransferRow.select(TransferRow, Study.study_instance_uid)
            .join(Study, on=(Study.id == TransferRow.study_id), attr="study")
            .where(TransferRow.state.in_([*OPEN, "DEAD"]))
            .order_by(TransferRow.id.desc())
            .limit(limit)
        )
        return [
            TransferLine(r.id, r.study.study_instance_uid, r.destination, r.state, r.sent, r.attempts, r.why, r.next_at)
            for r in rows
        ]

    def retry(self, actor: Actor, transfer_id: int) -> None:
        """A dead transfer goes again, now."""
        self._person(actor, transfer_id, "retry_transfer", state="QUEUED", attempts=0)

    def abandon(self, actor: Actor, transfer_id: int) -> None:
        """Nobody will send this any more."""
        self._person(actor, transfer_id, "abandon_transfer", state="ABANDONED")

    def _person(self, actor: Actor, transfer_id: int, verb: str, **columns: Any) -> None:
        require(actor, Role.ADMINISTRATOR)

        def act(unit: Unit) -> None:
            dead = (TransferRow.id == transfer_id) & (TransferRow.state.in_(["DEAD", "QUEUED", "WAITING"]))
            if not TransferRow.update(next_at=unit.now, **columns).where(dead).execute():
                raise NotFound(_("Aucun envoi en attente de ce numéro."))
            unit.audit(actor, verb, f"transfer:{transfer_id}")
            unit.event("transfers", transfer_id)

        self._kit.act(actor, verb, act)

    # For the thread that sends

    def resume(self) -> None:
        """At start: what was being sent is owed again; its machine knows the objects it already has."""
        self._kit.index.writer.do(
            lambda unit: TransferRow.update(state="QUEUED").where(TransferRow.state == "SENDING").execute()
        )

    def plan(self) -> None:
        """New images become transfers; those of studies that have come to rest become due."""
        routes, newest = self.routes(), _newest()
        if routes and newest > _last_seen():
            self._kit.index.writer.do(lambda unit: _look(unit, routes, newest))
        if ripe := _ripe(self._kit.now()):
            self._kit.index.writer.do(lambda unit: _queue(unit, ripe))

    def due(self) -> Transfer | None:
        """The next one to send."""
        row = (
            TransferRow.select()
            .where(TransferRow.state == "QUEUED", TransferRow.next_at <= self._kit.now())
            .order_by(TransferRow.next_at, TransferRow.id)
            .first()
        )
        if row is None:
            return None
        only = tuple(row.failed)
        return Transfer(row.id, row.study_id, row.destination, row.above, row.upto, row.attempts, row.created_at, only)

    def objects(self, transfer: Transfer) -> list[Outgoing]:
        """What it is made of, in the identity of today."""
        found = self._retrieval.of_study(transfer.study_id, transfer.above, transfer.upto)
        return [each for each in found if not transfer.only or each.sop_instance_uid in transfer.only]

    def sending(self, transfer: Transfer) -> None:
        self._set(transfer, state="SENDING", attempts=transfer.attempts + 1)

    def done(self, transfer: Transfer, sent: int) -> None:
        device = self._devices.by_ae(transfer.destination)
        asks = device is not None and device.pledges

        def act(unit: Unit) -> None:
            TransferRow.update(state="DONE", sent=TransferRow.sent + sent, failed=(), why="").where(
                TransferRow.id == transfer.id
            ).execute()
            unit.event("transfers", transfer.id)
            if asks:
                owe(unit, transfer.destination, transfer.study_id, transfer.above, transfer.upto)

        self._kit.index.writer.do(act)

    def stopped(self, transfer: Transfer) -> None:
        """The box closes in the middle: it goes again at the next start, and the attempt is not counted."""
        self._set(transfer, state="QUEUED", attempts=transfer.attempts)

    def hidden(self, transfer: Transfer) -> None:
        """Its identity came into doubt: looked at again when the study has come to rest."""
        self._set(transfer, state="WAITING", attempts=transfer.attempts, why=_("identité en cours de vérification"))

    def refused(self, transfer: Transfer, sent: int, failed: Iterable[str]) -> None:
        """The machine took some of it, or nothing: those it refused go again, a few times."""
        left = tuple(failed)
        why = _("%d image(s) refusée(s) par %s") % (len(left), transfer.destination)
        self._later(transfer, why, transfer.attempts + 1 >= MOST_REFUSALS, sent=TransferRow.sent + sent, failed=left)

    def unreachable(self, transfer: Transfer, why: str, sent: int, failed: Iterable[str] = ()) -> None:
        """The machine is off: nothing else for it is tried before this one."""
        tired = self._kit.now() - transfer.created_at >= GIVE_UP
        self._later(transfer, why, tired, sent=TransferRow.sent + sent, failed=tuple(failed))

    def _later(self, transfer: Transfer, why: str, dead: bool, **columns: Any) -> None:
        def act(unit: Unit) -> None:
            again = unit.now + pause(transfer.attempts + 1)
            TransferRow.update(state="DEAD" if dead else "QUEUED", why=why, next_at=again, **columns).where(
                TransferRow.id == transfer.id
            ).execute()
            TransferRow.update(next_at=again).where(
                TransferRow.destination == transfer.destination,
                TransferRow.state == "QUEUED",
                TransferRow.next_at < again,
            ).execute()
            unit.event("transfers", transfer.id)
            if dead:
                unit.audit(
                    Actor.system("dicom"), "transfer_dead", f"transfer:{transfer.id}", to=transfer.destination, why=why
                )
                unit.event("alarm", "transfers")

        self._kit.index.writer.do(act)

    def _set(self, transfer: Transfer, **columns: Any) -> None:
        def act(unit: Unit) -> None:
            TransferRow.update(**columns).where(TransferRow.id == transfer.id).execute()
            unit.event("transfers", transfer.id)

        self._kit.index.writer.do(act)


def _equal(table: Any, columns: dict[str, Any]) -> list[Any]:
    return [getattr(table, name) == value for name, value in columns.items()]


def _newest() -> int:
    row = database.execute_sql("SELECT MAX(id) FROM instance").fetchone()
    return int(row[0] or 0)


def _newest_of(study_id: int) -> int:
    row = database.execute_sql(
        "SELECT MAX(i.id) FROM instance i JOIN series s ON s.id = i.series_id WHERE s.study_id = ?", (study_id,)
    ).fetchone()
    return int(row[0] or 0)


def _last_seen() -> int:
    row = database.execute_sql("SELECT value FROM counter WHERE name = ?", (SEEN,)).fetchone()
    return int(row[0]) if row else 0


def _seen(unit: Unit) -> int:
    row = unit.sql("SELECT value FROM counter WHERE name = ?", (SEEN,)).fetchone()
    return int(row[0]) if row else 0


def _see(unit: Unit, newest: int) -> None:
    unit.sql(
        "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (SEEN, newest),
    )


def _owed(seen: int, newest: int, routes: Iterable[Route]) -> set[tuple[int, str]]:
    """Study and destination of every new image that a route takes."""
    rows: Any = (
        Instance.select(Series.study, Series.modality, Instance.calling_ae)
        .join(Series, on=(Instance.series == Series.id))
        .where(Instance.id > seen, Instance.id <= newest)
        .distinct()
        .tuples()
    )
    return {
        (study_id, route.destination)
        for study_id, modality, sender in rows
        for route in routes
        if route.modality in ("", modality)
        and (not route.source or ae_key(route.source) == ae_key(sender))
        and ae_key(route.destination) != ae_key(sender)
    }


def _look(unit: Unit, routes: Iterable[Route], newest: int) -> None:
    """Every image that nobody had looked at."""
    for study_id, destination in _owed(_seen(unit), newest, routes):
        _wait(unit, study_id, destination)
    _see(unit, newest)


def _queue(unit: Unit, ripe: Iterable[tuple[int, int]]) -> None:
    for transfer_id, study_id in ripe:
        TransferRow.update(state="QUEUED", next_at=unit.now, upto=_newest_of(study_id)).where(
            TransferRow.id == transfer_id, TransferRow.state == "WAITING"
        ).execute()
        unit.event("transfers", transfer_id)


def _wait(unit: Unit, study_id: int, destination: str) -> None:
    """Owed from the last image that was owed already; once."""
    same = (TransferRow.study_id == study_id) & (TransferRow.destination == destination)
    if TransferRow.select().where(same, TransferRow.state == "WAITING").exists():
        return
    last = TransferRow.select().where(same).order_by(TransferRow.id.desc()).first()
    row = insert(
        TransferRow,
        study_id=study_id,
        destination=destination,
        above=last.upto if last is not None else 0,
        created_at=unit.now,
        next_at=unit.now,
    )
    unit.event("transfers", row.id)


def _ripe(now: datetime) -> list[tuple[int, int]]:
    """Waiting transfers whose study has come to rest and has an identity, or whose machine may see the doubt."""
    rows: Any = database.execute_sql(
        "SELECT t.id, t.study_id, s.last_image_at, s.match, COALESCE(d.role, '') FROM transfer t "
        "JOIN study s ON s.id = t.study_id LEFT JOIN device d ON d.key = lower(trim(t.destination)) "
        "WHERE t.state = 'WAITING'"
    ).fetchall()
    return [
        (transfer_id, study_id)
        for transfer_id, study_id, last, match, role in rows
        if (last is None or moment(last) <= now - STABLE)
        and (match != str(Match.UNRECONCILED) or role == "workstation")
    ]
