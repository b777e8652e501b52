"""5. Impressions: what each printer says, and the queue with its attempts and reasons in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from textual.widget import Widget

from core.errors import NotFound
from core.i18n import _
from core.model.printing import Printer, PrintJob, PrintState
from core.rpc import contract as c
from tui.dialogs.choice import Choice, YesNo, lettered
from tui.screens.base import PANE, Desk
from tui.screens.day import pending
from tui.stroke import Stroke
from tui.widgets.cells import Column, heading, line_of, safe, wrap
from tui.widgets.lines import BOLD, Line
from tui.widgets.page import Fetched
from tui.widgets.virtual_list import VirtualList

OVER = (PrintState.DONE, PrintState.CANCELLED)
MOST = 200


class PrintsScreen(Desk):
    """The newest jobs first."""

    kind = "prints"
    head_rows = 4
    has_pane = True

    def __init__(self) -> None:
        super().__init__()
        self.printers: tuple[Printer, ...] = ()
        self.jobs: list[PrintJob] = []
        self.only_open = False

    def body(self) -> Iterable[Widget]:
        self.list: VirtualList[PrintJob] = VirtualList(self._page, self._written, lambda job: job.id, "jobs")
        yield self.list

    async def _page(self, top: int, n: int) -> Fetched[PrintJob]:
        jobs = await self.core.ask(c.PrintJobs(MOST))
        self.as_of = f"{self.core.now():%H:%M}"
        self.jobs = [j for j in jobs if not self.only_open or j.state not in OVER]
        return Fetched(top, self.jobs[top : top + n], len(self.jobs))

    async def prepare(self) -> None:
        self.printers = await self.core.ask(c.Printers())
        await self.list.load(self.list.page.cursor)

    async def returned(self) -> None:
        await self._reload()

    async def changed(self, changes: tuple[c.Change, ...] | None) -> None:
        self.printers = await self.core.ask(c.Printers())
        known = {job.id for job in self.list.page.rows}
        await self.list.notice(())
        newer = [job.id for job in self.jobs if job.id > max(known, default=0)]
        if self.list.page.top == 0:
            self.list.page.pending.update(newer)

    def topics(self) -> tuple[str, ...]:
        return ("print",)

    # What is said.

    def title_text(self) -> str:
        return _("Impressions")

    def head(self) -> Sequence[Line]:
        said = "   ".join(self._said(printer) for printer in self.printers if printer.active)
        printers = [(_("IMPRIMANTES") + "  ", BOLD), (said or _("aucune n'est déclarée"), BOLD.null())]
        return [printers, "-" * 80, heading(self._columns()), "-" * 80]

    def _said(self, printer: Printer) -> str:
        return f"{printer.name} {safe(printer.state) or _('ok')} {self.core.hour(printer.state_at)}".rstrip()

    def _columns(self) -> list[Column[PrintJob]]:
        return [
            Column(_("Heure"), 5, lambda j: self.core.hour(j.created_at)),
            Column(_("N°"), 5, lambda j: str(j.id), right=True),
            Column(_("Type"), 12, lambda j: j.paper.word),
            Column(_("Destination"), 11, lambda j: j.printer),
            Column(_("Patient"), 23, lambda j: j.patient),
            Column(_("Pag"), 3, lambda j: str(j.pages * j.copies), right=True),
            Column(_("Etat"), 10, lambda j: j.state.word),
            Column(_("E."), 2, lambda j: str(j.attempts), right=True),
        ]

    def _written(self, job: PrintJob) -> str:
        return line_of(self._columns(), job)

    def lower(self) -> Sequence[Line]:
        job = self.list.current
        if job is None:
            return ["-" * 80, _("Aucun travail.") if self.list.page.known else ""]
        preview = f"{job.paper.word} {job.id} : {safe(job.patient)}  {safe(job.title)}"
        again = f" — {_('reprise à')} {self.core.hour(job.next_at)}" if job.next_at else ""
        return ["-" * 80, preview, (_("Dit par l'imprimante : %s") % safe(job.reason) + again) if job.reason else ""]

    def status(self) -> str:
        page = self.list.page
        text = f" {page.cursor + 1 if page.count else 0}/{page.count}   " + _(
            "Suppr = annuler le travail (confirmation)"
        )
        return f"{text}   {pending(len(page.pending))}" if page.pending else text

    def pane(self) -> Sequence[Line]:
        return [_("IMPRIMANTES"), *(line for p in self.printers for line in wrap(self._said(p), PANE))]

    def impossible(self) -> Collection[str]:
        return [verb for verb in ("retry", "again", "divert") if self.why_not(verb)]

    def why_not(self, verb: str) -> str:
        job = self.list.current
        if verb not in ("retry", "again", "divert", "cancel"):
            return ""
        if job is None:
            return _("Aucun travail sous le curseur.")
        running = job.state in (PrintState.SENDING, PrintState.SENT, PrintState.PRINTING)
        if (verb == "retry" and (running or job.state is PrintState.DONE)) or (verb == "cancel" and job.state in OVER):
            return _("Impossible maintenant : le travail est « %s ».") % job.state.word
        return ""

    # Keys.

    def receive(self, stroke: Stroke) -> bool:
        target = self.list.page.target(stroke.key)
        if target is None:
            return False
        if self.list.page.holds(target):
            self.list.move(target)
            self.draw_soon()
        elif self.list.page.count:
            self.verb(self.list.load(target))
        return True

    async def _reload(self) -> None:
        """As the queue is now, with the cursor on the same job."""
        current = self.list.current
        self.list.page.pending.clear()
        await self.prepare()
        places = {job.id: i for i, job in enumerate(self.jobs)}
        if current is not None and current.id in places:
            await self.list.load(places[current.id])

    def _job(self) -> PrintJob:
        job = self.list.current
        assert job is not None  # `why_not` answered before
        return job

    async def act_refresh(self) -> None:
        await self._reload()

    async def act_filter(self) -> None:
        self.only_open = not self.only_open
        await self.list.load(0)
        self.say(_("Travaux non finis seulement.") if self.only_open else _("Tous les travaux."))

    async def act_retry(self) -> None:
        await self.core.ask(c.RetryJob(self._job().id))
        await self._reload()

    async def act_again(self) -> None:
        job = self._job()
        if await self.ask(YesNo(_("Imprimer de nouveau %s de %s ?") % (job.paper.word, job.patient))):
            await self.core.ask(c.ReprintJob(job.id))
            await self._reload()

    async def act_divert(self) -> None:
        job = self._job()
        others = [(p.name, p.name) for p in self.printers if p.active and p.name != job.printer]
        if not others:
            raise NotFound(_("Aucune autre imprimante."))
        await self.core.ask(
            c.DivertJob(job.id, await self.ask(Choice(_("Vers quelle imprimante ?"), lettered(others))))
        )
        await self._reload()

    async def act_cancel(self) -> None:
        job = self._job()
        if await self.ask(YesNo(_("Annuler %s de %s ?") % (job.paper.word, job.patient), default=False)):
            await self.core.ask(c.CancelJob(job.id))
            await self._reload()
