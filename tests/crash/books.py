"""What the box has written, read by plain SQL while it is down or up: every promise, and nothing twice."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from core.archive.part10 import read_file_meta
from install.demo.children import Child

ONCE = {  # each must find nothing
    "an order twice": "SELECT placer_number FROM imaging_service_request WHERE placer_number <> '' "
    "GROUP BY placer_number HAVING COUNT(*) > 1",
    "a patient twice": "SELECT family_name, given_names FROM patient GROUP BY 1, 2 HAVING COUNT(*) > 1",
    "a message twice": "SELECT control_id FROM inbox GROUP BY control_id HAVING COUNT(*) > 1",
    "a message not applied": "SELECT control_id, state, ack_text FROM inbox WHERE state <> 'applied'",
    "an event twice": "SELECT step_id, machine, event FROM step_history GROUP BY 1, 2, 3 HAVING COUNT(*) > 1",
    "an exam without its birth": "SELECT id FROM step WHERE id NOT IN "
    "(SELECT step_id FROM step_history WHERE event = 'ORDER_RECEIVED')",
    "a report twice": "SELECT step_id FROM report_version GROUP BY 1 HAVING COUNT(*) > 1",
    "a result without its report": "SELECT id FROM outbox WHERE subject NOT IN (SELECT id FROM report_version)",
    "a report without its result": "SELECT id FROM report_version WHERE state = 'signed' AND id NOT IN "
    "(SELECT subject FROM outbox)",
    "a result twice": "SELECT subject FROM outbox GROUP BY 1 HAVING COUNT(*) > 1",
    "a number twice": "SELECT control_id FROM outbox GROUP BY 1 HAVING COUNT(*) > 1",
    "a study twice": "SELECT step_id FROM study GROUP BY 1 HAVING COUNT(*) > 1",
    "a study that counts wrong": "SELECT t.id, t.instances, t.bytes, COUNT(i.id), SUM(i.size) FROM study t "
    "JOIN series s ON s.study_id = t.id JOIN instance i ON i.series_id = s.id "
    "GROUP BY t.id HAVING t.instances <> COUNT(i.id) OR t.bytes <> SUM(i.size)",
    "something set aside": "SELECT reason, detail FROM quarantine",
    "something for a person to sort out": "SELECT kind, text FROM task",
    "an image kept but not in the audit": "SELECT 'instance:' || key FROM instance EXCEPT "
    "SELECT object FROM audit WHERE action = 'store'",
    "an image in the audit but not kept": "SELECT object FROM audit WHERE action = 'store' EXCEPT "
    "SELECT 'instance:' || key FROM instance",
    "an act twice in the audit": "SELECT action, object FROM audit WHERE action IN ('store', 'hl7_in', 'print', "
    "'register_patient') GROUP BY 1, 2 HAVING COUNT(*) > 1",
}


class Books:
    """The index and the files of one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.data / 'index.sqlite'}?mode=ro", uri=True)) as index:
            return index.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> Any:
        ((value,),) = self.ask(sql, *values)
        return value

    def steps_of(self, who: Child) -> list[tuple[int, str]]:
        """(step, Study UID) of the exams that the HIS ordered for a child, in the order of their numbers."""
        return self.ask(
            "SELECT s.id, r.study_instance_uid FROM step s JOIN patient p ON p.id = s.patient_id "
            "JOIN requested_procedure r ON r.id = s.procedure_id JOIN imaging_service_request q ON q.id = r.request_id "
            "WHERE p.number = ? AND q.placer_number <> '' ORDER BY q.placer_number",
            who.number,
        )

    def events(self, step: int, event: str) -> int:
        return int(self.one("SELECT COUNT(*) FROM step_history WHERE step_id = ? AND event = ?", step, event))

    def messages(self, control_id: str) -> int:
        sql = "SELECT COUNT(*) FROM inbox WHERE control_id = ? AND state = 'applied' AND ack_code = 'AA'"
        return int(self.one(sql, control_id))

    def signatures(self, step: int) -> int:
        return int(self.one("SELECT COUNT(*) FROM report_version WHERE step_id = ? AND state = 'signed'", step))

    def images(self, uid: str, sent: str) -> int:
        """Rows of an image; the file of each has the row's hash, its data set the hash of what was sent."""
        rows = self.ask("SELECT path, sha256 FROM instance WHERE sop_instance_uid = ?", uid)
        for path, sha256 in rows:
            content = (self.data / path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256, path
            assert hashlib.sha256(content[read_file_meta(content).dataset_offset :]).hexdigest() == sent, path
        return len(rows)

    def check_files(self) -> None:
        """Nothing half-written, no row without its file, no file without its row; the index itself is sound."""
        assert not [*self.data.rglob("*.part"), *self.data.rglob("*.spool")]
        rows = "SELECT path FROM instance UNION SELECT path FROM quarantine UNION SELECT payload FROM print_job"
        named = {path for (path,) in self.ask(rows)}
        folders = [self.data / name for name in ("archive", "quarantine", "paper")]
        lying = {str(f.relative_to(self.data)) for folder in folders for f in folder.rglob("*") if f.is_file()}
        assert named == lying, f"rows without file {named - lying}, files without row {lying - named}"
        assert self.one("PRAGMA integrity_check") == "ok"

    def check_once(self, but: frozenset[str] = frozenset()) -> None:
        """Nothing was done twice, nothing by halves. but: what does not hold on this day."""
        for what in ONCE.keys() - but:
            found = self.ask(ONCE[what])
            assert not found, f"{what}: {found}"
