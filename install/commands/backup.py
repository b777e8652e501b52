"""`yelen backup` and `yelen restore`."""

from __future__ import annotations

from pathlib import Path

import click

from core.i18n import _
from install.calls import BackUp
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, reach


@click.command(
    cls=FrenchCommand, help="Copier l'index, les clés et la configuration dans un nouveau sous-dossier de DOSSIER."
)
@click.argument("folder", metavar="DOSSIER", type=click.Path(path_type=Path))
@with_place
def backup(place: Place, folder: Path) -> None:
    with reach(place) as box:
        copied = box.ask(BackUp(str(folder.absolute())), ALL_NIGHT_S)
    click.echo(_("Sauvegarde %s (index : %d octets). Les images n'y sont pas.") % (copied.folder, copied.size))


@click.command(
    cls=FrenchCommand, help="Remettre une sauvegarde en place, serveur arrêté ; l'état d'avant est gardé à côté."
)
@click.argument("folder", metavar="SAUVEGARDE", type=click.Path(path_type=Path))
@with_place
def restore(place: Place, folder: Path) -> None:
    from install import backup as copies

    copies.restore(folder.absolute(), place.data)
    click.echo(_("Sauvegarde remise en place. Ensuite : yelen reindex, puis yelen serve."))
