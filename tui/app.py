"""The terminal program: the stack of screens, the way of a key, pushes, the lock. The screens do the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from core.clock import Clock, SystemClock
from core.errors import YelenError
from core.i18n import _
from core.rpc import contract as c
from core.rpc.client import Client, Link
from tui import notices
from tui.core import Core
from tui.dialogs.prompt import Dismissed
from tui.launch import RELAUNCH
from tui.picture import Picture
from tui.screens.base import Desk
from tui.screens.entry import EntryScreen
from tui.stroke import Keyboard, Stroke, paste_of, stroke_of

log = logging.getLogger(__name__)

BANNER_SECONDS = 5.0  # without the core for longer, the title line says so
TOGETHER_SECONDS = 0.1  # pushes of this time are one refresh


class Terminal(App[int]):
    """One post. Every key goes through `Keyboard` to the screen on top, in order; nothing waits for the socket."""

    CSS_PATH = "yelen.tcss"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None

    def __init__(self, socket: Path, post: str = "", clock: Clock | None = None) -> None:
        super().__init__(ansi_color=True)
        self.clock = clock or SystemClock()
        self.post = post
        self.client = Client(socket, post, clock=self.clock, on_changes=self._pushed, on_link=self._linked)
        self.core = Core(self.client, self.clock)
        self.core.on_slow = self._slow
        self.keyboard = Keyboard(self._deliver, self._waits)
        self.person: c.Person | None = None
        self.picture = Picture()
        self.locked = False
        self.second_building = ""
        self._unlocked = asyncio.Event()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._changes: list[c.Change] | None = []
        self._collecting = False
        self._last_key = self.clock.monotonic()

    async def on_mount(self) -> None:
        self._own_loop, self._textual_context = asyncio.get_running_loop(), copy_context()
        self._unlocked.set()
        await self.push_screen(EntryScreen())
        self._tick()

    # The way to the terminal.

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Whatever Textual refreshes, only cells that differ are written (Textual 8.2.8: every update passes here)."""
        if isinstance(renderable, CompositorUpdate) and screen is self.screen and not self._batch_count:
            renderable = self.picture.update(screen._compositor.render_strips())
        super()._display(screen, renderable)

    # The way of a key.

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.key(stroke_of(event.key, event.character))
        elif isinstance(event, events.Paste) and not event.is_forwarded:
            self.key(paste_of(event.text))
            if event.text.endswith(("\n", "\r")):
                self.key(Stroke("enter"))
        else:
            if isinstance(event, events.Resize):
                self.picture.forget()
            await super().on_event(event)

    def key(self, stroke: Stroke) -> None:
        self._last_key = self.clock.monotonic()
        if stroke.key == "f12":
            self.lock()
        elif stroke.key == "ctrl+l":  # a garbled terminal is painted again
            self.picture.forget()
            self.screen.refresh()
        elif stroke.key == "f9" and self.client.link.refused:
            self.exit(RELAUNCH)
        else:
            self.keyboard.take(stroke)

    def _deliver(self, stroke: Stroke) -> None:
        self.desk.take(stroke)

    def _waits(self, stroke: Stroke) -> bool:
        if not isinstance(self.screen, Desk):
            return True
        desk = self.desk
        return desk.working and desk.prompt is None and not desk.takes_while_working(stroke)

    @property
    def desk(self) -> Desk:
        assert isinstance(self.screen, Desk)
        return self.screen

    async def guarded(self, desk: Desk, work: Coroutine[Any, Any, None]) -> None:
        """A verb of a screen, to its end: a refusal is a sentence, a fault of ours is one too."""
        try:
            await work
        except Dismissed:
            desk.say(_("Annulé."))
        except YelenError as error:
            self.keyboard.discard()
            desk.refuse(notices.sentence_of(error))
        except Exception:
            log.exception("tui: %s", desk.kind)
            self.keyboard.discard()
            desk.refuse(_("Erreur du terminal : la touche n'a rien fait."))
        finally:
            desk.working = False
            desk.draw()
            desk.catch_up()
            self.keyboard.drain()

    def aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something asked beside the keys. Its failure is in the log: it ends neither the program nor what is typed."""
        self.run_worker(self._aside(work), exit_on_error=False)

    async def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except YelenError as error:
            log.info("tui: %s", error)  # the banner says when the core is away
        except Exception:
            log.exception("tui: beside the keys")

    # Screens.

    async def open(self, desk: Desk) -> None:
        """A screen on top of this one, ready for keys when this returns. Never on top of a locked post."""
        await self._unlocked.wait()
        desk.working = True
        await self.push_screen(desk)
        try:
            await self._show(desk)
        except YelenError:
            await self.pop_screen()
            self.follow(self.desk)
            raise
        finally:
            desk.working = False

    async def replace(self, desk: Desk) -> None:
        """This screen is done: another one takes its place, and Escape goes back past it."""
        await self._unlocked.wait()
        desk.working = True
        await self.switch_screen(desk)
        try:
            await self._show(desk)
        finally:
            desk.working = False

    async def back(self) -> None:
        """To the screen below, which reads again what may have changed meanwhile."""
        if len(self.screen_stack) > 2:
            await self.pop_screen()
            await self._resume()

    async def _resume(self) -> None:
        desk = self.desk
        self.follow(desk)
        await desk.returned()
        desk.draw()

    async def _show(self, desk: Desk) -> None:
        self.follow(desk)
        await desk.prepare()
        desk.draw()

    def follow(self, desk: Desk) -> None:
        """Pushes of what this screen shows, from now on."""
        self.client.watch(desk.topics())

    # People.

    @property
    def who(self) -> str:
        return self.person.name if self.person is not None and not self.locked else self.post

    async def enter(self, person: c.Person) -> None:
        """Somebody logged in or unlocked: back to their screens, or to the first screen of another person."""
        same = self.person is not None and self.person.name == person.name and len(self.screen_stack) > 2
        self.person, self.locked = person, False
        self._unlocked.set()
        if same:
            await self.pop_screen()
            await self._resume()
            return
        from tui.screens.first import first_screen

        await self._start(first_screen())
        self.aside(self.ask_second_building())

    def lock(self) -> None:
        """F12: the screen is empty at once; what was being typed stays, behind the code."""
        if self.person is None or self.locked:
            return
        self.keyboard.discard()
        self.client.lock()
        self._close(EntryScreen(self.person))

    def _close(self, entry: EntryScreen) -> None:
        self.locked = True
        self._unlocked.clear()
        self.push_screen(entry)

    async def leave(self) -> None:
        """The person logs out; the next one starts at the login."""
        await self.core.ask(c.Logout())
        self.client.left()
        self.person = None
        await self._start(EntryScreen())

    async def _start(self, desk: Desk) -> None:
        """The only screen from now on."""
        while len(self.screen_stack) > 2:
            await self.pop_screen()
        await self.replace(desk)

    # The link.

    def _from_thread(self, act: Callable[..., None], *args: Any) -> None:
        """From the client's thread to the loop, inside the context that Textual's timers need."""
        if self._own_loop is not None:
            self._own_loop.call_soon_threadsafe(act, *args, context=self._textual_context)

    def _pushed(self, changes: tuple[c.Change, ...] | None) -> None:
        self._from_thread(self._collect, changes)

    def _collect(self, changes: tuple[c.Change, ...] | None) -> None:
        self._changes = None if changes is None or self._changes is None else [*self._changes, *changes]
        if not self._collecting:
            self._collecting = True
            self.set_timer(TOGETHER_SECONDS, self._tell)

    def _tell(self) -> None:
        changes, self._changes, self._collecting = self._changes, [], False
        if isinstance(self.screen, Desk) and not self.locked:
            self.aside(self._changed(self.desk, None if changes is None else tuple(changes)))

    async def _changed(self, desk: Desk, changes: tuple[c.Change, ...] | None) -> None:
        try:
            await desk.changed(changes)  # after a failure the next push or the reconnection reads again
        finally:
            desk.draw()

    def _linked(self, link: Link) -> None:
        self._from_thread(self._link_changed, link)

    def _link_changed(self, link: Link) -> None:
        if link.session_lost and self.person is not None and not self.locked:
            self.keyboard.discard()
            self._close(EntryScreen(self.person, lost=True))
        elif link.up and self.person is not None and not self.locked:
            self._collect(None)
        elif not link.up:
            self.set_timer(BANNER_SECONDS, self._still_down)
        if isinstance(self.screen, Desk):
            self.desk.draw()

    def _still_down(self) -> None:
        if not self.client.link.up and isinstance(self.screen, Desk):
            self.desk.draw_title()
            self.set_timer(max(BANNER_SECONDS, self._down_for() / 6), self._still_down)

    def _down_for(self) -> float:
        return self.clock.monotonic() - self.client.link.since

    @property
    def banner(self) -> str:
        """What replaces the title while the core is away or of another version."""
        link = self.client.link
        if link.refused:
            return " " + _("Yelen a été mis à jour : F9 pour relancer")
        if link.up or self._down_for() < BANNER_SECONDS:
            return ""
        return " " + notices.core_down(self._down_for(), self.desk.as_of, link.why)

    def _slow(self, slow: bool) -> None:
        if isinstance(self.screen, Desk):
            self.desk.slow = slow
            self.desk.draw_status()

    # Time.

    def _tick(self) -> None:
        """Once a minute: the clock of the title line, the state of the copy, the lock of a post nobody touches."""
        if isinstance(self.screen, Desk):
            self.desk.draw_title()
        if self.person is not None and not self.locked:
            self.aside(self.ask_second_building())
        idle = self.clock.monotonic() - self._last_key
        if self.person is not None and self.person.idle_s and idle > self.person.idle_s:
            self.lock()
        self.set_timer(60.5 - self.core.now().second, self._tick)

    async def ask_second_building(self) -> None:
        said = await self.core.ask(c.SecondBuilding())
        if said != self.second_building:
            self.second_building = said
            if isinstance(self.screen, Desk) and not self.locked:
                self.desk.draw()
