"""Lists as plain text: one line a row, aligned for eyes, or tabs for scripts and braille."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import click


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
        return "oui"
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
