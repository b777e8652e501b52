"""`yelen tui`: a terminal of the department, in a process of its own.

People at the terminals may open the socket and read nothing of the data folder: what a terminal shows, its language
included, comes through the socket.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from core.config import FILE_NAME
from install.french import FrenchCommand
from install.place import Place, with_place

SERVICE_SOCKET = Path("/run/yelen/yelen.sock")  # of the box that systemd keeps: install/README.md


@click.command(cls=FrenchCommand, help="Ouvrir le terminal.")
@click.option("--post", default="", metavar="POSTE", help="nom du poste (accueil-1, scanner…)")
@click.option(
    "--socket",
    "socket",
    metavar="CHEMIN",
    type=click.Path(path_type=Path),
    default=None,
    help=f"prise du serveur, sans lire le dossier des données (sans dossier nommé : {SERVICE_SOCKET} s'il existe)",
)
@with_place
def tui(place: Place, post: str, socket: Path | None) -> int:
    from tui import run

    return run(socket.absolute() if socket else _socket_of(place), post)


def _socket_of(place: Place) -> Path:
    """That of the folder, which must be readable; when nobody named a folder and none is here, that of the service."""
    if not place.is_named and not os.path.exists(place.data / FILE_NAME) and os.path.exists(SERVICE_SOCKET):
        return SERVICE_SOCKET
    return place.config().socket
