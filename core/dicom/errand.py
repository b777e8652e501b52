"""A thread that does what is due, looks again after a while, and is never ended by a fault."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Errand:
    """turn: everything that is due now; it looks at `stopping` between two steps. leave: called as the thread ends."""

    def __init__(
        self, name: str, turn: Callable[[], object], every_s: float, leave: Callable[[], None] = lambda: None
    ) -> None:
        self.stopping = threading.Event()
        self._turn = turn
        self._every_s = every_s
        self._leave = leave
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns at the end of the step under way."""
        self.stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._turn()
            except Exception:
                _log.exception("%s: a turn failed", self._thread.name)
            self.stopping.wait(self._every_s)
        self._leave()
