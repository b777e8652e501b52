"""What every screen is: a title, a body, lower lines, a status line and a footer; strokes in, one RPC verb out.

A screen holds no rule: a key calls a verb of the core, and what is shown is the answer or the sentence of the refusal.
While a verb runs, keys wait (`tui.stroke`); a question of the verb takes them again until it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from core.i18n import _
from tui import keys
from tui.core import Core
from tui.dialogs.choice import YesNo
from tui.dialogs.prompt import Dismissed, Prompt
from tui.forms import Form
from tui.stroke import Stroke
from tui.widgets.cells import safe, wrap
from tui.widgets.lines import BOLD, PLAIN, Line, Lines
from tui.widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from core.rpc.contract import Change
    from tui.app import Terminal

T = TypeVar("T")

SMALLEST = (80, 24)
WIDE = 120
PANE = 40
REST_SECONDS = 0.3  # a run through a list does not pay for the detail of every row


class Desk(Screen[None]):
    """A screen. `kind` names its keys in `tui.keys`."""

    kind: ClassVar[str] = ""
    head_rows: ClassVar[int] = 0
    lower_rows: ClassVar[int] = 4
    has_pane: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.working = False
        self.prompt: Prompt[Any] | None = None
        self._answered: asyncio.Future[None] | None = None
        self.notice = ""
        self.slow = False
        self.as_of = ""  # time of what is shown, for the banner of a stopped core
        self._rest: Timer | None = None
        self._footer = ""

    # What a screen says: overridden by each.

    def title_text(self) -> str:
        return ""

    def head(self) -> Sequence[Line]:
        return ()

    def lower(self) -> Sequence[Line]:
        return ()

    def status(self) -> str:
        return ""

    def pane(self) -> Sequence[Line]:
        return ()

    def body(self) -> Iterable[Widget]:
        return ()

    def topics(self) -> tuple[str, ...]:
        return ()

    def impossible(self) -> Collection[str]:
        """Verbs that make no sense now: absent from the footer."""
        return ()

    def receive(self, stroke: Stroke) -> bool:
        """A stroke for the body of the screen; whether it was taken."""
        return False

    async def prepare(self) -> None:
        """Fetch what the screen shows, before keys are given to it."""

    async def returned(self) -> None:
        """The screen on top was left: read again what may have changed, and stay at the same place."""

    async def changed(self, changes: tuple[Change, ...] | None) -> None:
        """Rows that the core says have changed; None: anything may have."""

    def takes_while_working(self, stroke: Stroke) -> bool:
        return False

    # The frame.

    @property
    def terminal(self) -> Terminal:
        return self.app  # type: ignore[return-value]

    @property
    def core(self) -> Core:
        return self.terminal.core

    def compose(self) -> ComposeResult:
        yield Lines(1, id="title")
        with Container(id="desk"):
            with Container(id="left"):
                if self.head_rows:
                    yield Lines(self.head_rows, id="head")
                yield from self.body()
                if self.lower_rows:
                    yield Lines(self.lower_rows, id="lower")
            yield Lines(id="pane")
        yield Lines(2, id="foot")
        yield Lines(id="small")

    def on_mount(self) -> None:
        self.draw()

    def on_resize(self) -> None:
        width, height = self.app.size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "small")
        self.set_class(self.has_pane and width >= WIDE, "wide")
        self.call_after_refresh(self.draw)

    def on_virtual_list_resized(self) -> None:
        self.catch_up()

    def catch_up(self) -> None:
        """A list whose height changed while a verb ran reads its page again."""
        for shown in self.query(VirtualList):
            if shown.needs_rows and not self.working:
                self.verb(shown.load(shown.page.cursor))

    def draw(self) -> None:
        """Everything the screen says now; only what differs is sent."""
        if self._rest is not None:
            self._rest.stop()
            self._rest = None
        self.draw_title()
        self._show("head", self.head())
        self._show("lower", self._question(self.prompt) if self.prompt else self._lower())
        if self.has_class("wide"):
            self._show("pane", [_paned(line) for line in self.pane()] + [" |"] * 60)
        if self.has_class("small"):
            self._show(
                "small", wrap(_("Terminal trop petit : Yelen demande 80 colonnes sur 24 lignes."), self.app.size[0])
            )
        self.draw_status()

    def _question(self, prompt: Prompt[Any]) -> list[Line]:
        """A question, set off from the list when there is room."""
        lines = prompt.lines()
        return ["-" * 80, *lines] if len(lines) < self.lower_rows else lines

    def _lower(self) -> list[Line]:
        """The lower lines; a sentence too long for the status line begins on the last of them."""
        lines, sentence = list(self.lower()), self._sentence()
        if len(sentence) > 1 and self.lower_rows:
            lines = [*lines[: self.lower_rows - 1], *[""] * (self.lower_rows - 1 - len(lines)), sentence[0]]
        return lines

    def _sentence(self) -> list[str]:
        """The notice in one or two lines."""
        width = self.app.size.width - 1
        return [" " + line for line in wrap(self.notice, width)][:2] if cell_len(self.notice) > width else [self.notice]

    def draw_status(self) -> None:
        """The status line and the footer."""
        text = " …" if self.slow else self.prompt.status() if self.prompt else self._sentence()[-1] or self.status()
        self._footer = "" if self.prompt else keys.footer(self.kind, self.app.size.width, self.impossible())
        self._show("foot", [text, self._footer])

    def draw_title(self) -> None:
        width = self.app.size.width
        right = f"{self.terminal.who} {self.core.now():%H:%M}"
        left = self.terminal.banner or f" YELEN {self.title_text()}"
        self._show("title", [[(set_cell_size(left, width - cell_len(right)) + right, BOLD)]])

    def draw_soon(self) -> None:
        """The cursor moved: the place at once, the rest when it rests."""
        self._show("foot", [self._sentence()[-1] or self.status(), self._footer])
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, self._rested)

    def _rested(self) -> None:
        self.draw()
        self.rested()

    def rested(self) -> None:
        """The cursor stays on a row: what must be asked about it may be asked now."""

    def _show(self, name: str, lines: Sequence[Line]) -> None:
        for widget in self.query(f"#{name}").results(Lines):
            widget.show(lines)

    # Strokes.

    def take(self, stroke: Stroke) -> None:
        """A stroke that is this screen's to handle now."""
        if self.prompt is not None:
            self._to_prompt(self.prompt, stroke)
            return
        self.notice = ""
        if self.receive(stroke):
            return
        key = keys.find(self.kind, stroke.key)
        if key is not None:
            self._do(key)
        self.draw()

    def _to_prompt(self, prompt: Prompt[Any], stroke: Stroke) -> None:
        if prompt.take(stroke):
            self.prompt = None
            if self._answered is not None and not self._answered.done():
                self._answered.set_result(None)
        self.draw()

    def _do(self, key: keys.Key) -> None:
        act = getattr(self, f"act_{key.verb}")
        why = self.why_not(key.verb)
        if why:
            self.notice = " " + why
            self.terminal.bell()
            return
        work = act()
        if work is not None:
            self.verb(work)

    def why_not(self, verb: str) -> str:
        """Why a verb is impossible now, in one sentence; "" when it is possible."""
        return ""

    def act_help(self) -> Coroutine[Any, Any, None]:
        from tui.screens.help import HelpScreen

        return self.terminal.open(HelpScreen(self.kind))

    def act_lock(self) -> None:
        self.terminal.lock()

    def act_back(self) -> Coroutine[Any, Any, None] | None:
        return self.terminal.back()

    async def abandon(self, form: Form) -> None:
        """Back, after a question when something typed would be lost."""
        if not form.is_touched or await self.ask(YesNo(_("Abandonner ce qui est tapé ?"), default=False)):
            await self.terminal.back()

    # Verbs.

    def verb(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it as a worker; keys wait until it ends or asks."""
        self.working = True
        self.terminal.run_worker(self.terminal.guarded(self, work))

    async def ask(self, prompt: Prompt[T]) -> T:
        """The answer of a question drawn in the lower lines. Raises `Dismissed`."""
        self._answered = asyncio.get_running_loop().create_future()
        self.prompt = prompt
        self.draw()
        self.terminal.keyboard.drain()
        await self._answered
        if prompt.dismissed:
            raise Dismissed
        assert prompt.answer is not None
        return prompt.answer

    def say(self, sentence: str) -> None:
        """A sentence in the status line, until the next key."""
        self.notice = " " + safe(sentence)
        self.draw()

    def refuse(self, sentence: str) -> None:
        self.terminal.bell()
        self.say(sentence)


def _paned(line: Line) -> Line:
    """A line of the right-hand pane behind its bar."""
    return [(" |", PLAIN), *([(line, PLAIN)] if isinstance(line, str) else line)]
