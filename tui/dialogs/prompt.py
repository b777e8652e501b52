"""What every question has: lines to draw, strokes to take, and an answer or none."""

from __future__ import annotations

from typing import Generic, TypeVar

from core.i18n import _
from tui.stroke import Stroke
from tui.widgets.lines import Line

T = TypeVar("T")


class Dismissed(Exception):
    """The question was left without an answer (F10, Escape)."""


class Prompt(Generic[T]):
    """A question. `take` returns True once `answer` (or `dismissed`) is set."""

    def __init__(self) -> None:
        self.answer: T | None = None
        self.dismissed = False

    def lines(self) -> list[Line]:
        """At most four lines."""
        raise NotImplementedError

    def take(self, stroke: Stroke) -> bool:
        if stroke.key == "escape":
            self.dismissed = True
            return True
        return self.receive(stroke)

    def receive(self, stroke: Stroke) -> bool:
        raise NotImplementedError

    def status(self) -> str:
        return _(" Entrée = valider   F10 = annuler")
