"""kill -9 at seeded moments of a day: it restarts alone, keeps every promise, and does nothing twice.

Each round sends the acts of a day at every door, in a seeded order, on one data folder. After a seeded number of them
the box dies: as the last byte is written, a seeded moment later, or as the index is being written. What was answered is
there when it says `prêt` again; what was not is there once or not at all, is asked for again, and is then there once.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.rpc.contract import VerifyAudit
from tests.crash.day import Act, Day
from tests.crash.requests import Dead, Store
from tests.days.his import His
from tests.install.boxes import yelen
from tests.replication.buildings import until

ROUNDS, IN_FLIGHT_AT_LEAST = 20, 12
LOOKS_EVERY = 4  # rounds: a worker process lives when the box dies
SEED = 20261124
LONGEST_SPIN = {"at once": 0.0, "later": 6.0, "written": 5.0}  # powers of ten of a loop of nothing: 10**6 is some 20 ms
MOMENTS = (*LONGEST_SPIN, "written")
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


def killed(day: Day, acts: list[Act], dice: random.Random) -> Kill:
    """Ask for some of the acts, one after the other or waiting for the answer, and kill the box."""
    *earlier, last = acts[: dice.randrange(1, len(acts) + 1)]
    listeners = []
    for act in earlier:
        act.request.send()
        listeners.append(Listener(act))
        if dice.random() < 0.5:
            listeners[-1].join()
    die = day.site.box.cut if dice.random() < 0.5 else day.site.box.process.kill
    moment, half = dice.choice(MOMENTS), dice.random() < 0.3
    spin = int(10 ** dice.uniform(0, LONGEST_SPIN[moment]))
    before = _written(day)
    if half and isinstance(last.request, Store):
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
    until(lambda: not _members(group), f"the workers of {group} leave")


def _members(group: int) -> list[int]:
    found = []
    for process in os.listdir("/proc"):
        if process.isdigit():
            try:
                if os.getpgid(int(process)) == group:
                    found.append(int(process))
            except ProcessLookupError:
                continue
    return found


def check_promises(acts: list[Act], kill: Kill) -> None:
    """Straight after the restart, before anybody asks again."""
    for act in acts:
        times = act.times()
        if act.name in kill.answered:
            assert times == 1, f"{act.name} was acknowledged and is there {times} times"
        else:
            assert times <= (act.name in kill.in_flight), (
                f"{act.name} was not asked for once and is there {times} times"
            )


def done_again(acts: list[Act], kill: Kill) -> None:
    """Machines and programs that were not answered ask again; a person looks first whether it is signed."""
    for act in acts:
        if act.name not in kill.answered and not (act.name.startswith("sign") and act.times()):
            act.done()
    for act in acts:
        assert act.times() == 1, f"{act.name} asked for again is there {act.times()} times"


def one_round(day: Day, number: int) -> tuple[int, int]:
    """How many acts were in flight at the kill, and how many of these had been done without being answered."""
    dice = random.Random(f"{SEED} {number}")
    if looks := number and number % LOOKS_EVERY == 0:
        day.look()
    day.prepare(number)
    acts = day.round(number)
    dice.shuffle(acts)
    group = day.site.box.process.pid
    assert len(_members(group)) == (2 if looks else 1)
    kill = killed(day, acts, dice)
    leave_by_themselves(group)
    day.restart()
    day.books.check_files()
    acts = day.round(number)
    check_promises(acts, kill)
    unanswered = sum(act.times() for act in acts if act.name in kill.in_flight)
    done_again(acts, kill)
    day.books.check_files()
    day.books.check_once()
    assert day.books.one("SELECT COUNT(*) FROM instance") == len(day.images)
    assert day.books.one("SELECT COUNT(*) FROM inbox") == len(day.letters)
    assert day.site.ask(VerifyAudit()).ok
    return len(kill.in_flight), unanswered


@pytest.fixture
def his() -> Iterator[His]:
    listening = His()
    yield listening
    listening.close()


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(200, marks=pytest.mark.full)])
def test_a_killed_box_keeps_its_promises_and_does_nothing_twice(tmp_path: Path, his: His, rounds: int) -> None:
    day = Day(tmp_path, his)
    told: list[tuple[int, int]] = []
    try:
        for number in range(rounds):
            told.append(one_round(day, number))
        until(lambda: _all_delivered(day), "every result is at the HIS and every label on paper")
        _check_results(day, his)
        _check_paper(day)
        for uid, digest in day.images.items():
            assert day.books.images(uid, digest) == 1
        verdict = yelen("audit", "verify", data=day.site.data)
        assert verdict.returncode == 0, verdict.stdout
        assert sum(1 for in_flight, _done in told if in_flight) >= IN_FLIGHT_AT_LEAST, told
    except Exception as fault:
        words = "".join(day.site.box.said[-30:])
        told_so_far = f"seed {SEED}, round {len(told)}, (in flight, done) so far {told}"
        raise AssertionError(f"{told_so_far}: {fault}\nthe box said last:\n{words}") from fault
    finally:
        day.stand_up()
        day.site.close()
    print(f"seed {SEED}, {rounds} kills; in flight, done without an answer: {told}")


def _all_delivered(day: Day) -> bool:
    waiting = "SELECT (SELECT COUNT(*) FROM outbox WHERE state <> 'ACCEPTED') + "
    return bool(day.books.one(waiting + "(SELECT COUNT(*) FROM print_job WHERE state <> 'done')") == 0)


def _check_results(day: Day, his: His) -> None:
    """Every signed report reached the HIS; what came twice came as the same bytes under the same MSH-10."""
    heard: dict[str, str] = {}
    while not his.results.empty():
        message = his.results.get()
        control_id, text = str(message.extract_field("MSH", 0, 10)), str(message)
        assert heard.setdefault(control_id, text) == text
    assert set(heard) == {control_id for (control_id,) in day.books.ask("SELECT control_id FROM outbox")}


def _check_paper(day: Day) -> None:
    """One sheet a job, and no half of one."""
    jobs = {f"{job:06d}-etiquette.pdf" for (job,) in day.books.ask("SELECT id FROM print_job")}
    assert {path.name for path in day.site.paper.iterdir()} == jobs
