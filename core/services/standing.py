"""How the box stands: counts, queues, disk, second building. One value for `status`, the terminal and the kiosk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from core.index.state_counts import by_state
from core.index.tables import (
    Inbox,
    Node,
    Outbox,
    Patient,
    PrintJob,
    Quarantine,
    Study,
    Task,
    TransferRow,
)
from core.services.compression import gained
from core.services.kit import Kit
from core.services.ports import Ports


class Standing:
    """Counted when asked."""

    def __init__(self, kit: Kit, ports: Ports, version: str, started_at: datetime) -> None:
        self._kit = kit
        self._ports = ports
        self._version = version
        self._started_at = started_at
        self.recovery: list[str] = []  # what the start found, in French

    def status(self) -> dict[str, Any]:
        """Everything `yelen status --json` promises."""
        applied, letters, papers = by_state(Inbox), by_state(Outbox), by_state(PrintJob)
        transfers = by_state(TransferRow)
        # Counted by study: millions of instances are not walked every few seconds.
        studies, series, instances = Study.select(
            fn.COUNT(Study.id), fn.SUM(Study.series), fn.SUM(Study.instances)
        ).tuples()[0]
        return {
            "version": self._version,
            "uptime_s": int((self._kit.now() - self._started_at).total_seconds()),
            "recovery": self.recovery,
            "doors": self._ports.doors() if self._ports.doors else {},
            "patients": Patient.select().where(Patient.merged_into.is_null()).count(),
            "studies": studies,
            "series": series or 0,
            "instances": instances or 0,
            "quarantined": Quarantine.select().where(Quarantine.settled_at.is_null()).count(),
            "unreconciled": Study.select().where(Study.match == "unreconciled").count(),
            "tasks": Task.select().where(Task.done_at.is_null()).count(),
            "hl7": {
                "received": sum(applied.values()),
                "applied": applied.get("applied", 0) + applied.get("stale", 0),
                "quarantined": applied.get("quarantined", 0),
                "refused": applied.get("refused", 0) + applied.get("error", 0),
                "dead": letters.get("DEAD", 0),
            },
            "outbox": {
                "queued": letters.get("QUEUED", 0) + letters.get("SENT", 0),
                "failed": letters.get("DEAD", 0),
            },
            "transfers": {
                "queued": sum(transfers.get(s, 0) for s in ("WAITING", "QUEUED", "SENDING")),
                "failed": transfers.get("DEAD", 0),
            },
            "print": {
                "queued": sum(papers.get(s, 0) for s in ("queued", "sending", "sent", "printing", "unknown")),
                "failed": papers.get("failed", 0),
            },
            "replica": self.replica(),
            "compression": gained(),
            "disk": self._disk(),
        }

    def replica(self) -> dict[str, Any]:
        """How the second building stands."""
        return self._ports.replica() if self._ports.replica else self._alone()

    def _alone(self) -> dict[str, Any]:
        node = Node.select().get()
        return {"role": node.role, "epoch": node.epoch, "lag_seq": 0, "lag_s": 0, "target": ""}

    def _disk(self) -> dict[str, Any]:
        free = self._kit.archive.free_bytes()
        since = self._kit.now() - timedelta(days=7)
        recent = Study.select(fn.SUM(Study.bytes), fn.MIN(Study.received_at))
        bytes_in, first = recent.where(Study.received_at > since).tuples()[0]
        days = max((self._kit.now() - first).total_seconds() / 86400, 1.0) if bytes_in else 1.0
        return {
            "free_bytes": free,
            "free_percent": round(self._kit.archive.free_percent(), 1),
            "days_left": min(int(free / (bytes_in / days)), 9_999) if bytes_in else None,
        }
