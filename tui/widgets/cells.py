"""Text measured in terminal cells, never in code points: names come from DICOM and HL7 and may hold anything."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len, set_cell_size

from core.model.names import clean

R = TypeVar("R")


def safe(text: str) -> str:
    """NFC, without control characters, terminal escapes or invisible direction marks: what may be drawn."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in clean(text) if unicodedata.category(c)[0] != "C")


def fit(text: str, width: int, right: bool = False) -> str:
    """The text in exactly `width` cells, cut or padded; a wide character cut in half becomes a space."""
    text = safe(text)
    if right and cell_len(text) < width:
        return " " * (width - cell_len(text)) + text
    return set_cell_size(text, width)


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """A column of a list: its title, its width in cells, and what it shows of a row."""

    title: str
    width: int
    value: Callable[[R], str]
    right: bool = False


def heading(columns: Sequence[Column[R]]) -> str:
    return " ".join(fit(c.title, c.width, c.right) for c in columns)


def line_of(columns: Sequence[Column[R]], row: R) -> str:
    return " ".join(fit(c.value(row), c.width, c.right) for c in columns)


def wrap(sentence: str, width: int) -> list[str]:
    """Lines of at most `width`, cut between words where that is possible."""
    lines = [""]
    for word in sentence.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
