"""`yelen settle`: a person has looked at what waited in a list, and says how it ended."""

from __future__ import annotations

import click

from core.i18n import _
from core.rpc.contract import UndoRejection
from install.calls import SettleQuarantine, SettleTask
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach


@click.group(cls=FrenchGroup, help="Régler une ligne d'une liste : elle en sort, l'audit garde qui et comment.")
def settle() -> None: ...


@settle.command(help="Une tâche de « yelen list tasks ».")
@click.argument("number", type=int, metavar="N")
@click.option("--how", required=True, metavar="TEXTE", help="ce qui a été fait")
@with_place
def task(place: Place, number: int, how: str) -> None:
    with reach(place) as box:
        box.ask(SettleTask(number, how))
    click.echo(_("Tâche %d réglée.") % number)


@settle.command(help="Une ligne de « yelen list quarantine » ; le fichier reste gardé.")
@click.argument("number", type=int, metavar="N")
@click.option("--how", required=True, metavar="TEXTE", help="ce qui a été fait")
@with_place
def quarantine(place: Place, number: int, how: str) -> None:
    with reach(place) as box:
        box.ask(SettleQuarantine(number, how))
    click.echo(_("Ligne %d réglée, le fichier est gardé.") % number)


@settle.command(help="Lever un rejet de « yelen list rejections » : ses images sont de nouveau montrées.")
@click.argument("number", type=int, metavar="N")
@click.option("--how", required=True, metavar="TEXTE", help="le motif")
@with_place
def rejection(place: Place, number: int, how: str) -> None:
    with reach(place) as box:
        box.ask(UndoRejection(number, how))
    click.echo(_("Rejet %d levé : ses images sont de nouveau montrées.") % number)
