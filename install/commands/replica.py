"""`yelen replica`: the second building."""

from __future__ import annotations

from typing import Any

import click

from core.i18n import _
from core.rpc.contract import Status
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach
from install.table import show


@click.group(cls=FrenchGroup, help="Second bâtiment.")
def replica() -> None: ...


@replica.command(help="Où en est la copie.")
@click.option("--text", is_flag=True, help="tabulations, sans titre")
@with_place
def status(place: Place, text: bool) -> None:
    wanted = place.config().replica
    with reach(place) as box:
        told: dict[str, Any] = box.ask(Status())["replica"]
    limit = _("%d ko/s") % wanted.bandwidth_kbps if wanted.bandwidth_kbps else _("sans limite")
    rows: list[tuple[str, object]] = [
        (_("rôle"), told.get("role", wanted.role)),
        (_("cible"), wanted.target or _("aucune")),
        (_("un envoi toutes les"), _("%d s") % wanted.interval_s),
        (_("débit"), limit),
        *((name, value) for name, value in told.items() if name not in ("role", "target")),
    ]
    show((_("QUOI"), _("VALEUR")), rows, text)
