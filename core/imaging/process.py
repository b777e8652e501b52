"""The box's side of one imaging worker: start it, ask it, and outlive it.

A worker that dies on a job is started again and asked once more; the second death condemns the file, not the box.
A job over its deadline, or cancelled while it runs, ends its worker: nothing else stops a codec.
A worker that cannot even start (no memory, no descriptor) says nothing about the file: `OutOfResources`, and the next
job tries again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from core.errors import OutOfResources
from core.i18n import _
from core.imaging.not_displayable import NotDisplayable, Reason
from core.imaging.wire import Job, Leaving, Ready, Reply, receive, send

log = logging.getLogger(__name__)
_PASSED_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "TZ")
WORKER = (sys.executable, "-P", "-m", "core.imaging.worker")
MAX_LEAVINGS = 3
START_S = 60.0  # until a worker says that it is ready
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Cancellation:
    """Given with a job, so that somebody else may give the job up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acts: list[Callable[[], None]] = []
        self.cancelled = False

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            acts, self._acts = self._acts, []
        for act in acts:
            act()

    def then(self, act: Callable[[], None]) -> None:
        """Call `act` at cancellation, or now when it has happened."""
        with self._lock:
            if not self.cancelled:
                self._acts.append(act)
                return
        act()


class Ticket:
    """One job's place in the queue."""

    def __init__(self, cancel: Cancellation | None) -> None:
        self.cancel = cancel

    @property
    def cancelled(self) -> bool:
        return self.cancel is not None and self.cancel.cancelled


class WorkerProcess:
    """One worker, started at the first job and again whenever it is needed; jobs are done one after the other."""

    def __init__(
        self,
        *,
        memory_bytes: int,
        cache_bytes: int,
        idle_s: int,
        deadline_s: float,
        niceness: int = 0,
        command: Sequence[str] = WORKER,
    ) -> None:
        self.deadline_s = deadline_s
        self._command = list(command)
        self._options = [str(memory_bytes), str(cache_bytes), str(idle_s), str(niceness)]
        self._turn = threading.Condition()
        self._queue: deque[Ticket] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._closed = False
        self._decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """The process that runs now, if any."""
        return self._process.pid if self._process else None

    def ask(
        self, job: Job, fd: int, cancel: Cancellation | None = None, *, out: int | None = None, more_s: float = 0.0
    ) -> tuple[Reply, int | None]:
        """The answer, and the descriptor that came with it. out: where the job may write. more_s: beyond the deadline.

        Raises `NotDisplayable` when no worker gave one, `OutOfResources` when none could start.
        """
        with self._my_turn(cancel) as ticket:
            for _attempt in range(2):
                try:
                    return self._once(job, [fd] if out is None else [fd, out], self.deadline_s + more_s)
                except TimeoutError:
                    self._discard()
                    raise NotDisplayable(Reason.TOO_LONG, seconds=round(self.deadline_s + more_s)) from None
                except OutOfResources:
                    self._refuse_dead(ticket)  # it was ended on purpose while it started
                    raise
                except (EOFError, OSError, msgspec.DecodeError):
                    self._discard()
                    self._refuse_dead(ticket)
        raise NotDisplayable(Reason.CRASHED)

    def warm(self) -> None:
        """Start the process before anybody needs it."""
        with self._my_turn(None):
            self._connection()

    def close(self) -> None:
        """End the process and every job that waits."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
            self._kill()
            self._turn.wait_for(lambda: not self._queue)
            self._discard()

    def _once(self, job: Job, fds: list[int], deadline_s: float) -> tuple[Reply, int | None]:
        for _again in range(MAX_LEAVINGS):
            sock = self._connection()
            sock.settimeout(deadline_s)
            send(sock, job, *fds)
            reply, shared = receive(sock, self._decoder)
            if not isinstance(reply, Leaving):
                return reply, shared[0] if shared else None
            self._discard()
        raise EOFError("it only ever leaves")

    @contextlib.contextmanager
    def _my_turn(self, cancel: Cancellation | None) -> Iterator[Ticket]:
        ticket = Ticket(cancel)
        with self._turn:
            self._queue.append(ticket)
        if cancel:
            cancel.then(lambda: self._give_up(ticket))
        try:
            with self._turn:
                self._turn.wait_for(lambda: self._queue[0] is ticket or ticket.cancelled or self._closed)
            self._refuse_dead(ticket)
            yield ticket
        finally:
            with self._turn:
                self._queue.remove(ticket)
                self._turn.notify_all()

    def _refuse_dead(self, ticket: Ticket) -> None:
        if self._closed:
            raise NotDisplayable(Reason.STOPPED)
        if ticket.cancelled:
            raise NotDisplayable(Reason.CANCELLED)

    def _give_up(self, ticket: Ticket) -> None:
        with self._turn:
            if self._queue and self._queue[0] is ticket:
                self._kill()
            self._turn.notify_all()

    def _connection(self) -> socket.socket:
        if self._sock is None:
            try:
                self._sock = self._start()
                self._sock.settimeout(START_S)
                said, _fds = receive(self._sock, self._decoder)
                if not isinstance(said, Ready):
                    raise EOFError("not a worker")
            except (OSError, EOFError, msgspec.DecodeError) as fault:
                self._discard()
                log.warning("the imaging worker does not start: %r", fault)
                raise OutOfResources(
                    _("Le service d'images ne peut pas démarrer (machine surchargée) : réessayer.")
                ) from fault
            self.starts += 1
        return self._sock

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            environment = {key: os.environ[key] for key in _PASSED_ENVIRONMENT if key in os.environ} | _ONE_THREAD
            try:
                self._process = subprocess.Popen(
                    [*self._command, str(theirs.fileno()), *self._options],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=environment,
                )
            except OSError:
                ours.close()
                raise
        return ours

    def _kill(self) -> None:
        process = self._process
        if process:
            process.kill()

    def _discard(self) -> None:
        """End the process that is there; the next job starts another."""
        process, sock, self._process, self._sock = self._process, self._sock, None, None
        if sock:
            sock.close()
        if process:
            process.kill()
            process.wait()
