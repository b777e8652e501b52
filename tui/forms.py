"""Fields on a screen: where they stand, what is typed, which one has the cursor. Pure: strokes in, lines out."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from tui.stroke import Stroke
from tui.widgets.cells import fit, safe
from tui.widgets.lines import BOLD, PLAIN, REVERSE, Line, Run

LONGEST = 4_000  # characters in one field


@dataclass(slots=True)
class Field:
    """One field. row, column: where its label begins; width: cells of the value; after: words behind it.

    keep: a value that is shown but cannot be typed. secret: shown as stars. upper: typed in capitals. only: the
    characters that can be typed, "" for all.
    """

    name: str
    label: str
    row: int
    column: int
    width: int
    value: str = ""
    after: str = ""
    keep: bool = False
    secret: bool = False
    upper: bool = False
    brackets: bool = True
    only: str = ""
    cursor: int = field(default=0)

    def __post_init__(self) -> None:
        self.cursor = len(self.value)

    def put(self, value: str) -> None:
        self.value = value
        self.cursor = len(value)

    def insert(self, text: str) -> None:
        """Typed or pasted text at the cursor, composed (NFC): a decomposed é arrives as two keys."""
        text = "".join(c for c in text if c.isprintable() or unicodedata.combining(c))
        if self.only:
            text = "".join(c for c in text if c in self.only)
        if self.width == 1:  # one letter: the last one typed counts
            self.put((text.upper() if self.upper else text).strip()[-1:] or self.value)
            return
        before = self.value[: self.cursor] + (text.upper() if self.upper else text)
        before = unicodedata.normalize("NFC", before)
        self.value = (before + self.value[self.cursor :])[:LONGEST]
        self.cursor = min(len(before), LONGEST)

    def edit(self, key: str) -> bool:
        """A key that edits; whether it was one."""
        match key:
            case "left":
                self.cursor = max(0, self.cursor - 1)
            case "right":
                self.cursor = min(len(self.value), self.cursor + 1)
            case "home":
                self.cursor = 0
            case "end":
                self.cursor = len(self.value)
            case "backspace" if self.cursor:
                self.value = self.value[: self.cursor - 1] + self.value[self.cursor :]
                self.cursor -= 1
            case "backspace":
                pass
            case "delete":
                self.value = self.value[: self.cursor] + self.value[self.cursor + 1 :]
            case _other:
                return False
        return True

    def runs(self, active: bool) -> list[Run]:
        """The field as drawn; the active one in reverse video, its cursor cell not."""
        shown = "*" * len(self.value) if self.secret else safe(self.value)
        beyond = self.cursor - self.width + (self.cursor < len(self.value) or len(self.value) > self.width)
        start = max(0, beyond) if active else 0
        box = fit(shown[start:], self.width)
        opening, closing = ("[", "]") if self.brackets else ("", "")
        label = f"{self.label} " if self.label else ""
        if not active:
            return [(label + opening + box + closing, PLAIN)]
        at = min(cell_len(shown[start : self.cursor]), self.width - 1)
        left, right = fit(box, at), box[len(fit(box, at)) :]
        return [
            (label, BOLD),
            (opening, PLAIN),
            (left, REVERSE),
            (right[:1], PLAIN),
            (right[1:], REVERSE),
            (closing, PLAIN),
        ]


class Form:
    """Fields in the order of Tab, with fixed texts around them."""

    def __init__(self, fields: Sequence[Field], rows: int, texts: Sequence[tuple[int, int, str]] = ()) -> None:
        self.fields, self.rows, self.texts = list(fields), rows, list(texts)
        self.at = next((i for i, f in enumerate(self.fields) if not f.keep), 0)
        self.active = True
        self._start = self._values()

    def _values(self) -> list[str]:
        return [f.value for f in self.fields]

    @property
    def is_touched(self) -> bool:
        """Something differs from what the form began with."""
        return self._values() != self._start

    def __getitem__(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)

    def value(self, name: str) -> str:
        return " ".join(self[name].value.split())

    @property
    def current(self) -> Field:
        return self.fields[self.at]

    @property
    def is_last(self) -> bool:
        return all(f.keep for f in self.fields[self.at + 1 :])

    def go(self, name: str) -> None:
        self.at = next(i for i, f in enumerate(self.fields) if f.name == name)

    def step(self, by: int) -> None:
        """The next field that can be typed in, round and round."""
        for _turn in self.fields:
            self.at = (self.at + by) % len(self.fields)
            if not self.current.keep:
                return

    def take(self, stroke: Stroke) -> bool:
        """A stroke that moves between fields or edits; whether it was one."""
        if stroke.key in ("tab", "enter"):
            self.step(1)
        elif stroke.key == "shift+tab":
            self.step(-1)
        elif self.current.edit(stroke.key):
            pass
        elif stroke.text:
            self.current.insert(stroke.text)
        else:
            return False
        return True

    def lines(self) -> list[Line]:
        pieces: list[list[tuple[int, list[Run]]]] = [[] for _row in range(self.rows)]
        for row, column, text in self.texts:
            pieces[row].append((column, [(safe(text), PLAIN)]))
        for index, one in enumerate(self.fields):
            runs = one.runs(self.active and index == self.at)
            if one.after:
                runs = [*runs, (" " + one.after, PLAIN)]
            pieces[one.row].append((one.column, runs))
        return [_row(sorted(row, key=lambda piece: piece[0])) for row in pieces]


def _row(pieces: Sequence[tuple[int, list[Run]]]) -> list[Run]:
    """Pieces put at their columns on one line."""
    runs: list[Run] = []
    width = 0
    for column, more in pieces:
        if column > width:
            runs.append((" " * (column - width), PLAIN))
            width = column
        runs += more
        width += sum(cell_len(text) for text, _style in more)
    return runs
