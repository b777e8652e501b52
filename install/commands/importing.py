"""`yelen import`: discs, sticks and folders into the archive; a complete export back into a new box."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.clock import SystemClock
from core.errors import BadInput
from core.i18n import _
from install import one_server
from install.calls import Import
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, owner, reach


@click.command(
    name="import",
    cls=FrenchCommand,
    help="Archiver les images d'un disque, d'une clé ou d'un dossier. Code de sortie 1 si des fichiers sont refusés. "
    "--export : ramener dans une boîte neuve et arrêtée tout ce que « yelen export --all » a copié.",
)
@click.argument("paths", metavar="[CHEMIN...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--export", "parcel", metavar="DOSSIER", type=click.Path(path_type=Path), help="un export complet")
@click.option(
    "--keys", metavar="FICHIER", type=click.Path(path_type=Path),
    help="les clés de l'ancien site (yelen replica carry-keys) ; sans elles l'audit est scellé à neuf",
)  # fmt: skip
@with_place
def import_(place: Place, paths: tuple[Path, ...], parcel: Path | None, keys: Path | None) -> int:
    if bool(paths) == bool(parcel) or (keys and not parcel):
        raise BadInput(_("Dire ce qu'il faut importer : des chemins, ou --export DOSSIER."), "import")
    return _bring_back(place, parcel, keys) if parcel else _archive(place, paths)


def _archive(place: Place, paths: tuple[Path, ...]) -> int:
    refused = 0
    with reach(place) as box:
        for path in paths:
            done = box.ask(Import(str(path.absolute())), ALL_NIGHT_S)
            refused += done.refused
            for line in (f"{path} :", *(f"  {line}" for line in done.lines)):
                click.echo(line)
    return 1 if refused else 0


def _bring_back(place: Place, folder: Path, keys: Path | None) -> int:
    from core.replication.pairing import take_keys
    from core.services.import_back import Parcel, bring_back

    data = place.config().data
    with one_server.hold(data):
        taken = (lambda: take_keys(data, keys)) if keys else None
        found = bring_back(data, Parcel(folder.absolute()), owner(), SystemClock(), taken, _show)
    for path in found.missing:
        click.echo(_("absent de l'export : %s") % path, err=True)
    if found.broken_at is not None:
        click.echo(_("L'audit de l'export était rompu à la ligne %d.") % found.broken_at, err=True)
    if found.is_resealed:
        click.echo(
            _("Sans les clés de l'ancien site, l'audit a été scellé à neuf ; l'export garde les anciens sceaux.")
        )
    click.echo(_("Export ramené : %d lignes, %d fichiers. Ensuite : yelen serve.") % (found.rows, found.files))
    return 1 if found.missing or found.broken_at is not None else 0


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty() or done % 1000 == 0 or done == total:
        line = _("images : %d sur %d") % (done, total)
        click.echo(f"\r{line}\033[K" if sys.stderr.isatty() else line, err=True, nl=not sys.stderr.isatty())
