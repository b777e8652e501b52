"""Lists as plain text: one line a row, aligned for eyes, or tabs for scripts and braille; one shape of command."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from core.config import Site
from core.i18n import _
from install.french import FrenchGroup
from install.place import Place, with_place
from install.reach import reach


@dataclass(frozen=True, slots=True)
class Table:
    """headings: French, for eyes; a row holds values as they are."""

    headings: Sequence[str]
    rows: Iterable[Sequence[object]]


Read = Callable[..., Table]  # (box: Reach, site: Site, **options) -> Table


def lists(group: FrenchGroup | click.Group, help_text: str, name: str = "list") -> Callable[[Read], Read]:
    """The command of `group` that prints what `read(box, site, …)` finds; click options may stand below."""

    def add(read: Read) -> Read:
        @click.option("--text", is_flag=True, help="tabulations, sans titre")
        @with_place
        def command(place: Place, text: bool, **options: Any) -> None:
            site = place.config().site
            with reach(place) as box:
                table = read(box, site, **options)
            show(table.headings, table.rows, text)

        params = getattr(read, "__click_params__", [])
        command.__click_params__ = [*command.__click_params__, *params]  # type: ignore[attr-defined]
        group.command(name=name, help=help_text)(command)
        return read

    return add


def moment(at: datetime | None, site: Site) -> str:
    """`24/11 08:30`, on the walls of the site."""
    return f"{site.local(at):%d/%m %H:%M}" if at else ""


def show(headings: Sequence[str], rows: Iterable[Sequence[object]], plain: bool = False) -> None:
    """Print a table; `plain` puts tabs between values and no heading."""
    cells = [[_cell(value) for value in row] for row in rows]
    if plain:
        for row in cells:
            click.echo("\t".join(row))
        return
    widths = [max(map(_width, column)) for column in zip(headings, *cells, strict=True)]
    for row in [list(headings), *cells]:
        click.echo(
            "  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def _cell(value: object) -> str:
    """One line, whatever the value holds."""
    if value is True:
        return _("oui")
    if value is None or value is False:
        return "-"
    if isinstance(value, (tuple, frozenset)):
        value = ",".join(str(item) for item in value)
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return text or "-"


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.combining(c) > 0 for c in text)
    return len(text) + wide - marks
