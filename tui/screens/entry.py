"""Who is there: login with name and password, or the code of a locked post. Nothing of a patient is on this screen."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Sequence
from typing import Any

from core.i18n import _
from core.rpc import contract as c
from tui.forms import Field, Form
from tui.screens.base import Desk
from tui.stroke import Stroke
from tui.widgets.lines import Line


class EntryScreen(Desk):
    """Login when `person` is None or their session is lost, else the code that unlocks their post."""

    kind = "entry"
    head_rows = 12
    lower_rows = 0

    def __init__(self, person: c.Person | None = None, lost: bool = False) -> None:
        super().__init__()
        self._person = person
        self._has_code = person is not None and not lost
        self._by_code = self._has_code
        if lost:
            self.notice = " " + _("La session a pris fin : identifiez-vous pour revenir au même endroit.")
        self.form = self._code_form() if self._by_code else self._login_form(person.name if person else "")

    def _login_form(self, name: str) -> Form:
        fields = [
            Field("name", _("Identifiant  "), 6, 20, 24, name),
            Field("password", _("Mot de passe "), 8, 20, 24, secret=True),
        ]
        form = Form(fields, self.head_rows)
        if name:
            form.go("password")
        return form

    def _code_form(self) -> Form:
        return Form([Field("code", _("Code PIN     "), 6, 20, 24, secret=True)], self.head_rows)

    def title_text(self) -> str:
        welcome = self.core.client.link.welcome
        return welcome.hospital if welcome else ""

    def head(self) -> Sequence[Line]:
        lines = self.form.lines()
        if self._person is not None:
            who = self._person.full_name or self._person.name
            locked = _("Poste verrouillé par %s") % who
            lost = _("Une autre personne abandonne ce que %s n'a pas enregistré.") % who
            lines[4] = " " * 20 + locked if self._by_code else "  " + lost
        return lines

    def status(self) -> str:
        link = self.core.client.link
        if not link.up:
            return " " + (link.why or _("Serveur arrêté : nouvel essai dans quelques secondes."))
        if self._by_code:
            return " " + _("Code PIN, puis Entrée   F10 = autre personne")
        return " " + (_("Entrée = valider   F10 = retour au code PIN") if self._has_code else _("Entrée = valider"))

    def impossible(self) -> Collection[str]:
        return ["back"] if self._person is not None else []  # the status line says what F10 does

    def receive(self, stroke: Stroke) -> bool:
        if stroke.key == "escape":
            return False
        if stroke.key in ("enter", "f9") and self.form.is_last:
            self.verb(self._enter())
            return True
        taken = self.form.take(stroke)
        self.draw()
        return taken

    async def _enter(self) -> None:
        secret = self.form.fields[-1]
        typed = secret.value
        secret.put("")
        client = self.core.client
        if self._by_code:
            person = await self.core.ask(c.Unlock(typed))
        else:
            person = await self.core.ask(c.Login(self.form.value("name"), typed))
        await self.terminal.enter(client.entered(person))

    def act_back(self) -> Coroutine[Any, Any, None] | None:
        if self._person is None:
            self.terminal.exit(0)
        elif self._has_code:
            self._by_code = not self._by_code
            self.form = self._code_form() if self._by_code else self._login_form("")
        return None
