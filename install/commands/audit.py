"""`yelen audit`: the chain of every act."""

from __future__ import annotations

import click

from core.i18n import _
from core.rpc.contract import VerifyAudit
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import ALL_NIGHT_S, reach


@click.group(cls=FrenchGroup, help="Journal d'audit.")
def audit() -> None: ...


@audit.command(help="Recalculer toute la chaîne : aucune ligne changée, aucune enlevée.")
@with_place
def verify(place: Place) -> int:
    with reach(place) as box:
        verdict = box.ask(VerifyAudit(), ALL_NIGHT_S)
    if verdict.ok:
        click.echo(_("Audit intact : %d lignes.") % verdict.rows)
        return 0
    click.echo(
        _("AUDIT ROMPU à la ligne %s ; %d lignes intactes avant.") % (verdict.first_broken, verdict.rows), err=True
    )
    return 1
