"""The DICOM door: a listener, the doorstep, and one thread per established association."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from core.clock import Clock
from core.dicom import associate, upper_layer
from core.dicom.associate import AssociateRequest, BadAssociate
from core.dicom.association import Association, Ending
from core.dicom.conformance import MODALITY_WORKLIST_FIND
from core.dicom.doorstep import Doorstep, Knock
from core.dicom.handlers import Routes
from core.dicom.limits import Limits
from core.dicom.negotiation import Agreement, Callers, Refusal, negotiate
from core.dicom.notes import Happened, Note, Notebook, printable

_log = logging.getLogger(__name__)
_BACKLOG: Final = 128


def _forget(note: Note) -> None:
    _log.info("%s %s %s", note.what, note.address, note.reason)


class DicomServer:
    """Listens from `start` to `stop`. port 0 takes any free port; `address` says which.

    leave: called by each association's thread when it ends, to give back what belongs to a thread.
    secured: makes each accepted socket a TLS one.
    """

    def __init__(
        self,
        title: str,
        host: str,
        port: int,
        callers: Callers,
        routes: Routes,
        clock: Clock,
        limits: Limits | None = None,
        note: Notebook = _forget,
        leave: Callable[[], None] = lambda: None,
        secured: Callable[[socket.socket], socket.socket] | None = None,
    ) -> None:
        self._title = title
        self._host, self._port = host, port
        self._callers = callers
        self.routes = routes
        self._clock = clock
        self._limits = limits or Limits()
        self._note = note
        self._leave = leave
        self._secured = secured
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self._stopping = False
        self._threads: dict[threading.Thread, Association | None] = {}
        self._titles: Counter[str] = Counter()
        self._doorstep: Doorstep | None = None
        self.address: tuple[str, int] = (host, port)

    def start(self) -> None:
        """Raises OSError when the address cannot be had.

        Never SO_REUSEPORT: a second server would silently steal connections.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        self.address = (self._host, int(listener.getsockname()[1]))
        self._doorstep = Doorstep(listener, self._limits, self._clock, self._note, self._enter, self._secured)
        self._doorstep.start()

    def stop(self, grace: float = 5.0) -> None:
        """No new association; those at rest end at once, those in a message get `grace` seconds."""
        if self._doorstep is None:
            return
        self._stopping = True
        self._doorstep.stop()
        for goodbye in (Association.stop, Association.cut):
            with self._ended:
                for association in filter(None, self._threads.values()):
                    goodbye(association)
                self._ended.wait_for(lambda: not self._threads, grace)

    @property
    def associations(self) -> int:
        """How many threads the stage holds now."""
        with self._lock:
            return len(self._threads)

    # In the doorstep's thread.

    def _enter(self, knock: Knock) -> None:
        thread = threading.Thread(target=self._serve, args=(knock,), name="dicom-association", daemon=True)
        with self._lock:
            full = len(self._threads) >= self._limits.associations
            if not full:
                self._threads[thread] = None
        if full:
            knock.connection.setblocking(False)
            self._reject(knock, None, Refusal.LOCAL_LIMIT)
            return
        try:
            thread.start()
        except RuntimeError:  # no thread to be had
            with self._lock:
                del self._threads[thread]
            raise

    # In the association's own thread.

    def _serve(self, knock: Knock) -> None:
        try:
            knock.connection.setblocking(True)
            self._negotiate(knock)
        except Exception:
            _log.exception("an association from %s failed", knock.address)
            knock.connection.close()
        finally:
            self._leave()
            with self._ended:
                self._threads.pop(threading.current_thread(), None)
                self._ended.notify_all()

    def _negotiate(self, knock: Knock) -> None:
        try:
            request = associate.decode(knock.body)
        except BadAssociate as error:
            self._note(Note(Happened.PROBE, knock.address, reason=error.reason))
            self._last_word(knock, upper_layer.abort(upper_layer.INVALID_PARAMETER))
            return
        answer = negotiate(
            request, knock.address, self._title, self._callers, self.routes.offer, self._limits.max_pdu, knock.line
        )
        if isinstance(answer, Refusal):
            self._reject(knock, request, answer)
            return
        with self._seat(answer) as seated:
            if seated:
                self._converse(knock, answer)
            else:
                self._reject(knock, request, Refusal.LOCAL_LIMIT)

    @contextlib.contextmanager
    def _seat(self, agreement: Agreement) -> Iterator[bool]:
        """One of the places of this AE title; False when they are all taken."""
        title = agreement.caller.ae_title.casefold()
        with self._lock:
            free = self._titles[title] < self._limits.associations_per_ae
            self._titles[title] += free
        try:
            yield free
        finally:
            with self._lock:
                self._titles[title] -= free
                if not self._titles[title]:
                    del self._titles[title]

    def _converse(self, knock: Knock, agreement: Agreement) -> None:
        name = f"a{next(self._numbers)}"
        association = Association(
            knock.connection, agreement, self.routes, self._limits, self._clock, name, knock.leftover
        )
        with self._lock:
            self._threads[threading.current_thread()] = association
            if self._stopping:
                association.stop()
        note = Note(
            Happened.OPENED,
            knock.address,
            agreement.caller.ae_title,
            agreement.called,
            name,
            worklist=_worklist_of(agreement),
        )
        self._note(note)
        ending = association.run()
        what = Happened.ABORTED if ending is Ending.ABORTED else Happened.CLOSED
        reason = association.reason or ending.value
        self._note(Note(what, knock.address, agreement.caller.ae_title, agreement.called, name, reason))
        if ending in (Ending.RELEASED, Ending.ABORTED, Ending.STOPPED):
            self._see_out(knock)
        else:
            knock.connection.close()

    def _reject(self, knock: Knock, request: AssociateRequest | None, refusal: Refusal) -> None:
        calling, called = (printable(request.calling), printable(request.called)) if request else ("", "")
        self._note(Note(Happened.REJECTED, knock.address, calling, called, reason=refusal.name))
        self._last_word(knock, upper_layer.reject(*refusal.value))

    def _last_word(self, knock: Knock, pdu: bytes) -> None:
        with contextlib.suppress(OSError):
            knock.connection.send(pdu, socket.MSG_DONTWAIT)
        self._see_out(knock)

    def _see_out(self, knock: Knock) -> None:
        assert self._doorstep is not None
        with contextlib.suppress(OSError):
            knock.connection.shutdown(socket.SHUT_WR)
        self._doorstep.see_out(knock.connection, knock.address)


def _worklist_of(agreement: Agreement) -> str:
    """What became of the machine's proposal of the worklist."""
    proposed = [c for c in agreement.acceptance.request.contexts if c.abstract_syntax == MODALITY_WORKLIST_FIND]
    if not proposed:
        return "not proposed"
    if any(context.abstract_syntax == MODALITY_WORKLIST_FIND for context in agreement.contexts.values()):
        return "accepted"
    return ", ".join(sorted({syntax for context in proposed for syntax in context.transfer_syntaxes})[:8])
