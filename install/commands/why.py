"""`yelen why`: why an exam is not on a machine's worklist, and one action that puts it there."""

from __future__ import annotations

import click

from core.i18n import _
from core.model.why import Relax
from core.rpc.contract import RelaxMachine, WhyNotThere
from install.french import FrenchCommand
from install.place import Place, with_place
from install.reach import reach


@click.command(cls=FrenchCommand, help="Pourquoi un examen n'est-il pas sur la machine ?")
@click.argument("accession", metavar="NUMERO")
@click.option("--device", "ae_title", default="", help="titre AE d'une machine ; sinon toutes")
@click.option("--relax", type=click.Choice([str(how) for how in Relax]), default=None, help="agir, pour cette machine")
@with_place
def why(place: Place, accession: str, ae_title: str, relax: str | None) -> None:
    if relax is not None and not ae_title:
        raise click.UsageError(_("--relax demande --device."))
    with reach(place) as box:
        if relax is not None:
            click.echo(box.ask(RelaxMachine(accession, ae_title, Relax(relax))))
            return
        found = box.ask(WhyNotThere(accession, ae_title))
    for answer in found:
        keys = " ".join(f"--relax {how}" for how in answer.relax)
        click.echo(answer.sentence + (f"  [{keys}]" if keys else ""))
