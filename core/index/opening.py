"""Opening the index of a data folder: bind, migrate, check, start the writer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.config.secret_files import load_key
from core.i18n import _
from core.index.audit import AuditChain, AuditVerdict, verify
from core.index.database import IndexDatabase, bind, close_thread, migrate
from core.index.tables import Node
from core.index.writer import Writer


@dataclass(frozen=True, slots=True)
class Index:
    """An open index: its database for readers, its writer for acts."""

    db: IndexDatabase
    writer: Writer
    audit_key: bytes
    epoch: int
    role: str

    def verify_audit(self) -> AuditVerdict:
        return verify(self.audit_key)

    def close_thread(self) -> None:
        """A thread that read and now ends gives its connection back."""
        close_thread(self.db)

    def close(self) -> None:
        close_thread(self.db)
        self.writer.close()


def open_index(data: Path, clock: Clock, role: str = "primary") -> Index:
    """The index of a data folder, created when it does not exist. Raises `BadConfig` for a newer index.

    role: of a new index only; an existing one knows its own. A replica takes rows from its primary and no acts.
    """
    key = load_key(data / "secrets" / "audit.key")
    path = data / "index.sqlite"
    if not path.exists():
        path.touch(mode=0o600)
    db = bind(path)

    def prepare(database: IndexDatabase) -> None:
        migrate(database)
        if Node.select().count() == 0:
            Node.create(role=role, created_at=clock.now())
        if Node.get().role == "replica":
            # Rows come in the order of two lanes: one may be here a moment before the row it points to.
            database.execute_sql("PRAGMA foreign_keys = 0")

    writer = Writer(db, clock, AuditChain(key))
    writer.start(prepare)
    node = Node.select().get()
    if node.role == "replica":
        writer.seal(_("Ce site est la copie : on n'y écrit pas, tout s'écrit au site principal."))
    return Index(db, writer, key, node.epoch, node.role)
