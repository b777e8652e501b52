"""F1: one page, made from the table of keys."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import _
from tui import keys
from tui.screens.base import Desk
from tui.stroke import Stroke
from tui.widgets.cells import fit, wrap
from tui.widgets.lines import Line

TEXT = 57  # columns of the explanation


class HelpScreen(Desk):
    """The keys of one screen. Any key but F12 goes back."""

    kind = "help"
    head_rows = 21
    lower_rows = 0

    def __init__(self, about: str) -> None:
        super().__init__()
        self.about = about

    def title_text(self) -> str:
        return _("Aide")

    def head(self) -> Sequence[Line]:
        lines: list[str] = [""]
        for key in keys.keymap(self.about):
            first, *rest = wrap(key.help, TEXT)
            lines.append(f" {fit(key.cap, 7)} {fit(key.long or key.word, 12)} {first}")
            lines += [" " * 22 + more for more in rest]
        moves = (
            _("Flèches, PgPréc, PgSuiv, Début, Fin : se déplacer. Tab, Maj+Tab : champs."),
            _("Échap fait comme F10. Une touche impossible maintenant est absente en bas"),
            _("et dit pourquoi. Les lettres tapées dans une liste la filtrent aussitôt."),
        )
        return [*lines, "", *(" " + line for line in moves)]

    def status(self) -> str:
        return " " + _("Toute touche = retour")

    def receive(self, stroke: Stroke) -> bool:
        self.verb(self.terminal.back())
        return True
