"""`yelen quarantine`: what was set aside goes through the ingest once more."""

from __future__ import annotations

from collections.abc import Iterator

import click

from core.errors import Conflict, NotFound
from core.i18n import _
from install.calls import Retried, RetryQuarantine, WaitingOf
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, Reach, reach


@click.group(cls=FrenchGroup, help="Ce qui a été mis de côté : le reprendre quand ce qui manquait est là.")
def quarantine() -> None: ...


@quarantine.command(help="Reprendre des lignes de « yelen list quarantine » ; le fichier mis de côté reste gardé.")
@click.argument("numbers", type=int, nargs=-1, metavar="[N]...")
@click.option("--all-of", "ae_title", metavar="AE", default="", help="tout ce qui attend de cette machine")
@with_place
def retry(place: Place, numbers: tuple[int, ...], ae_title: str) -> None:
    if bool(numbers) == bool(ae_title):
        raise click.UsageError(_("des numéros, ou --all-of AE"))
    with reach(place) as box:
        done = [_retried(box, number) for number in (numbers or _waiting(box, ae_title))]
    if not done:
        click.echo(_("Rien n'attend de la machine %s.") % ae_title)
    if not all(done):
        raise click.exceptions.Exit(1)


def _waiting(box: Reach, ae_title: str) -> Iterator[int]:
    last = 0
    while some := box.ask(WaitingOf(ae_title, last)):
        yield from some
        last = some[-1]


def _retried(box: Reach, number: int) -> bool:
    """One line, told as it ends; what is refused does not keep the next ones waiting."""
    try:
        became = box.ask(RetryQuarantine(number), ALL_NIGHT_S)
    except (Conflict, NotFound) as refusal:
        click.echo(_("Ligne %d : %s") % (number, refusal), err=True)
        return False
    click.echo(_sentence(became) % number)
    return True


def _sentence(became: Retried) -> str:
    if became.known:
        return _("Ligne %d reprise : l'archive avait déjà l'image.")
    if became.to_match:
        return _("Ligne %d reprise : l'image est archivée, à rapprocher.")
    return _("Ligne %d reprise : l'image est archivée.")
