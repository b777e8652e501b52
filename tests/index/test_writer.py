"""The single writer: together or not at all, and what happens when the disk fills in the middle of a batch."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import Conflict, OutOfResources
from core.index.audit import verify
from core.index.opening import Index, open_index
from core.index.tables import Audit, Event, Journal, PatientIdentifier, Task
from core.index.tables import Patient as Row
from core.index.writer import Change, Unit
from core.model.people import Actor

WHO = Actor.system("test")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = open_index(tmp_path, SystemClock())
    yield opened
    opened.close()


def task(unit: Unit, text: str) -> int:
    row = Task.create(kind="test", text=text, created_at=unit.now)
    unit.audit(WHO, "test", f"task:{row.id}")
    unit.event("test", row.id)
    return int(row.id)


def test_an_act_that_fails_leaves_nothing_behind(index: Index) -> None:
    def fails(unit: Unit) -> None:
        task(unit, "perdu")
        raise Conflict("non")

    with pytest.raises(Conflict):
        index.writer.do(fails)
    assert (Task.select().count(), Audit.select().count(), Event.select().count()) == (0, 0, 0)
    index.writer.do(lambda unit: task(unit, "gardé"))
    assert index.verify_audit().rows == 1


def test_state_audit_event_and_journal_are_one_transaction(index: Index) -> None:
    index.writer.do(lambda unit: task(unit, "ensemble"))
    tables = {j.tbl for j in Journal.select()}
    assert tables == {"task", "audit"}
    assert Event.select().count() == 1


def test_readers_cannot_write(index: Index) -> None:
    with pytest.raises(Exception, match="readonly"):
        Task.create(kind="test", text="x", created_at=SystemClock().now())


def test_one_act_that_fails_does_not_take_its_neighbours_along(index: Index) -> None:
    gate = threading.Event()

    def wait(unit: Unit) -> int:
        gate.wait(10)
        return task(unit, "premier")

    def collides(unit: Unit) -> None:
        patient = Row.create(number="1", family_name="X", name_key="X", sound_key="X", created_at=unit.now)
        for _twice in range(2):
            PatientIdentifier.create(patient=patient.id, value="1", authority="A")

    first = index.writer.submit(wait)
    wrong = index.writer.submit(collides)
    last = index.writer.submit(lambda unit: task(unit, "dernier"))
    gate.set()
    assert first.result(10) == 1
    assert last.result(10) == 2
    assert isinstance(wrong.exception(10), Conflict)
    assert Row.select().count() == 0
    assert index.verify_audit().ok


def test_a_full_disk_in_mid_batch_fails_only_the_acts_that_do_not_fit(index: Index) -> None:
    """SQLITE_FULL drops the whole transaction: every act of the batch is run again alone."""
    gate = threading.Event()

    def hold(unit: Unit) -> None:
        gate.wait(10)
        pages = unit.sql("PRAGMA page_count").fetchone()[0]
        unit.sql(f"PRAGMA max_page_count = {pages + 40}")

    held = index.writer.submit(hold)
    small = [index.writer.submit(lambda unit, n=n: task(unit, f"petit {n}")) for n in range(5)]
    huge = index.writer.submit(lambda unit: task(unit, "x" * 3_000_000))
    after = [index.writer.submit(lambda unit, n=n: task(unit, f"après {n}")) for n in range(5)]
    gate.set()
    held.result(10)
    for future in (*small, *after):
        assert future.result(20) > 0
    assert isinstance(huge.exception(20), OutOfResources)
    assert Task.select().count() == 10
    assert index.verify_audit().ok
    assert index.verify_audit().rows == 10


def test_watchers_hear_only_what_was_committed(index: Index) -> None:
    heard: list[Change] = []
    index.writer.watch(heard.extend)

    def fails(unit: Unit) -> None:
        unit.event("perdu")
        raise Conflict("non")

    with pytest.raises(Conflict):
        index.writer.do(fails)
    index.writer.do(lambda unit: task(unit, "gardé"))
    index.writer.do(lambda unit: None)
    assert [(c.topic, c.key) for c in heard] == [("test", "1")]
    assert heard[0].id == Event.select().get().id


def test_nobody_rewrites_history(index: Index) -> None:
    index.writer.do(lambda unit: task(unit, "vrai"))
    for statement in ("UPDATE audit SET actor = 'autre'", "DELETE FROM audit"):
        with pytest.raises(Conflict):
            index.writer.do(lambda unit, statement=statement: unit.sql(statement) and None)
    assert index.verify_audit().ok


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE audit SET actor = 'autre' WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "UPDATE audit SET detail = '{}' WHERE seq = 3",
    ],
)
def test_a_forged_audit_row_is_named(tmp_path: Path, forgery: str) -> None:
    index = open_index(tmp_path, SystemClock())
    for n in range(4):
        index.writer.do(lambda unit, n=n: task(unit, str(n)))
    assert verify(index.audit_key).ok
    index.close()
    with sqlite3.connect(tmp_path / "index.sqlite") as forger:
        for trigger in ("frozen_audit_update", "frozen_audit_delete"):
            forger.execute(f"DROP TRIGGER {trigger}")
        forger.execute("DROP TRIGGER journal_audit_update")
        forger.execute("DROP TRIGGER journal_audit_delete")
        forger.execute(forgery)
    again = open_index(tmp_path, SystemClock())
    try:
        verdict = again.verify_audit()
        assert not verdict.ok
        assert verdict.first_broken in (2, 3)
    finally:
        again.close()


def test_every_replicated_column_is_journalled_and_derived_ones_are_not(index: Index) -> None:
    row = index.writer.do(lambda unit: task(unit, "un"))
    before = Journal.select().count()
    index.writer.do(lambda unit: Task.update(text="deux").where(Task.id == row).execute())
    (entry,) = list(Journal.select().order_by(Journal.seq.desc()).limit(1))
    assert Journal.select().count() == before + 1
    assert '"text":"deux"' in entry.row
    assert (entry.tbl, entry.op, entry.epoch, entry.lane) == ("task", "put", 1, "small")


class Death(BaseException):
    """What no act may catch: the thread ends."""


def dies(_unit: Unit) -> None:
    raise Death


def test_when_the_writer_has_died_acts_fail_at_once_with_a_sentence(index: Index) -> None:
    assert index.writer.is_alive
    with pytest.raises(OutOfResources, match="redémarr"):
        index.writer.do(dies)
    with pytest.raises(OutOfResources, match="redémarr"):
        index.writer.do(lambda unit: task(unit, "trop tard"))
    assert not index.writer.is_alive
    assert Task.select().count() == 0


def test_acts_that_waited_behind_the_death_of_the_writer_fail_too(index: Index) -> None:
    holding, go = threading.Event(), threading.Event()

    def holds(unit: Unit) -> None:
        holding.set()
        go.wait(30)
        raise Death

    first = index.writer.submit(holds)
    holding.wait(30)
    waiting = [index.writer.submit(lambda unit, n=n: task(unit, str(n))) for n in range(300)]  # type: ignore[misc]
    go.set()
    for future in [first, *waiting]:
        assert isinstance(future.exception(30), OutOfResources)


def test_after_the_death_of_the_writer_the_file_is_free_and_whole(index: Index, tmp_path: Path) -> None:
    index.writer.do(lambda unit: task(unit, "gardé"))
    with pytest.raises(OutOfResources):
        index.writer.do(dies)
    again = sqlite3.connect(tmp_path / "index.sqlite", timeout=5)
    again.execute("BEGIN IMMEDIATE")
    assert again.execute("SELECT text FROM task").fetchall() == [("gardé",)]
    again.close()


def test_an_act_after_closing_is_a_sentence(tmp_path: Path) -> None:
    opened = open_index(tmp_path, SystemClock())
    opened.close()
    with pytest.raises(OutOfResources, match="fermé"):
        opened.writer.do(lambda unit: task(unit, "trop tard"))
