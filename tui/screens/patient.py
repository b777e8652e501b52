"""2. Patient: registration, with the patients who may be the same child proposed while typing. Never a merge."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from core.errors import BadInput, Conflict
from core.i18n import _
from core.model import birth
from core.model.names import fold
from core.model.patient import Candidate, Demographics, Patient
from core.rpc import contract as c
from tui.dialogs import entry
from tui.dialogs.choice import Choice, Option
from tui.forms import Field, Form
from tui.screens.base import Desk
from tui.stroke import Stroke
from tui.widgets.cells import fit, safe
from tui.widgets.lines import BOLD, PLAIN, REVERSE, Line

TYPING_SECONDS = 0.3  # a pause in typing asks for look-alikes
SHOWN = 4
PROPOSED = 8


class PatientScreen(Desk):
    """The form above, look-alikes in the middle, the comparison below. Arrows choose a look-alike, Enter takes it."""

    kind = "patient"
    head_rows = 17

    def __init__(self, typed: str = "") -> None:
        super().__init__()
        self.form = _form(typed)
        self.candidates: tuple[Candidate, ...] = ()
        self.at = -1  # no row is chosen until an arrow is pressed: Enter must never take a child by accident
        self._warned = False
        self._asked = 0
        self._key = secrets.token_hex(8)

    async def prepare(self) -> None:
        self._propose_soon()

    def title_text(self) -> str:
        return _("Patient  Nouveau")

    # What is said.

    def head(self) -> Sequence[Line]:
        return [*self.form.lines(), "-" * 80, *self._proposals(), "-" * 80, *self._comparison()]

    def _proposals(self) -> list[Line]:
        if not self.candidates:
            return ["", "", "", "", "", ""]
        count = len(self.candidates)
        first = _("!! %d PATIENTS RESSEMBLANTS — flèches pour choisir, ou F9 deux fois pour créer") % count
        if count == 1:
            first = _("!! 1 PATIENT RESSEMBLANT — flèches pour choisir, ou F9 deux fois pour créer")
        titles = _("  Score IPP        Nom, prénom             Né(e)      S Mère            Dernier")
        start = max(0, min(self.at - SHOWN + 1, count - SHOWN)) if self.at >= SHOWN else 0
        rows = [self._candidate(i) for i in range(start, min(count, start + SHOWN))]
        return [[(first, BOLD)], titles, *rows, *[""] * (SHOWN - len(rows))]

    def _candidate(self, index: int) -> Line:
        one = self.candidates[index]
        patient, known = one.patient, one.patient.demographics
        score = f"{one.score:.2f} ".replace(".", ",") if one.score else "     "
        last = f"{patient.last_exam_at:%m/%Y}" if patient.last_exam_at else _("jamais")
        text = " ".join(
            (
                ">" if index == self.at else " ",
                score,
                fit(patient.number, 10),
                fit(patient.name, 23),
                fit(known.birth.shown(), 10),
                fit(known.sex.replace("O", "I"), 1),
                fit(patient.mother, 15),
                last,
            )
        )
        return [(text, REVERSE if index == self.at else PLAIN)]

    def _comparison(self) -> list[Line]:
        if self.at < 0:
            return []
        patient = self.candidates[self.at].patient
        known = patient.demographics
        pairs = (
            (_("Nom"), self.form.value("family"), known.family_name),
            (_("Prénom"), self.form.value("given"), known.given_names),
            (_("Né(e)"), self.form.value("birth") or self.form.value("age"), known.birth.shown()),
            (_("Mère"), self.form.value("mother"), patient.mother),
            (_("Téléphone"), self.form.value("phone"), known.guardian_phone),
        )
        return [f"{fit(word, 12)} {fit(a, 26)} {fit(b, 26)} {verdict(a, b)}" for word, a, b in pairs]

    def lower(self) -> Sequence[Line]:
        if self.at >= 0:
            reasons = ", ".join(self.candidates[self.at].reasons)
            return ["", _("Se ressemblent : %s.") % reasons if reasons else ""]
        return (
            ["", _("Créer malgré des ressemblances demande un motif (écrit dans l'audit).")] if self.candidates else []
        )

    def status(self) -> str:
        if self.at >= 0:
            return " " + _("Entrée = prendre ce patient   Tab = revenir aux champs")
        return " " + _("Tab = champ suivant   Flèches = choisir un patient   Doublons à la frappe")

    # Keys.

    def receive(self, stroke: Stroke) -> bool:
        if stroke.key in ("up", "down") and self.candidates:
            step = 1 if stroke.key == "down" else -1
            self._choose(max(-1, min(self.at + step, len(self.candidates) - 1)))
            return True
        if stroke.key == "enter" and self.at >= 0:
            self.verb(self._take(self.candidates[self.at].patient))
            return True
        if stroke.key == "tab" and self.at >= 0:
            self._choose(-1)
            return True
        if stroke.key in ("escape", "up", "down"):
            return False
        before = [f.value for f in self.form.fields]
        if not self.form.take(stroke):
            return False
        self._choose(-1)
        if before != [f.value for f in self.form.fields]:
            self._warned = False
            self._propose_soon()
        return True

    def _choose(self, index: int) -> None:
        self.at = index
        self.form.active = index < 0
        self.draw()

    def _propose_soon(self) -> None:
        self._asked += 1
        self.terminal.aside(self._propose(self._asked))

    async def _propose(self, asked: int) -> None:
        """Look-alikes of what is typed, after a pause; an answer that comes too late is not shown."""
        await asyncio.sleep(TYPING_SECONDS)
        if asked != self._asked:
            return
        if len(self.form.value("family")) < 2:
            found: tuple[Candidate, ...] = ()
        else:
            found = await self.core.ask(c.ProposePatients(self._typed(lenient=True), PROPOSED))
        if asked == self._asked and self.at < 0:
            self.candidates = found
            self.draw()

    def _typed(self, lenient: bool = False) -> Demographics:
        """What the form says. lenient: while typing, an unfinished date is no date."""
        value = self.form.value
        try:
            born = birth.parse(value("birth") or value("age"), self.core.today())
        except BadInput:
            if not lenient:
                raise
            born = birth.UNKNOWN
        mother_family, mother_given = split_name(value("mother"))
        return Demographics(
            family_name=value("family"),
            given_names=value("given"),
            birth=born,
            sex=value("sex").upper().replace("I", "O")[:1],
            mother_family_name=mother_family,
            mother_given_names=mother_given,
            birth_order=int(value("rank")) if value("rank") else None,
            guardian_phone=value("phone"),
            address=value("address"),
            national_id=value("nip"),
        )

    async def _take(self, patient: Patient) -> None:
        """The flow of reception: the patient is known now, the order comes next."""
        from tui.screens.order import OrderScreen

        await self.terminal.replace(OrderScreen(patient))

    async def act_back(self) -> None:
        await self.abandon(self.form)

    async def act_save(self) -> None:
        try:
            typed = self._typed().cleaned()
        except BadInput as error:
            self.form.go({"birth": "birth", "sex": "sex"}.get(error.field, "family"))
            raise
        reason = ""
        if self._warned:
            asked = await self.ask(entry.reason(_("Créer un nouveau patient malgré les ressemblances ?")))
            reason = asked["reason"]
        try:
            patient = await self.core.ask(c.Register(typed, reason, self._key))
        except Conflict:
            self._warned = True
            self.candidates = await self.core.ask(c.ProposePatients(typed, PROPOSED))
            raise
        await self._take(patient)

    async def act_search(self) -> None:
        asked = await self.ask(entry.Entry(_("Chercher"), [Field("text", _("Nom, numéro, tél"), 0, 0, 40)]))
        found = await self.core.ask(c.SearchPatients(asked["text"], 50))
        self._asked += 1  # an answer to earlier typing must not replace what was searched
        self.candidates = tuple(Candidate(patient, 0.0) for patient in found)
        self._choose(0 if found else -1)
        if not found:
            self.say(_("Aucun patient trouvé."))

    async def act_unknown(self) -> None:
        options = [Option("F", _("féminin"), "F"), Option("G", _("garçon"), "M"), Option("I", _("inconnu"), "")]
        sex = await self.ask(Choice(_("Urgence sans identité : sexe"), options))
        await self._take(await self.core.ask(c.RegisterUnknown(sex)))

    async def act_take(self) -> None:
        raise BadInput(_("Choisir d'abord une ligne avec les flèches."))


def _form(typed: str) -> Form:
    family, given = split_name(typed) if not any(ch.isdigit() for ch in typed) else ("", "")
    fields = [
        Field("nip", "NIP/CNIB", 0, 27, 14),
        Field("phone", "Tél", 0, 54, 18),
        Field("family", "Nom     ", 1, 0, 24, family, upper=True),
        Field("given", "Prénom", 1, 37, 24, given),
        Field("birth", "Né(e) le", 2, 0, 12),
        Field("age", "ou âge", 2, 24, 6, after="a/m/j"),
        Field("sex", "Sexe", 2, 47, 1, after="F/M/I", upper=True),
        Field("rank", "Jumeau", 2, 63, 1, after="rang", only="123456789"),
        Field("mother", "Mère    ", 3, 0, 24),
        Field("address", "Secteur", 3, 37, 24),
    ]
    form = Form(fields, 4, [(0, 0, "IPP      [ (auto)     ]")])
    form.go("given" if family else "family")
    return form


def split_name(text: str) -> tuple[str, str]:
    """« SAWADOGO Mariam »: the words in capitals are the family name, or the first word when none or all are."""
    words = text.split()
    capitals = [w for w in words if w.isupper() and len(w) > 1]
    if not capitals or len(capitals) == len(words):
        return " ".join(words[:1]), " ".join(words[1:])
    return " ".join(capitals), " ".join(w for w in words if w not in capitals)


def verdict(typed: str, known: str) -> str:
    """`=`, `~` (same without accents) or DIFFERENT; nothing when one is missing: it proves nothing."""
    if not typed or not known:
        return ""
    if typed == known:
        return "="
    if fold(typed) == fold(known) or safe(typed).casefold() == safe(known).casefold():
        return "~"
    return _("DIFFERENT")
