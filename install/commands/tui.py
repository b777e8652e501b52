"""`yelen tui`: a terminal of the department, in a process of its own."""

from __future__ import annotations

import click

from install.french import FrenchCommand
from install.place import Place, with_place


@click.command(cls=FrenchCommand, help="Ouvrir le terminal.")
@click.option("--post", default="", metavar="POSTE", help="nom du poste (accueil-1, scanner…)")
@with_place
def tui(place: Place, post: str) -> int:
    from tui import run

    return run(place.config().socket, post)
