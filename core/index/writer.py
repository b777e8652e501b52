"""The single writer: one thread owns every write to the index and commits all queued acts in one transaction.

An act is a closure run *in* this thread under a savepoint; the reads that decide are inside it and it touches only
the index, so it can be run again. Its future resolves, its events are pushed and the audit head moves for good only
after COMMIT. When SQLite drops a whole transaction (disk full, I/O error) every act of the batch is run again alone.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import peewee

from core.clock import Clock, stamp
from core.errors import Conflict, NotAllowed, OutOfResources, YelenError
from core.i18n import _
from core.index.audit import AuditChain
from core.index.database import IndexDatabase, close_thread, own_writes
from core.model.people import Actor

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH = 256


@dataclass(frozen=True, slots=True)
class Change:
    """One event row: what changed, for whoever watches the topic."""

    id: int
    topic: str
    key: str


@dataclass(slots=True)
class Unit:
    """What an act may use beside the tables: the time, the audit, events, and what to do once it is durable."""

    now: datetime
    _connection: sqlite3.Connection
    _audit: AuditChain
    changes: dict[tuple[str, str], None] = field(default_factory=dict)
    afterwards: list[Callable[[], None]] = field(default_factory=list)

    def sql(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    def audit(
        self, actor: Actor, action: str, what: str, patient_id: int | None = None, outcome: str = "ok", **detail: Any
    ) -> None:
        """A row of the chain. action: a short English verb; what: `step:12`, `instance:…`; detail: facts."""
        self._audit.append(self.sql, stamp(self.now), actor, action, what, patient_id, outcome, detail)

    def chain_goes_on(self) -> None:
        """Rows of the chain were put in as they are: the next one follows the last of them."""
        self._audit.load(self.sql)

    def event(self, topic: str, key: object = "") -> None:
        self.changes[topic, str(key)] = None

    def after_commit(self, act: Callable[[], None]) -> None:
        self.afterwards.append(act)


@dataclass(slots=True)
class _Queued:
    act: Callable[[Unit], Any]
    future: Future[Any]


class Writer:
    """Owns the writing connection. `submit` from any thread; `do` waits for the commit."""

    def __init__(self, db: IndexDatabase, clock: Clock, audit: AuditChain) -> None:
        self._db = db
        self._clock = clock
        self._audit = audit
        self._queue: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self._watchers: list[Callable[[list[Change]], None]] = []
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._in_hand: list[_Queued] = []
        self._closed = False
        self._died = False
        self._ended = False  # nobody takes from the queue any more
        self._sealed = ""
        self._started = threading.Event()
        self._setup: Callable[[IndexDatabase], None] | None = None
        self._fault: BaseException | None = None

    def start(self, setup: Callable[[IndexDatabase], None]) -> None:
        """Run `setup` (migrations, seed rows) in the writer thread, then serve. Raises what it raised."""
        self._setup = setup
        self._thread.start()
        self._started.wait()
        if self._fault is not None:
            raise self._fault

    def watch(self, watcher: Callable[[list[Change]], None]) -> Callable[[], None]:
        """Call `watcher` in the writer thread with the changes of each commit; it must be quick. Returns the undo."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def submit(self, act: Callable[[Unit], T]) -> Future[T]:
        if self._sealed:
            refused: Future[T] = Future()
            refused.set_exception(NotAllowed(self._sealed))
            return refused
        return self._enqueue(act)

    def do(self, act: Callable[[Unit], T]) -> T:
        """The result of the act, once it is durable. Raises what the act raised; nothing is then written."""
        if self.is_this_thread:
            raise RuntimeError("an act may not wait for another act")
        return self.submit(act).result()

    def seal(self, sentence: str) -> None:
        """From now on acts are refused with this sentence: this building only holds what another one writes."""
        self._sealed = sentence

    def replay(self, act: Callable[[Unit], T]) -> T:
        """As `do`, sealed or not: the rows of the other building, and how far they are."""
        return self._enqueue(act).result()

    def _enqueue(self, act: Callable[[Unit], T]) -> Future[T]:
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(self._no_more())
            return future
        self._queue.put(_Queued(act, future))
        if self._ended:
            self._refuse(self._left())
        return future

    @property
    def is_alive(self) -> bool:
        """False once the thread has died of a fault: acts are refused, and only a new start writes again."""
        return not self._died

    @property
    def is_this_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Finish what is queued, checkpoint, close the file."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        own_writes()
        try:
            self._db.connect(reuse_if_open=True)
            if self._setup:
                self._setup(self._db)
            self._audit.load(self._db.execute_sql)
        except BaseException as fault:
            self._fault = fault
            close_thread(self._db)
            return
        finally:
            self._started.set()
        try:
            while (batch := self._next_batch()) is not None:
                self._in_hand = batch
                self._commit(batch)
            self._db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        except BaseException:
            log.critical("the writer has died: nothing is written until the next start", exc_info=True)
            self._died = True
        finally:
            with suppress(sqlite3.Error, peewee.PeeweeException):
                close_thread(self._db)  # an open transaction goes with it
            self._ended = True
            self._refuse([*self._in_hand, *self._left()])

    def _left(self) -> Iterator[_Queued]:
        """What is queued and will not be done. Each is given out once, whichever threads ask."""
        while True:
            try:
                queued = self._queue.get_nowait()
            except queue.Empty:
                return
            if queued is not None:
                yield queued

    def _refuse(self, acts: Iterable[_Queued]) -> None:
        for queued in acts:
            if not queued.future.done():
                queued.future.set_exception(self._no_more())

    def _no_more(self) -> OutOfResources:
        if self._died:
            return OutOfResources(_("L'index ne s'écrit plus : le serveur doit redémarrer."))
        return OutOfResources(_("L'index est fermé."))

    def _next_batch(self) -> list[_Queued] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            batch.append(more)
        return batch

    def _commit(self, batch: list[_Queued]) -> None:
        head = self._audit.head
        try:
            done, changes = self._attempt(batch)
        except Exception as fault:
            self._rollback()
            self._audit.head = head
            if len(batch) > 1:
                log.warning("batch of %d abandoned (%s); each act runs alone", len(batch), fault)
                for queued in batch:
                    self._commit([queued])
                return
            batch[0].future.set_exception(_translated(fault))
            return
        for resolve in done:
            resolve()
        if changes:
            for watcher in list(self._watchers):
                _quietly(lambda watcher=watcher: watcher(changes))  # type: ignore[misc]

    def _attempt(self, batch: list[_Queued]) -> tuple[list[Callable[[], None]], list[Change]]:
        """Run every act under its savepoint and commit. Raises when SQLite dropped the whole transaction."""
        connection = self._db.connection()
        connection.execute("BEGIN IMMEDIATE")
        alone = len(batch) == 1  # then the transaction itself is its savepoint
        done: list[Callable[[], None]] = []
        changes: dict[tuple[str, str], None] = {}
        for queued in batch:
            unit = Unit(self._clock.now(), connection, self._audit)
            head = self._audit.head
            if not alone:
                connection.execute("SAVEPOINT act")
            try:
                result = queued.act(unit)
            except Exception as fault:
                if not connection.in_transaction:
                    raise  # SQLite has already rolled everything back
                connection.execute("ROLLBACK" if alone else "ROLLBACK TO act")
                if not alone:
                    connection.execute("RELEASE act")
                self._audit.head = head
                if isinstance(fault, (sqlite3.Error, peewee.PeeweeException)) and _is_resource(fault):
                    raise
                done.append(lambda q=queued, f=fault: q.future.set_exception(_translated(f)))  # type: ignore[misc]
                continue
            if not alone:
                connection.execute("RELEASE act")
            changes |= unit.changes
            for afterwards in unit.afterwards:
                done.append(lambda a=afterwards: _quietly(a))  # type: ignore[misc]
            done.append(lambda q=queued, r=result: q.future.set_result(r))  # type: ignore[misc]
        rows = _write_events(connection, changes)
        if connection.in_transaction:
            connection.execute("COMMIT")
        return done, rows

    def _rollback(self) -> None:
        if self._db.connection().in_transaction:
            self._db.execute_sql("ROLLBACK")


