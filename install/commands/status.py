"""`yelen status`: where the box stands, for a person or as JSON. Exit code 3 when it is stopped."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import click

from core.config import Config
from core.i18n import _
from core.model.standing import grouped
from core.rpc.contract import Status
from install.french import FrenchCommand
from install.one_server import is_held
from install.place import Place, with_place
from install.reach import is_running, reach

STOPPED = 3


@click.command(cls=FrenchCommand, help="Dire où en est le serveur. Code de sortie 3 s'il est arrêté.")
@click.option("--json", "as_json", is_flag=True, help="en JSON")
@with_place
def status(place: Place, as_json: bool) -> int:
    config = place.config()
    told = _of_a_copy(config) if config.replica.role == "replica" else _of_a_site(place)
    if told is None:
        click.echo(json.dumps({"running": False}) if as_json else _("Serveur arrêté."), err=not as_json)
        return STOPPED
    if as_json:
        click.echo(json.dumps({"running": True, **told}, ensure_ascii=False, indent=2, default=str))
    else:
        for title, rows in grouped(told, config.site.local):
            click.echo(title)
            for label, value in rows:
                click.echo(f"  {label:<26} {value}")
    return 0


def _of_a_site(place: Place) -> dict[str, Any] | None:
    if not is_running(place.config()):
        return None
    with reach(place) as box:
        return box.ask(Status())


def _of_a_copy(config: Config) -> dict[str, Any] | None:
    """A copy opens no door: it runs when a process holds its folder, and says what it has applied."""
    from install.second import standing

    return {"version": version("yelen"), "replica": standing(config)} if is_held(config.data) else None
