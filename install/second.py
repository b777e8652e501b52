"""The second building's box: it receives the copy, nothing else listens; how it stands."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.clock import Clock, SystemClock
from core.config import Config
from core.i18n import _
from install import one_server
from install.notify import notify, watchdog_seconds

if TYPE_CHECKING:
    from core.replication.apply import Applier


def follow(config: Config, say: Callable[[str], object]) -> None:
    """Apply what arrives until SIGTERM or SIGINT. Raises `Conflict` in a primary's folder."""
    from core.replication.service import run_replica

    def ready(applier: Applier) -> None:
        def leave(_number: int, _frame: FrameType | None) -> None:
            applier.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, leave)
        say(_("prêt : la copie de ce dossier suit le site principal."))
        notify("READY=1")

    clock = SystemClock()
    with one_server.hold(config.data):
        try:
            run_replica(config, clock, ready, _beat(clock, watchdog_seconds()))
        finally:
            notify("STOPPING=1")


def standing(config: Config) -> dict[str, Any]:
    """What a copy has applied, read from its state, whether it runs or not."""
    from core.replication.service import own_state

    state = own_state(config.data)
    return {
        "role": "replica",
        "epoch": state.epoch,
        "site": state.site,
        **{f"applied_row.{lane}": seq for lane, seq in sorted(state.applied.items())},
        **{f"trouble.{lane}": sentence for lane, sentence in sorted(state.trouble.items())},
        "keys": state.keys,
        "at": state.at,
    }


def _beat(clock: Clock, every: float | None) -> Callable[[], None]:
    """A sign of life for systemd, not at every look."""
    last = 0.0

    def beat() -> None:
        nonlocal last
        if every is not None and clock.monotonic() - last >= every:
            last = clock.monotonic()
            notify("WATCHDOG=1")

    return beat
