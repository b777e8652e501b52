"""A choice between a few things, all visible at once: a letter, or arrows and Enter; the default is first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len

from core.i18n import _
from tui.dialogs.prompt import Prompt
from tui.stroke import Stroke
from tui.widgets.cells import safe
from tui.widgets.lines import BOLD, PLAIN, REVERSE, Line, Run

T = TypeVar("T")

# Letters that stand in the same place on AZERTY and QWERTY.
LETTERS = "BCDEFGHIJKLNOPRSTUVXY"
ROWS = 3


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """letter: one of `LETTERS`; word: what is shown; value: what is answered."""

    letter: str
    word: str
    value: T


def lettered(pairs: Sequence[tuple[str, T]]) -> list[Option[T]]:
    """Options with letters given in order, for lists not known beforehand; beyond the letters, arrows remain."""
    return [Option(LETTERS[i : i + 1], word, value) for i, (word, value) in enumerate(pairs)]


class Choice(Prompt[T]):
    """One of the options; the cursor starts on the default."""

    def __init__(self, question: str, options: Sequence[Option[T]], default: int = 0, width: int = 80) -> None:
        super().__init__()
        self.question, self.options, self.at, self.width = question, list(options), default, width

    def lines(self) -> list[Line]:
        """The question and three rows of options around the chosen one."""
        rows: list[list[Run]] = [[]]
        used = chosen = 0
        for index, option in enumerate(self.options):
            text = f" {option.letter} {safe(option.word)} ".replace("   ", " ")
            if used + cell_len(text) > self.width and rows[-1]:
                rows.append([])
                used = 0
            rows[-1].append((text, REVERSE if index == self.at else PLAIN))
            used += cell_len(text)
            chosen = len(rows) - 1 if index == self.at else chosen
        first = max(0, min(chosen - 1, len(rows) - ROWS))
        return [[(safe(self.question), BOLD)], *rows[first : first + ROWS]]

    def receive(self, stroke: Stroke) -> bool:
        if stroke.key in ("left", "up", "shift+tab"):
            self.at = (self.at - 1) % len(self.options)
        elif stroke.key in ("right", "down", "tab"):
            self.at = (self.at + 1) % len(self.options)
        elif stroke.key == "enter":
            self.answer = self.options[self.at].value
            return True
        else:
            return self._by_letter(stroke.text.upper())
        return False

    def _by_letter(self, letter: str) -> bool:
        chosen = next((o for o in self.options if letter and o.letter == letter), None)
        if chosen is None:
            return False
        self.answer = chosen.value
        return True

    def status(self) -> str:
        return _(" Lettre ou flèches, Entrée = valider   F10 = annuler")


class YesNo(Choice[bool]):
    """A confirmation. The default is what Enter takes."""

    def __init__(self, question: str, default: bool = True) -> None:
        options = [Option("O", _("oui"), True), Option("N", _("non"), False)]
        super().__init__(question, options, 0 if default else 1)
