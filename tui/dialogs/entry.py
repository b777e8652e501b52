"""A few fields asked at once: a reason, a code, a dose, a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.errors import BadInput, YelenError
from core.i18n import _
from tui.dialogs.prompt import Prompt
from tui.forms import Field, Form
from tui.stroke import Stroke
from tui.widgets.cells import safe
from tui.widgets.lines import BOLD, Line

Values = dict[str, str]
Check = Callable[[Values], None]


class Entry(Prompt[Values]):
    """Fields under a question. `check` raises `BadInput`, whose sentence is shown and whose field gets the cursor."""

    def __init__(self, question: str, fields: Sequence[Field], check: Check = lambda values: None) -> None:
        super().__init__()
        self.question, self._check, self.fault = question, check, ""
        self.form = Form(fields, rows=1 + max(f.row for f in fields))

    def lines(self) -> list[Line]:
        return [[(safe(self.question), BOLD)], *self.form.lines()]

    def receive(self, stroke: Stroke) -> bool:
        if stroke.key == "f9" or (stroke.key == "enter" and self.form.is_last):
            return self._finish()
        self.form.take(stroke)
        return False

    def _finish(self) -> bool:
        values = {f.name: self.form.value(f.name) for f in self.form.fields}
        try:
            self._check(values)
        except BadInput as error:
            self.fault = str(error)
            if error.field in values:
                self.form.go(error.field)
            return False
        except YelenError as error:
            self.fault = str(error)
            return False
        self.answer = values
        return True

    def status(self) -> str:
        return " " + self.fault if self.fault else super().status()


def reason(question: str) -> Entry:
    """A motive, written in the audit; it may not be empty."""

    def check(values: Values) -> None:
        if len(values["reason"]) < 3:
            raise BadInput(_("Un motif est demandé (écrit dans l'audit)."), "reason")

    return Entry(question, [Field("reason", _("Motif"), 0, 0, 66)], check)


def number(text: str, name: str) -> float | None:
    """A decimal as typed, comma or point; None when empty. Raises `BadInput`."""
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise BadInput(_("Nombre attendu : %s") % text, name) from None
    if not 0 <= value < 1_000_000:
        raise BadInput(_("Nombre impossible : %s") % text, name)
    return value
