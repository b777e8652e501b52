"""`yelen status`: where the box stands, for a person or as JSON. Exit code 3 when it is stopped."""

from __future__ import annotations

import json

import click

from core.i18n import _
from core.model.standing import grouped
from core.rpc.contract import Status
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import is_running, reach

STOPPED = 3


@click.command(cls=FrenchCommand, help="Dire où en est le serveur. Code de sortie 3 s'il est arrêté.")
@click.option("--json", "as_json", is_flag=True, help="en JSON")
@with_place
def status(place: Place, as_json: bool) -> int:
    if not is_running(place.config()):
        click.echo(json.dumps({"running": False}) if as_json else _("Serveur arrêté."), err=not as_json)
        return STOPPED
    with reach(place) as box:
        told = box.ask(Status())
    if as_json:
        click.echo(json.dumps({"running": True, **told}, ensure_ascii=False, indent=2, default=str))
    else:
        for title, rows in grouped(told, place.config().site.local):
            click.echo(title)
            for label, value in rows:
                click.echo(f"  {label:<26} {value}")
    return 0
