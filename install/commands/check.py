"""`yelen check`: the doctor."""

from __future__ import annotations

import click

from core.i18n import _
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import is_running


@click.command(
    cls=FrenchCommand, help="Examiner l'installation sans rien changer. Code de sortie 1 s'il y a une faute."
)
@with_place
def check(place: Place) -> int:
    from install.doctor import FAULT, examine

    config = place.config()
    running = is_running(config)
    click.echo(_("Serveur ouvert.") if running else _("Serveur arrêté."))
    faults = 0
    for finding in examine(config, running):
        faults += finding.level == FAULT
        click.echo(f"{finding.level:<9} {finding.sentence}")
    return 1 if faults else 0
