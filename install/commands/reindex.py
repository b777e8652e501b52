"""`yelen reindex`: the image index, rebuilt from the files of the archive alone."""

from __future__ import annotations

import click

from core.i18n import _
from install.calls import Reindex
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, reach


@click.command(
    cls=FrenchCommand,
    help="Refaire l'index des images à partir des fichiers. Rien n'est effacé ; sans danger, même répété.",
)
@with_place
def reindex(place: Place) -> int:
    with reach(place) as box:
        done = box.ask(Reindex(), ALL_NIGHT_S)
    for line in done.lines:
        click.echo(line, err=True)
    click.echo(_("%d images retrouvées.") % done.adopted)
    return 1 if done.lines else 0
