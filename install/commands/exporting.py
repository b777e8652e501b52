"""`yelen export`: the whole department, a patient or a study, in a folder that others can read."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.errors import BadInput
from core.i18n import _
from core.model.export import Asked, Progress
from install.calls import BeginExport, ProceedExport
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, reach


@click.command(
    cls=FrenchCommand,
    help="Tout copier dans un dossier : images et DICOMDIR, comptes rendus, données, empreintes. Coupé, il se relance "
    "et complète. Code de sortie 1 si un fichier manquait.",
)
@click.option("--all", "everything", is_flag=True, help="tout le service")
@click.option("--patient", default="", metavar="NUMÉRO", help="un patient")
@click.option("--study", default="", metavar="UID", help="une étude")
@click.option(
    "--to", "folder", required=True, metavar="DOSSIER", type=click.Path(path_type=Path), help="vide, ou un export"
)
@with_place
def export(place: Place, everything: bool, patient: str, study: str, folder: Path) -> int:
    if [everything, bool(patient), bool(study)].count(True) != 1:
        raise BadInput(_("Dire une chose : --all, --patient NUMÉRO ou --study UID."), "export")
    target = str(folder.absolute())
    with reach(place) as box:
        progress = box.ask(BeginExport(target, Asked(patient, study)), ALL_NIGHT_S)
        while not progress.is_finished:
            show(progress)
            progress = box.ask(ProceedExport(target), ALL_NIGHT_S)
    for fault in progress.faults:
        click.echo(fault, err=True)
    click.echo(_("Export complet dans %s : %d fichiers, %d manquants.") % (folder, progress.done, len(progress.faults)))
    return 1 if progress.faults else 0


def show(progress: Progress) -> None:
    """One line on stderr; on a screen it is written over the last one."""
    line = _("%s : %d sur %d") % (progress.phase.word, progress.done, progress.total)
    if progress.bytes_total:
        line += _(", %.1f Go sur %.1f") % (progress.bytes_done / 1e9, progress.bytes_total / 1e9)
    click.echo(f"\r{line}\033[K" if sys.stderr.isatty() else line, err=True, nl=not sys.stderr.isatty())
