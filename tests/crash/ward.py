"""The little hospital of the kill test: children, orders, images and reports made anew for every round."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.archive.part10 import read_file_meta
from install.demo.children import Child, Visit
from install.demo.messages import admission, order
from tests.people.images import dataset, encoded


def child(number: int) -> Child:
    return Child(f"CDG{number:07d}", "SAWADOGO", f"Rasmata{number}", "20210314", "F", ward="URG")


def admitted(who: Child) -> tuple[str, bytes]:
    """(MSH-10, ADT^A04)."""
    control_id = f"A{who.number}"
    return control_id, _numbered(admission(who, "", _now()), control_id)


def ordered(who: Child, exam: int, minutes: int) -> tuple[str, bytes]:
    """(MSH-10, ORM NW) of the exam number `exam`, on the radiography machine."""
    control_id = f"O{who.number}-{exam}"
    visit = Visit(who, "RX-THORAX", "RX THORAX F", "DX", "RADIO1", minutes, "toux", "ZONGO^Paul")
    return control_id, _numbered(order(visit, int(who.number[3:]) * 10 + exam, "", _now()), control_id)


def image(who: Child, study: str, uid: str) -> bytes:
    return encoded(
        dataset(
            uid, study, patient_id=who.number, name=f"{who.family}^{who.given}", Modality="DX", StudyDate="20261124"
        )
    )


def _now() -> datetime:
    return datetime.now(UTC) + timedelta(0)


def _numbered(message: bytes, control_id: str) -> bytes:
    return message.replace(b"||P|2.5", f"|{control_id}|P|2.5".encode(), 1)


class Books:
    """What the box has written, read by plain SQL while it is down or up."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.data / 'index.sqlite'}?mode=ro", uri=True)) as index:
            return index.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Any:
        ((value,),) = self.ask(sql, *values)
        return value

    def steps_of(self, who: Child) -> list[tuple[int, str, str]]:
        """(step, status, Study UID) of a child's exams, in order of the order."""
        return self.ask(
            "SELECT s.id, s.status, r.study_instance_uid FROM step s JOIN patient p ON p.id = s.patient_id "
            "JOIN requested_procedure r ON r.id = s.procedure_id WHERE p.number = ? ORDER BY s.id",
            who.number,
        )

    def events(self, step: int, event: str) -> int:
        return int(self.one("SELECT COUNT(*) FROM step_history WHERE step_id = ? AND event = ?", step, event))

    def holds(self, uid: str, sent: bytes) -> bool:
        """Exactly one row for an image, whose file has the row's hash and the bytes that were sent."""
        rows = self.ask("SELECT path, sha256 FROM instance WHERE sop_instance_uid = ?", uid)
        if len(rows) != 1:
            return False
        content = (self.data / rows[0][0]).read_bytes()
        return (
            hashlib.sha256(content).hexdigest() == rows[0][1]
            and content.endswith(sent)
            and content[read_file_meta(content).dataset_offset :] == sent
        )

    def check_files(self) -> None:
        """No partial file, no row without its file, no file without its row."""
        assert not list(self.data.rglob("*.part"))
        named = {row[0] for row in self.ask("SELECT path FROM instance UNION SELECT path FROM quarantine")}
        lying = {
            str(f.relative_to(self.data))
            for folder in ("archive", "quarantine")
            for f in (self.data / folder).rglob("*.dcm")
        }
        assert named == lying, (named - lying, lying - named)
        assert self.one("PRAGMA integrity_check") == "ok"

    def check_once(self, children: Iterable[Child]) -> None:
        """Nothing was applied twice."""
        for who in children:
            assert self.one("SELECT COUNT(*) FROM patient WHERE number = ?", who.number) == 1, who.number
        twice = self.ask("SELECT placer_number, COUNT(*) FROM imaging_service_request GROUP BY 1 HAVING COUNT(*) > 1")
        assert not twice, twice
        applied = self.ask(
            "SELECT control_id, COUNT(*) FROM inbox WHERE state = 'applied' GROUP BY 1 HAVING COUNT(*) > 1"
        )
        assert not applied, applied
        births = self.ask(
            "SELECT step_id, COUNT(*) FROM step_history WHERE event = 'ORDER_RECEIVED' GROUP BY 1 HAVING COUNT(*) <> 1"
        )
        assert not births, births
