"""kill -9 at seeded moments of a day: it restarts alone, keeps every promise, and does nothing twice.

Each round sends the acts of a day at every door, in a seeded order, on one data folder. After a seeded number of them,
at a seeded distance from the last byte written, the box dies. What was answered is there when it says `prêt` again;
what was not is there once or not at all, is asked for again, and is then there once.
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
LONGEST_SPIN = 6  # powers of ten of a loop of nothing: some 20 ms


@dataclass(frozen=True, slots=True)
class Kill:
    """What was known when the box was dead: the acts that were answered, and those written but never answered."""

    answered: frozenset[str]
    in_flight: frozenset[str]


def killed(day: Day, acts: list[Act], dice: random.Random) -> Kill:
    """Ask for some of the acts, one after the other or waiting for the answer, and kill the box."""
    asked = acts[: dice.randrange(1, len(acts) + 1)]
    answered: set[str] = set()
    listeners = []
    for act in asked:
        if act is asked[-1] and isinstance(act.request, Store) and dice.random() < 0.3:
            act.request.send_half()
        else:
            act.request.send()
        listeners.append(threading.Thread(target=_listen, args=(act, answered), daemon=True))
        listeners[-1].start()
        if act is not asked[-1] and dice.random() < 0.5:
            listeners[-1].join(30)
    for _nothing in range(int(10 ** dice.uniform(0, LONGEST_SPIN))):
        pass
    die = day.site.box.cut if dice.random() < 0.5 else day.site.box.process.kill
    die()
    day.site.box.process.wait(30)
    for listener in listeners:
        listener.join(30)
        assert not listener.is_alive()
    return Kill(frozenset(answered), frozenset(act.name for act in asked) - answered)


def _listen(act: Act, answered: set[str]) -> None:
    try:
        act.request.answer()
    except Dead:
        return
    answered.add(act.name)


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
    day.prepare(number)
    if looks := number and number % LOOKS_EVERY == 0:
        day.look()
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
        raise AssertionError(f"seed {SEED}, round {len(told)}, (in flight, done) so far {told}: {fault}") from fault
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
