"""The loop of a door: whatever goes wrong in a turn is logged, told once, waited out, and followed by the next turn.

A port that closed for good after one exception would lose images until somebody looks.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.1  # seconds; no descriptor left means that the same call fails at once again
LONGEST_PAUSE: Final = 2.0


def keep_on(turn: Callable[[], object], stopping: threading.Event, tell: Callable[[str], object]) -> None:
    """One turn after the other until `stopping`. tell: hears of the first of several failures in a row."""
    pause = 0.0
    while not stopping.is_set():
        try:
            turn()
            pause = 0.0
        except Exception as error:
            if stopping.is_set():
                return
            log.exception("%s: a turn failed", threading.current_thread().name)
            if not pause:
                say(tell, error)
            pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
            stopping.wait(pause)


def say(tell: Callable[[str], object], error: Exception) -> None:
    """`door-fault: EMFILE`, or the class of the error; whoever is told may be broken too."""
    number = error.errno if isinstance(error, OSError) else None
    try:
        tell(f"door-fault: {errno.errorcode.get(number or 0, type(error).__name__)}")
    except Exception:
        log.exception("a fault of a door was not told")
