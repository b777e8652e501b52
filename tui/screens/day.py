"""1. Accueil: the day's exams, a filter that is typed at once, arrivals."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any

from textual.widget import Widget

from core.errors import BadInput
from core.i18n import _
from core.model.query import DayFilter
from core.model.step import StepEvent
from core.model.worklist import ExamLine, WorklistStatus
from core.rpc import contract as c
from tui import exams
from tui.daylist import DayList
from tui.dialogs import entry
from tui.dialogs.choice import Choice, Option, YesNo
from tui.forms import Field, Form
from tui.paper import print_paper
from tui.screens.base import PANE, Desk
from tui.stroke import Stroke
from tui.widgets.cells import safe
from tui.widgets.lines import Line

TYPING_SECONDS = 0.1  # letters typed faster than this are one question to the core
WEEKDAYS = ("lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim.")


class DayScreen(Desk):
    """The list has the arrows, the filter has the letters."""

    kind = "day"
    head_rows = 3
    has_pane = True

    def __init__(self) -> None:
        super().__init__()
        hint = _("(nom, IPP, n° demande ou code-barres)")
        self._typed = Field("text", _("Filtre>"), 0, 0, 28, brackets=False)
        self._line = Form([self._typed], 1, [(0, 37, hint)])
        self._wanted = 0
        self._typing = False
        self._past: tuple[ExamLine, ...] = ()
        self._past_of = 0

    def body(self) -> Iterable[Widget]:
        self._opened_on = self.core.today()
        self.list = DayList(self.core, DayFilter(self._opened_on), "exams")
        yield self.list

    def topics(self) -> tuple[str, ...]:
        return (f"day:{self.list.filter.day}",)

    async def prepare(self) -> None:
        await self.list.load(self.list.page.cursor)

    async def returned(self) -> None:
        await self.list.refresh_all()

    async def changed(self, changes: tuple[c.Change, ...] | None) -> None:
        await self.list.apply(changes)

    # What is said.

    def title_text(self) -> str:
        wanted = self.list.filter
        self.as_of = self.list.as_of
        day = f"{WEEKDAYS[wanted.day.weekday()]} {wanted.day:%d/%m/%Y}"
        room = wanted.room or _("toutes")
        state = WorklistStatus(wanted.status).word if wanted.status else _("tous")
        return _("Accueil  %s   Salle:%s  Etat:%s") % (day, room, state)

    def head(self) -> Sequence[Line]:
        return [*self._line.lines(), self.list.heading(), "-" * 80]

    def lower(self) -> Sequence[Line]:
        exam = self.list.current
        if exam is None:
            said = [_("Aucun examen.") if self.list.page.known else "", ""]
        else:
            said = exams.detail(self.core, exam)
        return ["-" * 80, *said, self._second_building()]

    def _second_building(self) -> str:
        return safe(self.terminal.second_building).rjust(79)

    def status(self) -> str:
        page = self.list.page
        if not page.known:
            return " " + _("Lecture de la liste…")
        place = page.cursor + 1 if page.count else 0
        pages = _("page %d/%d") % (page.number, page.pages)
        text = f" {place}/{page.count}  {pages}   " + _("PgPréc/PgSuiv   Entrée = ouvrir")
        if self._day_is_over():
            return text + "   " + _("Nouveau jour (F5)")
        return f"{text}   {pending(len(page.pending))}" if page.pending else text

    def pane(self) -> Sequence[Line]:
        exam = self.list.current
        if exam is None:
            return [_("FICHE")]
        lines = exams.card(self.core, exam, PANE)
        if self._past_of == exam.patient_id:
            lines += exams.past(self.core, self._past, exam)
        return lines

    def rested(self) -> None:
        exam = self.list.current
        if exam is not None and self.has_class("wide") and exam.patient_id != self._past_of:
            self.terminal.aside(self._look_back(exam.patient_id))

    async def _look_back(self, patient_id: int) -> None:
        """The earlier exams of the child under the cursor, for the pane."""
        self._past = await self.core.ask(c.PatientExams(patient_id))
        self._past_of = patient_id
        self.draw()

    def impossible(self) -> Collection[str]:
        return [verb for verb in ("order", "arrive", "print", "alerts") if self.why_not(verb)]

    def why_not(self, verb: str) -> str:
        exam = self.list.current
        if verb in ("order", "arrive", "print", "alerts", "open", "cancel") and exam is None:
            return _("Aucun examen sous le curseur.")
        if exam is not None and verb == "arrive" and not exam.state.allows(StepEvent.PATIENT_ARRIVED):
            return _("Arrivée impossible : l'examen est « %s ».") % exam.status.word
        if exam is not None and verb == "cancel" and not exam.state.allows(StepEvent.CANCELED):
            return _("Annulation impossible : l'examen est « %s ».") % exam.status.word
        return ""

    # Keys.

    def takes_while_working(self, stroke: Stroke) -> bool:
        """Letters go into the filter at once, also while the list is being read for the letters before."""
        return self._typing and self.prompt is None and _is_typing(stroke)

    def receive(self, stroke: Stroke) -> bool:
        target = self.list.page.target(stroke.key)
        if target is not None:
            if self.list.page.holds(target):
                self.list.move(target)
                self.draw_soon()
            elif self.list.page.count:
                self.verb(self.list.load(target))
            return True
        if not _is_typing(stroke) or not self._line.take(stroke):
            return False
        self._show("head", self.head())
        self._refilter()
        return True

    def _refilter(self) -> None:
        self._wanted += 1
        if not self._typing:
            self._typing = True
            self.verb(self._follow_typing())

    async def _follow_typing(self) -> None:
        """Read the list for what is typed, until nothing more is; keys other than letters wait for it."""
        try:
            done = 0
            while done != self._wanted:
                done = self._wanted
                if not self.terminal.keyboard.queued:
                    await asyncio.sleep(TYPING_SECONDS)
                self.list.narrow(text=self._line.value("text"))
                await self.list.load(0)
        finally:
            self._typing = False

    def _exam(self) -> ExamLine:
        exam = self.list.current
        assert exam is not None  # `why_not` answered before
        return exam

    def _day_is_over(self) -> bool:
        """The list was opened as today's, and midnight has passed."""
        return self.list.filter.day == self._opened_on and self._opened_on != self.core.today()

    async def act_refresh(self) -> None:
        if self._day_is_over():
            self._show_day(self.core.today())
        await self.list.refresh_all()
        await self.terminal.ask_second_building()

    def _show_day(self, day: date) -> None:
        self._opened_on = self.core.today()
        self.list.narrow(day=day)
        self.terminal.follow(self)

    async def act_arrive(self) -> None:
        exam = self._exam()
        question = _("%s  %s : identité dite et vérifiée ?") % (
            exams.identity(self.core, exam), exam.patient_number,
        )  # fmt: skip
        if not await self.ask(YesNo(question)):
            raise BadInput(_("Arrivée non notée : vérifier nom, date de naissance et numéro."))
        await self.core.once(f"arrive {exam.step_id}", lambda key: c.Arrive(exam.step_id, True, key))
        await self._update(exam)
        self.say(_("Arrivé : %s") % exam.patient_name)

    async def act_cancel(self) -> None:
        exam = self._exam()
        asked = await self.ask(entry.reason(_("Annuler %s de %s ?") % (exam.exam_label, exam.patient_name)))
        await self.core.ask(c.Cancel(exam.step_id, asked["reason"]))
        await self._update(exam)
        self.say(_("Annulé : %s") % exam.patient_name)

    async def _update(self, exam: ExamLine) -> None:
        """Our own act is shown at once; its push comes later and changes nothing more."""
        self.list.replace(await self.core.ask(c.GetLine(exam.step_id)))

    async def act_print(self) -> None:
        self.say(await print_paper(self, self._exam()))

    def act_alerts(self) -> None:
        words = exams.alerts(self._exam())
        self.notice = " " + (", ".join(words) if words else _("Aucune alerte."))

    async def act_open(self) -> None:
        from tui.screens.exam import ExamScreen

        await self.terminal.open(ExamScreen(self._exam()))

    async def act_patient(self) -> None:
        from tui.screens.patient import PatientScreen

        await self.terminal.open(PatientScreen(self._line.value("text")))

    async def act_order(self) -> None:
        from tui.screens.order import OrderScreen

        patient = await self.core.ask(c.GetPatient(self._exam().patient_id))
        await self.terminal.open(OrderScreen(patient))

    async def act_filter(self) -> None:
        rooms = await self.core.ask(c.Rooms())
        options: list[Option[str]] = [Option("T", _("toutes"), "")]
        options += [Option("", room.code, room.code) for room in rooms]
        room = await self.ask(Choice(_("Salle"), options, _place(options, self.list.filter.room)))
        states: list[Option[str]] = [Option("T", _("tous"), "")]
        states += [Option("", state.word, state.value) for state in WorklistStatus]
        status = await self.ask(Choice(_("Etat"), states, _place(states, self.list.filter.status)))
        self.list.narrow(room=room, status=status)
        await self.list.load(0)

    async def act_back(self) -> None:
        if self._typed.value:
            self._typed.put("")
            self.list.narrow(text="")
            await self.list.load(0)
            return
        await self._menu()

    # The menu (F10).

    async def _menu(self) -> None:
        """What changes a state or ends the session has no letter: a name typed into the menu must not do it."""
        chosen = await self.ask(
            Choice(
                _("Menu"),
                [
                    Option("S", _("Salle"), self._room),
                    Option("I", _("Impressions"), self._prints),
                    Option("J", _("autre Jour"), self._other_day),
                    Option("", _("absent"), self._no_show),
                    Option("", _("arrivée à annuler"), self._undo_arrival),
                    Option("", _("déconnexion"), self.terminal.leave),
                    Option("", _("quitter"), self._quit),
                ],
            )
        )
        await chosen()

    async def _room(self) -> None:
        from tui.screens.room import RoomScreen, choose_room

        if not RoomScreen.last_room:
            RoomScreen.last_room = await choose_room(self)
        await self.terminal.open(RoomScreen())

    async def _prints(self) -> None:
        from tui.screens.prints import PrintsScreen

        await self.terminal.open(PrintsScreen())

    async def _other_day(self) -> None:
        shown = f"{self.list.filter.day:%d/%m/%Y}"
        asked = await self.ask(entry.Entry(_("Jour montré"), [Field("day", _("Jour"), 0, 0, 10, shown)], _check_day))
        self._show_day(_day(asked["day"]))
        await self.list.load(0)

    async def _no_show(self) -> None:
        exam = self.list.current
        if exam is not None and await self.ask(YesNo(_("%s : absent ?") % exam.patient_name, default=False)):
            await self.core.ask(c.NoShow(exam.step_id))
            await self._update(exam)

    async def _undo_arrival(self) -> None:
        exam = self.list.current
        if exam is not None:
            asked = await self.ask(entry.reason(_("Annuler l'arrivée de %s ?") % exam.patient_name))
            await self.core.ask(c.UndoArrival(exam.step_id, asked["reason"]))
            await self._update(exam)

    async def _quit(self) -> None:
        self.terminal.keyboard.discard()
        self.terminal.exit(0)


def pending(count: int) -> str:
    """« +2 changements (F5) »."""
    return _("+%d changement (F5)") % count if count == 1 else _("+%d changements (F5)") % count


def _is_typing(stroke: Stroke) -> bool:
    return bool(stroke.text) or stroke.key in ("backspace", "left", "right")


def _place(options: Sequence[Option[Any]], value: str) -> int:
    return next((i for i, option in enumerate(options) if option.value == value), 0)


def _day(text: str) -> date:
    try:
        day, month, year = (int(part) for part in text.replace("-", "/").replace(".", "/").split("/"))
        return date(year, month, day)
    except ValueError:
        raise BadInput(_("Date attendue : JJ/MM/AAAA."), "day") from None


def _check_day(values: entry.Values) -> None:
    _day(values["day"])
