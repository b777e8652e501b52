"""`yelen printer`: what paper comes out of."""

from __future__ import annotations

import click

from core.config import Site
from core.i18n import _
from core.model.printing import Printer
from core.rpc.contract import Printers, SavePrinter
from install.calls import RemovePrinter
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists


@click.group(cls=FrenchGroup, help="Imprimantes.")
def printer() -> None: ...


@printer.command(help="Déclarer une imprimante : ipp://hôte:631/ipp/print, hôte:9100, ou un dossier.")
@click.argument("name")
@click.argument("uri")
@click.option("--takes", type=click.Choice(["pdf", "zpl"]), default="pdf", help="langage")
@with_place
def add(place: Place, name: str, uri: str, takes: str) -> None:
    with reach(place) as box:
        box.ask(SavePrinter(Printer(name, kind_of(uri), uri, takes)))
    click.echo(_("Imprimante %s enregistrée.") % name)


def kind_of(uri: str) -> str:
    """`ipp`, `raw` (host:9100) or `folder`, by the spelling of the address."""
    if uri.startswith(("ipp://", "ipps://")):
        return "ipp"
    return "folder" if "/" in uri else "raw"


@lists(printer, "Les imprimantes et leur état.")
def _printers(box: Reach, _site: Site) -> Table:
    return Table(
        (_("NOM"), _("ADRESSE"), _("LANGAGE"), _("ACTIVE"), _("ÉTAT")),
        [(p.name, p.uri, p.takes, p.active, p.state) for p in box.ask(Printers())],
    )


@printer.command(help="Retirer une imprimante.")
@click.argument("name")
@with_place
def remove(place: Place, name: str) -> None:
    with reach(place) as box:
        box.ask(RemovePrinter(name))
    click.echo(_("Imprimante %s retirée.") % name)
