"""The core as the screens see it: calls that are awaited, with the time limit and the « … » of a slow answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from core.clock import Clock
from core.errors import Unreachable, YelenError
from core.i18n import _
from core.rpc import contract as c
from core.rpc.client import ANSWER_SECONDS, Client

R = TypeVar("R")

SLOW_SECONDS = 1.0


class Core:
    """One client on the event loop. on_slow(True) when an answer takes more than a second, on_slow(False) after it."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self.client, self.clock = client, clock
        self._keys: dict[str, str] = {}
        self.on_slow: Callable[[bool], None] = lambda slow: None

    async def ask(self, call: c.Call[R]) -> R:
        """The answer. Raises the error of the core, or `Unreachable` after five seconds."""
        loop = asyncio.get_running_loop()
        slow = loop.call_later(SLOW_SECONDS, self.on_slow, True)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self.client.submit(call)), ANSWER_SECONDS)
        except TimeoutError:
            raise Unreachable(_("Pas de réponse du serveur.")) from None
        finally:
            if loop.time() >= slow.when():
                self.on_slow(False)
            slow.cancel()

    async def once(self, act: str, call: Callable[[str], c.Call[R]]) -> R:
        """A writing call with an idempotency key: after a lost answer, the same act again is the same act."""
        key = self._keys.setdefault(act, secrets.token_hex(8))
        try:
            answer = await self.ask(call(key))
        except Unreachable:
            raise
        except YelenError:
            del self._keys[act]
            raise
        del self._keys[act]
        return answer

    @property
    def zone(self) -> ZoneInfo:
        welcome = self.client.link.welcome
        return ZoneInfo(welcome.timezone if welcome else "UTC")

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def now(self) -> datetime:
        """The site's wall time, as the core has it."""
        return self.local(self.clock.now() + self.client.ahead)

    def today(self) -> date:
        return self.now().date()

    def hour(self, moment: datetime | None) -> str:
        """« 08:42 » at the site, "" for none."""
        return f"{self.local(moment):%H:%M}" if moment else ""
