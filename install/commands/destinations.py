"""`yelen destination`: the systems that get our results by HL7."""

from __future__ import annotations

import click

from core.config import Site
from core.i18n import _
from core.model.device import Destination
from install.calls import Destinations, RemoveDestination, SaveDestination
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists


@click.group(cls=FrenchGroup, help="Systèmes à qui l'on envoie du HL7.")
def destination() -> None: ...


@destination.command(help="Déclarer un destinataire, ou changer celui qui existe.")
@click.argument("name")
@click.argument("host")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option("--application", default="HIS", help="MSH-5")
@click.option("--facility", default="HOPITAL", help="MSH-6")
@click.option("--version", default="2.5", help="MSH-12")
@click.option("--charset", default="UNICODE UTF-8", help="MSH-18")
@click.option("--off", is_flag=True, help="ne plus rien lui envoyer, sans oublier sa fiche")
@click.option("--final-only", is_flag=True, help="pas de comptes rendus provisoires")
@with_place
def add(place: Place, name: str, host: str, port: int, final_only: bool, off: bool, **spelling: str) -> None:
    wanted = Destination(name, host, port, takes_preliminary=not final_only, active=not off, **spelling)
    with reach(place) as box:
        box.ask(SaveDestination(wanted))
    click.echo(_("Destinataire %s enregistré.") % name)


@lists(destination, "Les destinataires.")
def _destinations(box: Reach, _site: Site) -> Table:
    return Table(
        (_("NOM"), _("ADRESSE"), _("MSH-5"), _("MSH-6"), _("VERSION"), _("ACTIF")),
        [
            (d.name, f"{d.host}:{d.port}", d.application, d.facility, d.version, d.active)
            for d in box.ask(Destinations())
        ],
    )


@destination.command(help="Ne plus envoyer à un destinataire.")
@click.argument("name")
@with_place
def remove(place: Place, name: str) -> None:
    with reach(place) as box:
        box.ask(RemoveDestination(name))
    click.echo(_("Destinataire %s retiré.") % name)
