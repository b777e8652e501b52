"""`yelen replica`: the second building."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from core.clock import SystemClock
from core.errors import Conflict
from core.i18n import _
from core.rpc.contract import Status
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach
from install.table import show

if TYPE_CHECKING:
    from core.replication.apply import Applier


@click.group(cls=FrenchGroup, help="Second bâtiment.")
def replica() -> None: ...


@replica.command(help="Où en est la copie.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def status(place: Place, text: bool) -> None:
    wanted = place.config().replica
    with reach(place) as box:
        told: dict[str, Any] = box.ask(Status())["replica"]
    limit = _("%d ko/s") % wanted.bandwidth_kbps if wanted.bandwidth_kbps else _("sans limite")
    rows: list[tuple[str, object]] = [
        (_("rôle"), told.get("role", wanted.role)),
        (_("cible"), wanted.target or _("aucune")),
        (_("un envoi toutes les"), _("%d s") % wanted.interval_s),
        (_("débit"), limit),
        *((name, value) for name, value in told.items() if name not in ("role", "target")),
    ]
    show((_("QUOI"), _("VALEUR")), rows, text)


@replica.command(help="Prouver que les deux bâtiments sont identiques, ligne à ligne et fichier par fichier.")
@with_place
def verify(place: Place) -> int:
    from core.replication.verify import verify as compared

    verdict = compared(place.config(), SystemClock(), threading.Event().wait)
    for line in verdict.lines:
        click.echo(line)
    return 0 if verdict.ok else 1


@replica.command(help='Recevoir la copie du site principal (réglage replica.role = "replica"), jusqu\'à Ctrl-C.')
@with_place
def apply(place: Place) -> None:
    from core.replication.service import run_replica
    from install import one_server

    config = place.config()
    if config.replica.role != "replica":
        raise Conflict(_('Ce site est principal : dans un second bâtiment, replica.role = "replica".'))

    def ready(applier: Applier) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_unused: applier.stop())
        click.echo(_("prêt : la copie de ce dossier suit le site principal."))

    with one_server.hold(config.data):
        run_replica(config, SystemClock(), ready)
