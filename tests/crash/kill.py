"""A box dies while people and machines ask for things: who was answered, and who was not."""

from __future__ import annotations

import os
import random
import threading
from dataclasses import dataclass

from tests.crash.day import Act, Day
from tests.crash.requests import Dead, Store
from tests.replication.buildings import until

# Powers of ten of a loop of nothing after the last byte: 10**5 is some 2 ms. Half: the last image is still being sent.
SPINS = {"at once": (0, 0), "half": (0, 4), "later": (0, 5), "written": (3, 5)}
LONGEST_LOOK = 200_000  # looks at the index, some 300 ms: what was sent may be nothing to write


@dataclass(frozen=True, slots=True)
class Kill:
    """What was known when the box was dead: the acts that were answered, and those written but never answered."""

    answered: frozenset[str]
    in_flight: frozenset[str]


class Listener:
    """Waits for the answer to one act."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.answered = False
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive(), self.act.name
        if self._fault is not None:
            raise AssertionError(self.act.name) from self._fault

    def _listen(self) -> None:
        try:
            self.act.request.answer()
            self.answered = True
        except Dead:
            return
        except Exception as fault:
            self._fault = fault


def killed(day: Day, earlier: list[Act], last: Act, moment: str, dice: random.Random) -> Kill:
    """Ask for some acts, one after the other or waiting for the answer, then for the last one, and kill the box."""
    listeners = []
    for act in earlier:
        act.request.send()
        listeners.append(Listener(act))
        if dice.random() < 0.5:
            listeners[-1].join()
    die = day.site.box.cut if dice.random() < 0.5 else day.site.box.process.kill
    spin = int(10 ** dice.uniform(*SPINS[moment]))
    before = _written(day)
    if moment == "half" and isinstance(last.request, Store):
        last.request.send_half()
    else:
        last.request.send()
    listeners.append(Listener(last))
    looks = 0
    while moment == "written" and _written(day) == before and looks < LONGEST_LOOK:
        looks += 1
    for _nothing in range(spin):
        pass
    die()
    day.site.box.process.wait(30)
    for listener in listeners:
        listener.join()
    answered = frozenset(listener.act.name for listener in listeners if listener.answered)
    return Kill(answered, frozenset(listener.act.name for listener in listeners) - answered)


def _written(day: Day) -> tuple[int, int]:
    """Changes as soon as a commit begins to reach the index."""
    wal = os.stat(day.books.data / "index.sqlite-wal")
    return wal.st_size, wal.st_mtime_ns


def leave_by_themselves(group: int) -> None:
    """The workers of a box that was killed alone."""
    until(lambda: not members(group), f"the workers of {group} leave")


def members(group: int) -> list[int]:
    """The processes of a group: the box and its workers."""
    found = []
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                if os.getpgid(int(process)) == group:
                    found.append(int(process))
            except ProcessLookupError:
                continue
    return found
