"""`yelen serve`: the box; in a second building, the copy."""

from __future__ import annotations

import logging
import os

import click

from install.french import FrenchCommand
from install.memory import keep_few_pools
from install.place import Place, with_place


@click.command(
    cls=FrenchCommand, help="Ouvrir le serveur ; une ligne « prêt … » quand tout écoute. Ctrl-C ou SIGTERM : arrêt."
)
@with_place
def serve(place: Place) -> None:
    logging.basicConfig(
        level=os.environ.get("YELEN_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # It writes every query and answer out: names of children, and a hundred lines a study.
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    keep_few_pools()
    config = place.config()
    if config.replica.role == "replica":
        from install.second import follow

        follow(config, say=click.echo)
        return
    from install.box import run

    run(config, say=click.echo)
