"""`yelen verify`: every file of the archive against its fingerprint."""

from __future__ import annotations

import click

from core.i18n import _
from install.calls import VerifyFiles
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, reach


@click.command(cls=FrenchCommand, help="Relire chaque fichier et comparer son empreinte à celle de l'index.")
@with_place
def verify(place: Place) -> int:
    with reach(place) as box:
        checked = box.ask(VerifyFiles(), ALL_NIGHT_S)
    words = {"missing": _("absent"), "changed": _("changé"), "unknown": _("inconnu de l'index")}
    for fault in checked.faults:
        click.echo(f"{fault.path} : {words.get(fault.what, fault.what)}", err=True)
    click.echo(_("%d fichiers relus, %d défauts.") % (checked.files, len(checked.faults)))
    return 1 if checked.faults else 0
