"""`yelen conformance`: the DICOM conformance statement, made from the tables that the door itself uses."""

from __future__ import annotations

from pathlib import Path

import click

from core.dicom.statement import statement
from core.errors import BadInput
from core.i18n import _
from install.french import FrenchCommand
from install.place import Place, with_place

BEGIN, END = "<!-- conformance: yelen conformance --into -->\n", "<!-- /conformance -->\n"


@click.command(
    cls=FrenchCommand,
    help="Déclaration de conformité DICOM : ce que Yelen parle et répond, pour ceux qui branchent les machines.",
)
@click.option(
    "--into",
    "page",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="la récrire entre ses deux marques dans cette page",
)
@with_place
def conformance(_place: Place, page: Path | None) -> None:
    if page is None:
        click.echo(statement(), nl=False)
        return
    page.write_text(stated(page.read_text("utf-8")), "utf-8")
    click.echo(_("Déclaration récrite dans %s.") % page)


def stated(page: str) -> str:
    """A page with the statement between its marks. Raises `BadInput` when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise BadInput(_("Cette page n'a pas les marques de la déclaration de conformité."), "into")
    return f"{before}{BEGIN}\n{statement()}\n{END}{after}"
