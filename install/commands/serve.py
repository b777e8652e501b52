"""`yelen serve`: the box."""

from __future__ import annotations

import logging
import os

import click

from install.french import FrenchCommand
from install.place import Place, with_place


@click.command(
    cls=FrenchCommand, help="Ouvrir le serveur ; une ligne « prêt … » quand tout écoute. Ctrl-C ou SIGTERM : arrêt."
)
@with_place
def serve(place: Place) -> None:
    from install.box import run

    logging.basicConfig(
        level=os.environ.get("YELEN_LOG", "INFO").upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    run(place.config(), say=click.echo)
