"""4. Salle: the exam in the room, images received, dose; the room's next patients below."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from textual.widget import Widget

from core.errors import BadInput, NotFound
from core.i18n import _
from core.model.names import display_name, split_person_name
from core.model.query import DayFilter
from core.model.step import ReportEvent, StepEvent, StepStatus
from core.model.study import StudyLine
from core.model.worklist import ExamLine
from core.rpc import contract as c
from tui import exams
from tui.daylist import DayList
from tui.dialogs import entry
from tui.dialogs.choice import Choice, YesNo, lettered
from tui.forms import Field
from tui.paper import print_label
from tui.screens.base import PANE, Desk
from tui.screens.day import pending
from tui.stroke import Stroke
from tui.widgets.cells import safe
from tui.widgets.lines import BOLD, Line


class RoomScreen(Desk):
    """The block above is the exam under the cursor; F6 begins it, then ends it; F9 says that its images are good."""

    kind = "room"
    head_rows = 9
    has_pane = True
    last_room = ""  # the room of the post, kept from one opening to the next

    def __init__(self) -> None:
        super().__init__()
        self.studies: tuple[StudyLine, ...] = ()
        self.unmatched: tuple[StudyLine, ...] = ()
        self._studies_of = 0

    def body(self) -> Iterable[Widget]:
        self.list = DayList(self.core, DayFilter(self.core.today(), RoomScreen.last_room), "exams")
        yield self.list

    async def prepare(self) -> None:
        await self.list.load(self.list.page.cursor)
        await self._to_current()
        await self._look()

    @property
    def room(self) -> str:
        return self.list.filter.room

    async def _to_current(self) -> None:
        """The cursor starts on the exam in the room, else on the first who arrived, else on the first to come."""
        rows = self.list.page.rows
        for status in (StepStatus.STARTED, StepStatus.ARRIVED, StepStatus.SCHEDULED):
            index = next((i for i, e in enumerate(rows) if e.state.step is status), None)
            if index is not None:
                self.list.move(self.list.page.top + index)
                return

    async def _look(self) -> None:
        """What was received for the exam under the cursor, and what waits for an exam."""
        exam = self.list.current
        self.studies = await self.core.ask(c.StudiesOf(exam.step_id)) if exam else ()
        self._studies_of = exam.step_id if exam else 0
        found = await self.core.ask(c.Unmatched())
        self.unmatched = tuple(study for study in found if self._is_ours(study))

    def _is_ours(self, study: StudyLine) -> bool:
        exam = self.list.current
        return exam is None or not study.modalities or exam.modality in study.modalities or not exam.modality

    async def returned(self) -> None:
        await self.list.refresh_all()
        await self._look()

    async def changed(self, changes: tuple[c.Change, ...] | None) -> None:
        await self.list.apply(changes)
        await self._look()

    def topics(self) -> tuple[str, ...]:
        return (f"room:{self.room}", f"day:{self.list.filter.day}", "study")

    # What is said.

    def title_text(self) -> str:
        self.as_of = self.list.as_of
        return _("Salle %s") % (self.room or "-")

    def head(self) -> Sequence[Line]:
        exam = self.list.current
        nothing = _("Aucun examen dans cette salle aujourd'hui.") if self.list.page.known else ""
        block = [nothing] if exam is None else self._block(exam)
        return [*block, *[""] * (6 - len(block)), "-" * 80, self.list.heading(), "-" * 80]

    def _block(self, exam: ExamLine) -> list[Line]:
        weight = f"{exam.weight_kg:g} kg".replace(".", ",") if exam.weight_kg else ""
        since = f"{_('depuis')} {self.core.hour(exam.started_at)}" if exam.started_at else ""
        words = exams.alerts(exam)
        return [
            [(f"{exam.status.terminal:9} {exams.identity(self.core, exam)}  {exam.patient_number}  {weight}", BOLD)],
            f"          {safe(exam.exam_label)}   {_('N°')} {exam.accession_number}   {since}",
            f"{_('Motif')}     {safe(exam.indication)}",
            f"{_('Images')}    {exams.progress(exam)}   {_('dernière')} {self.core.hour(exam.last_image_at) or '-'}",
            f"{_('Dose')}      {safe(exam.dose) or _('pas encore reçue')}",
            [(_("Attention : %s") % ", ".join(words), BOLD)] if words else "",
        ]

    def lower(self) -> Sequence[Line]:
        return ["-" * 80, self._received(), self._waiting()]

    def _received(self) -> str:
        exam = self.list.current
        if exam is None or exam.step_id != self._studies_of or not self.studies:
            return _("ENVOI     rien reçu pour cet examen")
        study = self.studies[0]
        images = sum(s.instances for s in self.studies)
        hour = self.core.hour(study.last_image_at)
        return _("ENVOI     %d images  %s->YELEN  dernière à %s") % (images, safe(study.device), hour)

    def _waiting(self) -> str:
        if not self.unmatched:
            return ""
        study = self.unmatched[0]
        facts = (len(self.unmatched), safe(study.device), self.core.hour(study.received_at), _sent(study))
        return _("NON RATTACHE  %d étude(s)  %s %s « %s » -> F8") % facts

    def status(self) -> str:
        exam = self.list.current
        count = len(self.list.page.pending)
        more = f"   {pending(count)}" if count else ""
        if exam is not None and exam.state.allows(StepEvent.ACQUISITION_ENDED):
            return " " + _("F6 = TERMINER l'examen (demande la dose si la machine ne l'a pas dite)") + more
        if exam is not None and exam.state.allows(StepEvent.ACQUISITION_STARTED):
            return " " + _("F6 = COMMENCER l'examen") + more
        if exam is not None and exam.state.allows(ReportEvent.IMAGES_VERIFIED):
            return " " + _("F9 = images vérifiées, à interpréter") + more
        return more

    def pane(self) -> Sequence[Line]:
        exam = self.list.current
        return exams.card(self.core, exam, PANE) if exam else []

    def impossible(self) -> Collection[str]:
        return [verb for verb in ("next", "print", "attach", "verify") if self.why_not(verb)]

    def why_not(self, verb: str) -> str:
        exam = self.list.current
        if verb in ("next", "print", "attach", "verify", "open", "discontinue") and exam is None:
            return _("Aucun examen sous le curseur.")
        if exam is None:
            return ""
        allowed = exam.state.allows
        can_start_or_end = allowed(StepEvent.ACQUISITION_STARTED) or allowed(StepEvent.ACQUISITION_ENDED)
        impossible = {
            "next": not can_start_or_end,
            "verify": not allowed(ReportEvent.IMAGES_VERIFIED),
            "discontinue": not allowed(StepEvent.ACQUISITION_DISCONTINUED),
        }
        if impossible.get(verb):
            return _("Impossible maintenant : l'examen est « %s ».") % exam.status.word
        if verb == "attach" and not self.unmatched:
            return _("Aucune étude à rattacher.")
        return ""

    # Keys.

    def receive(self, stroke: Stroke) -> bool:
        target = self.list.page.target(stroke.key)
        if target is None:
            return False
        if not self.list.page.holds(target):
            if self.list.page.count:
                self.verb(self._turn(target))
            return True
        self.list.move(target)
        self.draw_soon()
        return True

    async def _turn(self, target: int) -> None:
        await self.list.load(target)
        await self._look()

    def rested(self) -> None:
        self.terminal.aside(self._looked())

    async def _looked(self) -> None:
        await self._look()
        self.draw()

    def _exam(self) -> ExamLine:
        exam = self.list.current
        assert exam is not None  # `why_not` answered before
        return exam

    async def _update(self, exam: ExamLine) -> None:
        self.list.replace(await self.core.ask(c.GetLine(exam.step_id)))
        await self._look()

    async def act_refresh(self) -> None:
        await self.list.refresh_all()
        await self._look()

    async def act_choose(self) -> None:
        RoomScreen.last_room = await choose_room(self)
        self.list.narrow(room=RoomScreen.last_room)
        self.terminal.follow(self)
        await self.list.load(0)
        await self._to_current()
        await self._look()

    async def act_next(self) -> None:
        exam = self._exam()
        if exam.state.allows(StepEvent.ACQUISITION_STARTED):
            question = _("Commencer %s : %s ?") % (exam.exam_label, exams.identity(self.core, exam))
            if await self.ask(YesNo(question)):
                await self.core.ask(c.Start(exam.step_id))
        else:
            await self._end(exam)
        await self._update(exam)

    async def _end(self, exam: ExamLine) -> None:
        """The end of an exam asks its dose when the machine did not say it; a scanner cannot do without."""
        dose = ""
        if not exam.dose and exam.modality in ("CT", "XA", "RF"):
            asked = await self.ask(_dose_entry(exam))
            dose = _dose_text(asked)
        await self.core.ask(c.Complete(exam.step_id, dose))

    async def act_verify(self) -> None:
        exam = self._exam()
        reason = ""
        if (exam.expected_images is not None and exam.images < exam.expected_images) or not exam.images:
            question = _("Images %s : valider quand même ?") % exams.progress(exam)
            reason = (await self.ask(entry.reason(question)))["reason"]
        await self.core.ask(c.Verify(exam.step_id, reason))
        await self._update(exam)
        self.say(_("Images vérifiées : %s est à interpréter.") % exam.patient_name)

    async def act_discontinue(self) -> None:
        exam = self._exam()
        asked = await self.ask(entry.reason(_("Interrompre %s de %s ?") % (exam.exam_label, exam.patient_name)))
        await self.core.ask(c.Discontinue(exam.step_id, asked["reason"]))
        await self._update(exam)

    async def act_attach(self) -> None:
        exam = self._exam()
        study = await self.ask(Choice(_("Rattacher à %s") % exam.patient_name, lettered(_named(self.unmatched))))
        why = _("%s « %s » est bien %s ?") % (study.study_description, _sent(study), exam.patient_name)
        asked = await self.ask(entry.reason(why))
        await self.core.ask(c.Attach(study.id, exam.step_id, asked["reason"]))
        await self._update(exam)
        self.say(_("Rattaché à %s.") % exam.patient_name)

    async def act_print(self) -> None:
        self.say(await print_label(self, self._exam().step_id))

    async def act_open(self) -> None:
        from tui.screens.exam import ExamScreen

        await self.terminal.open(ExamScreen(self._exam()))


async def choose_room(desk: Desk) -> str:
    """The code of a room, asked on any screen."""
    rooms = await desk.core.ask(c.Rooms())
    if not rooms:
        raise NotFound(_("Aucune salle n'est déclarée."))
    return await desk.ask(Choice(_("Salle"), lettered([(f"{r.code} {r.label}", r.code) for r in rooms])))


def _sent(study: StudyLine) -> str:
    """The name that the machine sent, as people write it."""
    return safe(display_name(*split_person_name(study.as_sent_name)))


def _named(studies: Sequence[StudyLine]) -> list[tuple[str, StudyLine]]:
    return [(f"{_sent(s)} {s.as_sent_number} {s.device} ({s.instances})", s) for s in studies[:9]]


def _dose_entry(exam: ExamLine) -> entry.Entry:
    def check(values: entry.Values) -> None:
        for name, value in values.items():
            entry.number(value, name)
        if exam.modality == "CT" and not values["dlp"]:
            raise BadInput(_("La dose est demandée pour un scanner (PDL, mGy.cm)."), "dlp")

    fields = [
        Field("dlp", "PDL", 0, 0, 8, after="mGy.cm"),
        Field("ctdi", "CTDIvol", 0, 30, 8, after="mGy"),
        Field("dap", "PDS", 1, 0, 8, after="Gy.cm2"),
    ]
    return entry.Entry(_("Terminer %s : la machine n'a pas dit la dose") % exam.patient_name, fields, check)


def _dose_text(values: entry.Values) -> str:
    """« PDL 301 mGy.cm, CTDIvol 18,4 mGy »."""
    units = (("PDL", "dlp", "mGy.cm"), ("CTDIvol", "ctdi", "mGy"), ("PDS", "dap", "Gy.cm2"))
    return ", ".join(f"{word} {values[name]} {unit}" for word, name, unit in units if values[name])
