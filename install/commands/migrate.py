"""`yelen migrate`: bring in what another archive holds, study by study, for as long as it takes."""

from __future__ import annotations

from datetime import datetime

import click

from core.i18n import _
from install.calls import FetchAgain, Migrate
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import reach

PATIENCE_S = 3600.0
DAY = click.DateTime(["%Y-%m-%d"])


@click.command(
    cls=FrenchCommand,
    help="Faire venir les études d'une autre archive (yelen device add --role archive). Le serveur les demande une par "
    "une ; la commande peut être relancée, et « yelen list fetches » dit où il en est.",
)
@click.argument("ae_title")
@click.option("--from", "first", type=DAY, metavar="AAAA-MM-JJ", help="première date d'étude")
@click.option("--to", "last", type=DAY, metavar="AAAA-MM-JJ", help="dernière date, sinon aujourd'hui")
@click.option("--again", is_flag=True, help="redemander ce qui a échoué")
@with_place
def migrate(place: Place, ae_title: str, first: datetime | None, last: datetime | None, again: bool) -> None:
    with reach(place) as box:
        if again:
            count = box.ask(FetchAgain(ae_title))
            click.echo(_("Études redemandées : %d.") % count)
            return
        if first is None:
            raise click.UsageError(_("Depuis quelle date ? --from AAAA-MM-JJ"))
        so_far = box.ask(Migrate(ae_title, first.date(), last.date() if last else None), PATIENCE_S)
    click.echo(
        _("%s : %d études à venir, %d reçues (%d images), %d en échec.")
        % (so_far.ae_title, so_far.queued, so_far.done, so_far.images, so_far.failed)
    )
