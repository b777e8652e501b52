"""Reading the audit, and proving that nobody has rewritten it. Reading it is audited too."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import NotAllowed
from core.i18n import _
from core.index.audit import AuditVerdict
from core.index.tables import Audit
from core.index.writer import Unit
from core.model.people import Actor, Role
from core.services.kit import Kit


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One row of the chain."""

    seq: int
    at: str
    actor: str
    post: str
    origin: str
    action: str
    object: str
    outcome: str
    detail: str


class Auditing:
    """Verbs on the audit."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def verify(self) -> AuditVerdict:
        """Walk the whole chain."""
        return self._kit.index.verify_audit()

    def rows(self, actor: Actor, patient_id: int | None = None, what: str = "", limit: int = 200) -> list[AuditLine]:
        """« Qui a vu X »: newest first, of a patient, of an object, or of everything."""
        if not actor.is_any(Role.ADMINISTRATOR, Role.IDENTITY_OFFICER, Role.SYSTEM):
            raise NotAllowed(_("Votre rôle ne permet pas de lire le journal d'audit."))

        def act(unit: Unit) -> None:
            unit.audit(actor, "read_audit", what or "audit", patient_id)

        self._kit.act(actor, "read_audit", act)
        query = Audit.select().order_by(Audit.seq.desc()).limit(limit)
        if patient_id is not None:
            query = query.where(Audit.patient_id == patient_id)
        if what:
            query = query.where(Audit.object == what)
        return [AuditLine(**{f: getattr(r, f) for f in AuditLine.__dataclass_fields__}) for r in query]
