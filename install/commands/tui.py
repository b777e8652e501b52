"""`yelen tui`: a terminal of the department, in a process of its own."""

from __future__ import annotations

import os
import sys

import click

from core.errors import YelenError
from core.i18n import _
from install.french import FrenchCommand
from install.place import Place, with_place


@click.command(cls=FrenchCommand, help="Ouvrir le terminal.")
@click.option("--post", default="", metavar="POSTE", help="nom du poste (accueil-1, scanner…)")
@with_place
def tui(place: Place, post: str) -> int:
    from tui.surroundings import is_drawable, prepare

    if not is_drawable(os.environ.get("TERM", ""), sys.stdout.isatty()):
        raise YelenError(_("Ce terminal ne sait pas dessiner un écran : voir « yelen list »."))
    config = place.config()
    prepare()  # before Textual is imported
    from tui.app import Terminal

    return Terminal(config.socket, post).run() or 0
