"""`yelen replica`: the second building."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import click

from core.clock import SystemClock
from core.config import Config
from core.errors import Conflict
from core.i18n import _
from core.model import standing
from core.rpc.contract import Status
from install import second
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach
from install.table import show


@click.group(cls=FrenchGroup, help="Second bâtiment.")
def replica() -> None: ...


@replica.command(help="Où en est la copie.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def status(place: Place, text: bool) -> None:
    config = place.config()
    told = second.standing(config) if config.replica.role == "replica" else _of_the_primary(place)
    wanted = config.replica
    limit = _("%d ko/s") % wanted.bandwidth_kbps if wanted.bandwidth_kbps else _("sans limite")
    rows = standing.rows({"role": wanted.role, "target": wanted.target or _("aucune")} | told, config.site.local)
    rows += [(_("Un envoi toutes les"), _("%d s") % wanted.interval_s), (_("Débit"), limit)]
    show((_("QUOI"), _("VALEUR")), rows, text)


def _of_the_primary(place: Place) -> dict[str, Any]:
    with reach(place) as box:
        found: dict[str, Any] = box.ask(Status())["replica"]
    return found


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
    second.follow(_copy(place), click.echo)


@replica.command(name="carry-keys", help="Écrire les clés de ce site dans un fichier, à porter à la main à sa copie.")
@click.argument("file", metavar="FICHIER", type=click.Path(path_type=Path))
@with_place
def carry_keys(place: Place, file: Path) -> None:
    from core.replication.pairing import carry_keys as carried

    config = place.config()
    carried(config.data, file.absolute())
    click.echo(_("Clés écrites dans %s : à porter au second bâtiment, puis à effacer.") % file)


@replica.command(name="take-keys", help="Dans la copie : prendre les clés du site principal, portées à la main.")
@click.argument("file", metavar="FICHIER", type=click.Path(path_type=Path))
@with_place
def take_keys(place: Place, file: Path) -> None:
    from core.replication.service import adopt_keys

    site = adopt_keys(_copy(place).data, file)
    click.echo(_("Clés du site %s en place : l'audit se vérifie ici aussi. Effacer %s.") % (site, file))


@replica.command(help="Dans la copie arrêtée : refaire son index à neuf ; les images déjà reçues restent.")
@with_place
def reset(place: Place) -> None:
    from core.replication.service import reset as started_anew
    from install import one_server

    config = _copy(place)
    with one_server.hold(config.data):
        aside = started_anew(config.data)
    click.echo(_("Ancien index mis de côté dans %s. Relancer « yelen replica apply ».") % aside)


def _copy(place: Place) -> Config:
    config = place.config()
    if config.replica.role != "replica":
        raise Conflict(_('Ce site est principal : dans un second bâtiment, replica.role = "replica".'))
    return config
