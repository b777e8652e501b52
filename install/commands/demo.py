"""`yelen demo`: a hospital that works by itself, to look at."""

from __future__ import annotations

from pathlib import Path

import click

from install.french import FrenchCommand
from install.place import Place, with_place


@click.command(cls=FrenchCommand, help="Ouvrir un hôpital de démonstration : tout y est faux, sauf le logiciel.")
@click.option("--speed", default=60.0, metavar="N", help="combien de fois plus vite que la vraie vie")
@with_place
def demo(place: Place, speed: float) -> int:
    from install.demo.hospital import run  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return int(run(Path(place.data), speed, place.settings) or 0)
