"""F1: one page, made from the table of keys."""

from __future__ import annotations

from collections.abc import Sequence

from core.i18n import _
from tui import keys
from tui.screens.base import Desk
from tui.stroke import Stroke
from tui.widgets.cells import fit
from tui.widgets.lines import Line


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
        lines = [f" {fit(k.cap, 7)} {fit(k.long or k.word, 12)} {k.help}" for k in keys.keymap(self.about)]
        moves = [
            _("Flèches, PgPréc, PgSuiv, Début, Fin : se déplacer. Tab, Maj+Tab : champ suivant, précédent."),
            _("Échap fait comme F10. Une touche impossible maintenant est absente en bas, et dit pourquoi."),
        ]
        return ["", *lines, "", *(" " + line for line in moves)]

    def status(self) -> str:
        return " " + _("Toute touche = retour")

    def receive(self, stroke: Stroke) -> bool:
        self.verb(self.terminal.back())
        return True