def _write_events(connection: sqlite3.Connection, changes: Iterable[tuple[str, str]]) -> list[Change]:
    written = [value for change in changes for value in change]
    if not written:
        return []
    marks = ",".join(["(?,?)"] * (len(written) // 2))
    rows = connection.execute(f"INSERT INTO event (topic, key) VALUES {marks} RETURNING id, topic, key", written)
    return [Change(*row) for row in rows.fetchall()]


def _quietly(act: Callable[[], None]) -> None:
    """What happens after COMMIT may fail without undoing it; it is logged."""
    try:
        act()
    except Exception:
        log.exception("after commit")


def _is_resource(fault: BaseException) -> bool:
    text = str(fault)
    return "disk is full" in text or "disk I/O" in text or "readonly database" in text


def may_still_be_written(fault: BaseException | None) -> bool:
    """Whether an act that failed may be there after a crash: its COMMIT is in the log and only the sync was refused.

    As long as the box lives the act has not happened: the next commit is written over it.
    """
    while fault is not None:
        if getattr(fault, "sqlite_errorname", "") == "SQLITE_IOERR_FSYNC":
            return True
        fault = fault.__cause__ or fault.__context__
    return False


def _translated(fault: BaseException) -> BaseException:
    if isinstance(fault, YelenError):
        return fault
    if isinstance(fault, (sqlite3.Error, peewee.PeeweeException)) and _is_resource(fault):
        error: YelenError = OutOfResources(_("Disque plein ou en panne : rien n'a été enregistré."))
        error.__cause__ = fault
        return error
    if isinstance(fault, (sqlite3.IntegrityError, peewee.IntegrityError)):
        log.info("an act met what another one wrote: %s", fault, exc_info=fault)
        error = Conflict(_("Déjà enregistré par un autre poste."))
        error.__cause__ = fault
        return error
    return fault
