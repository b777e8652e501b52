"""The process of the second building: `yelen replica apply`. It opens the index as a replica and applies what comes."""

from __future__ import annotations

from collections.abc import Callable

from core.clock import Clock
from core.config import Config
from core.errors import Conflict
from core.i18n import _
from core.index.opening import open_index
from core.index.writer import Unit
from core.replication.apply import Applier


def run_replica(config: Config, clock: Clock, ready: Callable[[Applier], object]) -> None:
    """Apply until the applier is stopped; `ready` receives it once it can work.

    Raises `Conflict` when the folder holds a primary: a site that has patients of its own never becomes a copy.
    """
    index = open_index(config.data, clock, "replica")
    try:
        if index.role != "replica":
            raise Conflict(_("%s est un site principal : il ne peut pas recevoir la copie d'un autre.") % config.data)
        # Rows come in the order of two lanes: a row may be here a moment before the row it points to.
        index.writer.do(_no_foreign_keys_soon)
        applier = Applier(config.data, index, clock)
        ready(applier)
        applier.run()
    finally:
        index.close()


def _no_foreign_keys_soon(unit: Unit) -> None:
    def switch() -> None:
        unit.sql("PRAGMA foreign_keys = 0")

    unit.after_commit(switch)  # the pragma does nothing inside a transaction
