"""The audit chain: HMAC-SHA256(key, previous mac ‖ canonical row). A row that is changed or missing breaks it.

Canonical form 1: the JSON array [1, seq, at, actor, post, origin, action, object, patient, outcome, detail].
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.index.tables import Audit
from core.model.people import Actor

GENESIS = "0" * 64


_spell = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once: an image is audited each time
_tell = json.JSONEncoder(ensure_ascii=False, sort_keys=True, default=str).encode


def canonical(row: tuple[Any, ...]) -> bytes:
    """row: (seq, at, actor, post, origin, action, object, patient_id, outcome, detail)."""
    return _spell([1, *row]).encode()


def mac_of(key: bytes, previous: str, row: tuple[Any, ...]) -> str:
    return hmac.digest(key, previous.encode() + canonical(row), "sha256").hex()


class AuditChain:
    """The head of the chain. It moves with the writer and goes back with a rolled-back act."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.head: tuple[int, str] = (0, GENESIS)

    def load(self, execute: Callable[[str], Any]) -> None:
        last = execute("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        self.head = (last[0], last[1]) if last else (0, GENESIS)

    def append(
        self,
        execute: Callable[[str, tuple[Any, ...]], Any],
        at: str,
        actor: Actor,
        action: str,
        what: str,
        patient_id: int | None,
        outcome: str,
        detail: dict[str, Any],
    ) -> None:
        seq = self.head[0] + 1
        told = _tell(detail) if detail else ""
        row = (seq, at, actor.name, actor.post, actor.origin, action, what, patient_id, outcome, told)
        mac = mac_of(self._key, self.head[1], row)
        execute("INSERT INTO audit VALUES (?,?,?,?,?,?,?,?,?,?,?)", (*row, mac))
        self.head = (seq, mac)


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """ok: every row follows the one before it. first_broken: the sequence number where it stops doing so."""

    ok: bool
    rows: int
    first_broken: int | None = None


def verify(key: bytes) -> AuditVerdict:
    """Walk the whole chain of the bound index."""
    previous, expected, count = GENESIS, 1, 0
    fields = ("seq", "at", "actor", "post", "origin", "action", "object", "patient_id", "outcome", "detail")
    query = Audit.select(*(getattr(Audit, f) for f in fields), Audit.mac).order_by(Audit.seq).tuples().iterator()
    for row in query:
        *facts, mac = row
        if facts[0] != expected or not hmac.compare_digest(mac, mac_of(key, previous, tuple(facts))):
            return AuditVerdict(False, count, expected)
        previous, expected, count = mac, expected + 1, count + 1
    return AuditVerdict(True, count)
