"""`yelen route`: studies that go to another machine by themselves."""

from __future__ import annotations

import click

from core.config import Site
from core.i18n import _
from core.model.routing import Route
from install.calls import AbandonTransfer, AddRoute, RemoveRoute, RetryTransfer, Routes, Transfers
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists, moment


@click.group(cls=FrenchGroup, help="Études qui partent seules vers une autre machine.")
def route() -> None: ...


@route.command(help="Envoyer chaque nouvelle étude à une machine déclarée qui écoute.")
@click.argument("destination")
@click.option("--from", "source", default="", help="seulement ce que cette machine a envoyé")
@click.option("--modality", default="", help="seulement CT, DX, US, MR …")
@with_place
def add(place: Place, destination: str, source: str, modality: str) -> None:
    with reach(place) as box:
        box.ask(AddRoute(Route(destination, source, modality.upper())))
    click.echo(_("À partir de maintenant, les nouvelles études partent vers %s.") % destination)


@lists(route, "Les règles d'envoi.")
def _routes(box: Reach, _site: Site) -> Table:
    return Table(
        (_("N°"), _("VERS"), _("DE"), _("MODALITÉ")),
        [(r.id, r.destination, r.source, r.modality) for r in box.ask(Routes())],
    )


@route.command(help="Retirer une règle ; ce qui était dû part encore.")
@click.argument("number", type=int)
@with_place
def remove(place: Place, number: int) -> None:
    with reach(place) as box:
        box.ask(RemoveRoute(number))
    click.echo(_("Règle %d retirée.") % number)


@lists(route, "Les études en route, et celles que personne n'a prises.", name="queue")
def _queue(box: Reach, site: Site) -> Table:
    return Table(
        (_("N°"), _("VERS"), _("ÉTAT"), _("ENVOYÉES"), _("ESSAIS"), _("PROCHAIN"), _("CAUSE"), _("ÉTUDE")),
        [
            (
                t.id,
                t.destination,
                _state(t.state),
                t.sent,
                t.attempts,
                moment(t.next_at, site),
                t.why,
                t.study_instance_uid,
            )
            for t in box.ask(Transfers())
        ],
    )


def _state(state: str) -> str:
    return {
        "WAITING": _("attend la fin de l'étude"),
        "QUEUED": _("à envoyer"),
        "SENDING": _("en cours"),
        "DEAD": _("personne ne l'a prise"),
    }.get(state, state)


@route.command(help="Envoyer de nouveau, maintenant, une étude qui n'est pas partie.")
@click.argument("number", type=int)
@with_place
def retry(place: Place, number: int) -> None:
    with reach(place) as box:
        box.ask(RetryTransfer(number))
    click.echo(_("L'envoi %d repart.") % number)


@route.command(help="Ne plus envoyer cette étude.")
@click.argument("number", type=int)
@with_place
def abandon(place: Place, number: int) -> None:
    with reach(place) as box:
        box.ask(AbandonTransfer(number))
    click.echo(_("L'envoi %d est abandonné.") % number)
