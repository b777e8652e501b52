"""3. Ordre: which exam, who asks, why, and a time in a room."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from textual.widget import Widget

from core.errors import BadInput
from core.i18n import _
from core.model.order import Exam, OrderDraft, Slot, Urgency
from core.model.patient import Patient
from core.model.worklist import ExamLine
from core.rpc import contract as c
from tui.dialogs.choice import Choice, lettered
from tui.dialogs.entry import number
from tui.forms import Field, Form
from tui.paper import print_convocation
from tui.screens.base import Desk
from tui.stroke import Stroke
from tui.widgets.cells import safe
from tui.widgets.lines import Line
from tui.widgets.page import Fetched
from tui.widgets.virtual_list import VirtualList


@dataclass(frozen=True)
class Time:
    """A line of the agenda: a slot, written once."""

    slot: Slot
    text: str


class OrderScreen(Desk):
    """Fields above, slots below. F4 goes to the slots and back; F9 saves."""

    kind = "order"
    head_rows = 7

    def __init__(self, patient: Patient) -> None:
        super().__init__()
        self.patient = patient
        self.form = _form(patient.ward)
        self.exam: Exam | None = None
        self.room = ""
        self.day = date.min
        self.slots: list[Time] = []
        self.saved: ExamLine | None = None
        self.warnings: tuple[str, ...] = ()
        self._key = secrets.token_hex(8)

    def body(self) -> Iterable[Widget]:
        self.list: VirtualList[Time] = VirtualList(self._page, lambda t: t.text, lambda t: t.slot.at, "slots")
        yield self.list

    async def _page(self, top: int, n: int) -> Fetched[Time]:
        return Fetched(top, self.slots[top : top + n], len(self.slots))

    async def prepare(self) -> None:
        self.day = self.core.today()

    # What is said.

    def title_text(self) -> str:
        born = self.patient.age_long(self.core.today())
        return _("Ordre  %s %s %s  %s") % (
            safe(self.patient.name), born, self.patient.demographics.sex, self.patient.number,
        )  # fmt: skip

    def head(self) -> Sequence[Line]:
        return [*self.form.lines(), "-" * 80, self._agenda()]

    def _agenda(self) -> str:
        if self.exam is None:
            return _("RENDEZ-VOUS   choisir d'abord l'examen (F3)")
        day = f"{self.day:%d/%m/%Y}"
        return _("RENDEZ-VOUS   %s   %s   gauche/droite = jour   F4 = autre salle") % (self.room or "-", day)

    def lower(self) -> Sequence[Line]:
        exam = self.exam
        lines = ["-" * 80]
        if exam is not None and exam.preparation:
            lines.append(_("Consignes sur la convocation : %s") % safe(exam.preparation))
        if exam is not None and exam.needs_vetting:
            lines.append(_("Cet examen est à protocoler : le créneau est un souhait (sauf urgence)."))
        checks = [f"[!!] {safe(w)}" for w in self.warnings] or (
            [_("[ok] pas d'examen identique < 7 j")] if exam else []
        )
        return [*lines, *checks][:4]

    def status(self) -> str:
        if self.saved is not None:
            when = self.core.hour(self.saved.scheduled_at) or _("sans rendez-vous")
            facts = (self.saved.accession_number, self.saved.room, when)
            return " " + _("Enregistré : demande %s, %s %s.   F7 = convocation") % facts
        missing = [f.label.strip() for f in self.form.fields if f.name in _DUTIES and not f.value.strip()]
        if missing:
            return " " + _("Obligatoires manquants : %s") % ", ".join(missing)
        return " " + _("Rien ne manque : F9 enregistre et attribue le numéro de demande")

    def impossible(self) -> Collection[str]:
        return ["exam", "slot", "save"] if self.saved else ["print"]

    def why_not(self, verb: str) -> str:
        if verb == "print" and self.saved is None:
            return _("Enregistrer d'abord (F9).")
        if verb in ("exam", "slot", "save") and self.saved is not None:
            return _("Déjà enregistré : demande %s.") % self.saved.accession_number
        if verb == "slot" and self.exam is None:
            return _("Choisir d'abord l'examen (F3).")
        return ""

    # Keys.

    def receive(self, stroke: Stroke) -> bool:
        if self.saved is not None:
            return False
        return self._among_slots(stroke) if not self.form.active else self._among_fields(stroke)

    def _among_fields(self, stroke: Stroke) -> bool:
        leaves_exam = self.form.current.name == "exam" and stroke.key in ("enter", "tab", "shift+tab")
        if leaves_exam and not self._is_chosen():
            self.verb(self._find_exam(self.form.value("exam")))
            return True
        if stroke.key in ("escape", "up", "down") or not self.form.take(stroke):
            return False
        self.draw()
        return True

    def _among_slots(self, stroke: Stroke) -> bool:
        target = self.list.page.target(stroke.key)
        if target is not None:
            if self.list.page.holds(target):
                self.list.move(target)
            elif self.slots:
                self.verb(self.list.load(target))
            return True
        if stroke.key in ("left", "right"):
            self.day += timedelta(days=1 if stroke.key == "right" else -1)
            self.verb(self._read_slots())
            return True
        if stroke.key in ("tab", "enter", "shift+tab"):
            self._to_fields()
            return True
        return False

    def _to_fields(self) -> None:
        self.form.active = True
        self.draw()

    def _is_chosen(self) -> bool:
        return self.exam is not None and self.form.value("exam") == self.exam.label

    async def _find_exam(self, text: str) -> None:
        """By code or beginning of a name; a choice when several fit."""
        found = await self.core.ask(c.FindExams(text))
        if not found:
            raise BadInput(_("Aucun examen ne commence ainsi : %s") % text, "exam")
        exam = found[0]
        if len(found) > 1:
            exam = await self.ask(Choice(_("Examen"), lettered([(e.label, e) for e in found])))
        self.exam = exam
        self.form["exam"].put(exam.label)
        self.form.go("side" if exam.needs_side else "urgency")
        self.room = exam.rooms[0] if exam.rooms else ""
        self.warnings = await self.core.ask(c.OrderWarnings(self._draft(checked=False)))
        await self._read_slots()

    async def _read_slots(self) -> None:
        """The room's day; the cursor goes to the proposed slot."""
        code = self.exam.code if self.exam else ""
        urgency = str(self._urgency())
        found = await self.core.ask(c.GetSlots(self.room, self.day, code, urgency)) if self.room else ()
        self.slots = [Time(slot, self._written(slot)) for slot in found]
        proposed = next((i for i, t in enumerate(self.slots) if t.slot.proposed), 0)
        await self.list.load(proposed)

    def _written(self, slot: Slot) -> str:
        hour = self.core.hour(slot.at)
        if slot.taken_by:
            return f"  {hour} ######## {safe(slot.taken_by)}"
        return f"  {hour} . " + _("libre") + ("          <- " + _("proposé") if slot.proposed else "")

    def _urgency(self) -> Urgency:
        typed = self.form.value("urgency").upper() or "N"
        if typed not in set(Urgency):
            raise BadInput(_("Urgence : N, U ou V."), "urgency")
        return Urgency(typed)

    def _draft(self, checked: bool = True) -> OrderDraft:
        chosen = self.list.current
        free = chosen is not None and (not chosen.slot.taken_by or self._urgency() is not Urgency.NORMAL)
        return OrderDraft(
            patient_id=self.patient.id,
            exam_code=self.exam.code if self.exam else "",
            prescriber=self.form.value("prescriber"),
            indication=self.form.value("indication"),
            urgency=self._urgency() if checked else Urgency.NORMAL,
            ward=self.form.value("ward"),
            room=self.room,
            scheduled_at=chosen.slot.at if chosen is not None and free else None,
            side=self.form.value("side").upper().replace("-", ""),
            weight_kg=number(self.form.value("weight"), "weight"),
            idempotency_key=self._key,
        )

    async def act_exam(self) -> None:
        found = await self.core.ask(c.Catalogue())
        if not found:
            raise BadInput(_("Le catalogue des examens est vide."))
        family = await self.ask(Choice(_("Modalité"), lettered([(m, m) for m in sorted({e.modality for e in found})])))
        fitting = [(e.label, e) for e in found if e.modality == family]
        chosen = await self.ask(Choice(_("Examen"), lettered(fitting)))
        await self._find_exam(chosen.code)

    async def act_slot(self) -> None:
        if self.form.active:
            self.form.active = False
            return
        rooms = list(self.exam.rooms) if self.exam else []
        if len(rooms) > 1:
            self.room = rooms[(rooms.index(self.room) + 1) % len(rooms)] if self.room in rooms else rooms[0]
            await self._read_slots()

    async def act_save(self) -> None:
        """F9 with a duty missing goes to the first missing field and says why."""
        missing = next((f for f in self.form.fields if f.name in _DUTIES and not f.value.strip()), None)
        if missing is not None:
            self._go(missing.name)
            raise BadInput(_("Il manque : %s.") % missing.label.strip(), missing.name)
        if not self._is_chosen():
            await self._find_exam(self.form.value("exam"))
        self._refuse_a_taken_slot()
        try:
            self.saved = await self.core.ask(c.PlaceOrder(self._draft()))
        except BadInput as error:
            self._go(error.field)
            raise
        self.form.active = False

    def _refuse_a_taken_slot(self) -> None:
        """The cursor is on somebody's time while others are free: never an order without appointment by accident."""
        chosen = self.list.current
        taken = chosen is not None and bool(chosen.slot.taken_by) and self._urgency() is Urgency.NORMAL
        if taken and not all(time.slot.taken_by for time in self.slots):
            self.form.active = False
            raise BadInput(_("Ce créneau est pris : en choisir un libre."))

    async def act_back(self) -> None:
        if self.saved is not None:
            await self.terminal.back()
        else:
            await self.abandon(self.form)

    def _go(self, name: str) -> None:
        self.form.active = True
        if any(f.name == name for f in self.form.fields):
            self.form.go(name)

    async def act_print(self) -> None:
        assert self.saved is not None
        self.say(await print_convocation(self, self.saved.step_id))


_DUTIES = ("exam", "prescriber", "indication")


def _form(ward: str) -> Form:
    fields = [
        Field("exam", _("Examen  "), 0, 0, 24, after=_("(code ou début du nom)"), upper=True),
        Field("side", _("Côté    "), 1, 0, 1, upper=True),
        Field("urgency", _("Urgence"), 1, 16, 1, "N", after="N/U/V", upper=True),
        Field("prescriber", _("Demandeur"), 1, 34, 16),
        Field("ward", _("Service"), 1, 64, 6, ward, upper=True),
        Field("indication", _("Motif   "), 2, 0, 69),
        Field("weight", _("Poids   "), 3, 0, 6, after="kg", only="0123456789,."),
    ]
    return Form(fields, 5)
