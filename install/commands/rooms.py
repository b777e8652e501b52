"""`yelen room`: the rooms and the machines that stand in them."""

from __future__ import annotations

import click

from core.config import Site
from core.i18n import _
from core.model.order import Room
from core.rpc.contract import Rooms
from install.calls import RemoveRoom, SaveRoom
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import Reach, reach
from install.table import Table, lists


@click.group(cls=FrenchGroup, help="Salles.")
def room() -> None: ...


@room.command(help="Ajouter une salle, ou changer celle qui existe.")
@click.argument("code")
@click.argument("label")
@click.option("--modality", required=True, help="CT, DX, US, MR …")
@click.option("--ae", "ae_titles", multiple=True, help="titre AE d'une machine de la salle (répétable)")
@click.option("--opens", default="07:00", help="ouverture, HH:MM")
@click.option("--closes", default="18:00", help="fermeture, HH:MM")
@click.option("--capacity", default=1, type=click.IntRange(1, 20), help="patients en même temps")
@click.option("--without-appointment", is_flag=True, help="les patients y viennent sans rendez-vous")
@with_place
def add(
    place: Place,
    code: str,
    label: str,
    modality: str,
    ae_titles: tuple[str, ...],
    opens: str,
    closes: str,
    capacity: int,
    without_appointment: bool,
) -> None:
    wanted = Room(code, label, modality, ae_titles, opens, closes, capacity, without_appointment=without_appointment)
    with reach(place) as box:
        box.ask(SaveRoom(wanted))
    click.echo(_("Salle %s enregistrée.") % code)


@lists(room, "Les salles.")
def _rooms(box: Reach, _site: Site) -> Table:
    return Table(
        (_("CODE"), _("SALLE"), _("MODALITÉ"), _("MACHINES"), _("OUVRE"), _("FERME")),
        [(r.code, r.label, r.modality, r.ae_titles, r.opens, r.closes) for r in box.ask(Rooms())],
    )


@room.command(help="Retirer une salle.")
@click.argument("code")
@with_place
def remove(place: Place, code: str) -> None:
    with reach(place) as box:
        box.ask(RemoveRoom(code))
    click.echo(_("Salle %s retirée.") % code)
