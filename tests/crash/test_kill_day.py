"""kill -9 at seeded moments of a day: it restarts alone, keeps every promise, and does nothing twice.

Each round sends the acts of a day at every door, in a seeded order, on one data folder. After a seeded number of them
the box dies: as the last byte is written, before it, a seeded moment later, or as the index is being written. What was
answered is there when it says `prêt` again; what was not is there once or not at all, is asked for again, and is then
there once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.rpc.contract import VerifyAudit
from tests.crash.day import Act, Day
from tests.crash.kill import Kill, killed, leave_by_themselves, members
from tests.crash.silent_his import SilentHis
from tests.install.boxes import yelen
from tests.replication.buildings import until

ROUNDS, IN_FLIGHT_AT_LEAST = 20, 12
LOOKS_EVERY = 5  # rounds: a worker process lives when the box dies
SILENT_EVERY = 3  # rounds: a result is on its way to a HIS that does not answer
MOMENTS = ("at once", "written", "at once", "later", "half")  # of one round after the other
SEED = 20261124


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


def _send_a_result_to(his: SilentHis, day: Day, signature: Act) -> None:
    """A report is signed, its result is heard at the HIS, and the HIS says nothing any more."""
    until(lambda: day.books.one("SELECT COUNT(*) FROM outbox WHERE state <> 'ACCEPTED'") == 0, "earlier results arrive")
    heard, his.silent = his.results.qsize(), True
    signature.request.send()
    signature.request.answer()
    until(lambda: his.results.qsize() > heard, "the result is heard")


def one_round(day: Day, his: SilentHis, number: int) -> tuple[int, int]:
    """How many acts were in flight at the kill, and how many of these had been done without being answered."""
    dice = random.Random(f"{SEED} {number}")
    if looks := number and number % LOOKS_EVERY == 0:
        day.look()
    day.prepare(number)
    acts = day.round(number)
    kinds = sorted({act.kind for act in acts})
    last = dice.choice([act for act in acts if act.kind == kinds[number % len(kinds)]])
    acts.remove(last)
    earlier = dice.sample(acts, dice.randrange(len(acts)))
    group = day.site.box.process.pid
    assert len(members(group)) == (2 if looks else 1)
    sent = [act for act in acts if act.kind == "sign" and number % SILENT_EVERY == 0]
    for act in sent:
        _send_a_result_to(his, day, act)
    moment = MOMENTS[number % len(MOMENTS)]
    kill = killed(day, [act for act in earlier if act not in sent], last, moment, dice)
    his.silent = False
    kill = Kill(kill.answered | {act.name for act in sent}, kill.in_flight)
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
def his() -> Iterator[SilentHis]:
    listening = SilentHis()
    yield listening
    listening.close()


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(200, marks=pytest.mark.full)])
def test_a_killed_box_keeps_its_promises_and_does_nothing_twice(tmp_path: Path, his: SilentHis, rounds: int) -> None:
    day = Day(tmp_path, his)
    told: list[tuple[int, int]] = []
    try:
        for number in range(rounds):
            told.append(one_round(day, his, number))
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


def _check_results(day: Day, his: SilentHis) -> None:
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
