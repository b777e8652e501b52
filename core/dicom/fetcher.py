"""The thread that drains what other archives still have to send us, one study at a time: nobody's line is filled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from core.clock import Clock
from core.model.fetching import Fetch
from core.unfailing import keep_on

TURN_S: Final = 2.0
PRIORS_EVERY_S: Final = 10.0
GRACE_S: Final = 5.0


class Fetching(Protocol):
    """The verbs of `core.services.fetching`."""

    def prefetch(self) -> int: ...
    def due(self) -> Fetch | None: ...
    def fetch(self, fetch: Fetch) -> Fetch: ...


class Fetcher:
    """leave: called at the end of the thread (it gives its index connection back)."""

    def __init__(self, fetching: Fetching, clock: Clock, leave: Callable[[], None] = lambda: None) -> None:
        self._fetching = fetching
        self._clock = clock
        self._leave = leave
        self._stopping = threading.Event()
        self._priors_at = 0.0
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """A study that is on its way gets `GRACE_S`; it is asked for again at the next start."""
        self._stopping.set()
        self._thread.join(GRACE_S)

    def _run(self) -> None:
        try:
            keep_on(self._turn, self._stopping, lambda fault: None)
        finally:
            self._leave()

    def _turn(self) -> None:
        fetch = self._fetching.due()
        if fetch is not None:
            self._fetching.fetch(fetch)
        if self._clock.monotonic() >= self._priors_at:
            self._priors_at = self._clock.monotonic() + PRIORS_EVERY_S
            self._fetching.prefetch()
        elif fetch is None:
            self._stopping.wait(TURN_S)
