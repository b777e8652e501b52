"""A post that nobody touches locks itself; one in use does not."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from core.clock import SetClock
from tests.people.hospital import MORNING, PASSWORD
from tests.tui.conftest import Department
from tui.app import Terminal
from tui.screens.day import DayScreen
from tui.screens.entry import EntryScreen
from tui.stroke import Stroke


def test_a_post_locks_itself_after_its_idle_time(department: Department) -> None:
    # In a thread of its own: the browser of other tests keeps a loop in this one.
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(asyncio.run, _an_idle_morning(department, SetClock(MORNING))).result()


async def _an_idle_morning(department: Department, clock: SetClock) -> None:
    terminal = Terminal(department.socket, "poste-1", clock)
    terminal.client.start()
    await asyncio.to_thread(terminal.client.wait_until_up, 20.0)
    async with terminal.run_test(size=(80, 24)) as pilot:
        for letter in "reception1\r" + PASSWORD + "\r":
            terminal.key(Stroke("enter") if letter == "\r" else Stroke(letter, letter))
        async with asyncio.timeout(20):
            while not (isinstance(terminal.screen, DayScreen) and terminal.screen.list.page.known):
                await pilot.pause(0.01)
        assert terminal.person is not None
        clock.advance(terminal.person.idle_s - 1)
        terminal._tick()
        assert not terminal.locked
        terminal.key(Stroke("down"))
        clock.advance(terminal.person.idle_s - 1)
        terminal._tick()
        assert not terminal.locked
        clock.advance(2)
        terminal._tick()
        assert terminal.locked
        assert isinstance(terminal.screen, EntryScreen)
    await asyncio.to_thread(terminal.client.close)
