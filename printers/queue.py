"""Draining the durable print queue: a thread for each declared printer, so that a silent one delays nobody else.

A supervisor looks at the declarations every few seconds: a printer added, moved or removed while the box runs is
followed without a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from core.clock import Clock
from core.errors import BadInput
from core.model.printing import Printer
from printers.lane import BACK_OFF_S, Lane
from printers.ports import Condition, Driver, PrinterState, PrintQueue

LOOK_S = 5.0
log = logging.getLogger(__name__)


class PrintRunner:
    """Lanes for the printers that `declared` lists. `thread_ends` is called by each thread at its end."""

    def __init__(
        self,
        declared: Callable[[], Sequence[Printer]],
        driver_for: Callable[[Printer], Driver],
        queue: PrintQueue,
        clock: Clock,
        thread_ends: Callable[[], None] = lambda: None,
    ) -> None:
        self._declared = declared
        self._driver_for = driver_for
        self._queue = queue
        self._clock = clock
        self._thread_ends = thread_ends
        self._running: dict[str, _Running] = {}
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="print", daemon=True)

    def start(self) -> None:
        self._bell.set()
        self._supervisor.start()

    def wake(self, printer: str) -> None:
        """A job was queued, resumed or withdrawn. Quick: called from the writer."""
        running = self._running.get(printer)
        (running.bell if running else self._bell).set()

    def stop(self) -> None:
        """Returns when every lane has finished its step; nothing is left half sent."""
        self._stopping.set()
        self._bell.set()
        self._supervisor.join()

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            rung = self._bell.wait(LOOK_S)
            self._bell.clear()
            self._look(rung)
        self._end(list(self._running))
        self._thread_ends()

    def _look(self, rung: bool) -> None:
        """`rung`: somebody has work for a lane that was not there yet."""
        try:
            self._follow_declarations()
        except Exception:
            log.exception("print supervisor")
        for one in self._running.values() if rung else ():
            one.bell.set()

    def _follow_declarations(self) -> None:
        wanted = {printer.name: printer for printer in self._declared() if printer.active}
        self._end([name for name, one in self._running.items() if not one.is_for(wanted.get(name))])
        for name, printer in wanted.items():
            if name not in self._running:
                self._begin(printer)

    def _begin(self, printer: Printer) -> None:
        try:
            lane = Lane(printer.name, self._driver_for(printer), self._queue, self._clock)
        except Exception as error:  # one declaration that nobody can follow hinders no other printer
            if not isinstance(error, BadInput):
                log.exception("printer %s", printer.name)
            if printer.state != str(error):
                self._queue.printer_is(printer.name, PrinterState(Condition.AWAY, ("address",), str(error)))
            return
        self._running[printer.name] = _Running(printer, lane, self._thread_ends)

    def _end(self, names: list[str]) -> None:
        """All are told before any is waited for."""
        ending = [self._running.pop(name) for name in names]
        for one in ending:
            one.stop()
        for one in ending:
            one.thread.join()


class _Running:
    """A lane with its thread."""

    def __init__(self, printer: Printer, lane: Lane, thread_ends: Callable[[], None]) -> None:
        self.bell = threading.Event()
        self._printer = printer
        self._lane = lane
        self._thread_ends = thread_ends
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"print-{printer.name}", daemon=True)
        self.thread.start()

    def is_for(self, printer: Printer | None) -> bool:
        return printer is not None and _nature(printer) == _nature(self._printer)

    def stop(self) -> None:
        self._stopping.set()
        self.bell.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.bell.wait(_stepped(self._lane))
            self.bell.clear()
        self._thread_ends()


def _nature(printer: Printer) -> tuple[str, str, str]:
    """What its driver is made from; the rest changes while it prints."""
    return printer.kind, printer.uri, printer.takes


def _stepped(lane: Lane) -> float:
    """A fault of ours must not stop a printer for good: it is logged, and the lane comes back."""
    try:
        return lane.step()
    except Exception:
        log.exception("print lane %s", lane.printer)
        return BACK_OFF_S[-1]
