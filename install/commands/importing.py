"""`yelen import`: discs, sticks and folders into the archive."""

from __future__ import annotations

from pathlib import Path

import click

from install.calls import Import
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, reach


@click.command(
    name="import",
    cls=FrenchCommand,
    help="Archiver les images d'un disque, d'une clé ou d'un dossier. Code de sortie 1 si des fichiers sont refusés.",
)
@click.argument("paths", metavar="CHEMIN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@with_place
def import_(place: Place, paths: tuple[Path, ...]) -> int:
    refused = 0
    with reach(place) as box:
        for path in paths:
            done = box.ask(Import(str(path.absolute())), ALL_NIGHT_S)
            refused += done.refused
            for line in (f"{path} :", *(f"  {line}" for line in done.lines)):
                click.echo(line)
    return 1 if refused else 0
