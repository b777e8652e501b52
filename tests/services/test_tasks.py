"""What people must look at is one line each, for whom it is, with a way out; and it ends, with who and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.index.tables import Audit, Quarantine, Task
from core.model import task as tasks
from core.model.people import Actor, Role
from core.model.received import Stored
from core.services import Services
from core.services.tasks import ask
from tests.people.hospital import ADMIN, CLINICIAN, IDENTITY, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import STRANGER, arrival
from tests.services.test_identity import planned

LEAD = Actor("cadre1", frozenset({Role.LEAD_TECHNOLOGIST}), origin="test")


def asked(services: Services) -> int:
    """A line for the reception."""
    services.kit.index.writer.do(lambda unit: ask(unit, "late_cancel", Role.RECEPTION, "Annulation tardive : TDM"))
    return int(Task.get(Task.kind == "late_cancel").id)


def test_a_line_is_for_its_role_and_for_who_leads(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        number = asked(services)
        for person in (RECEPTION, LEAD, ADMIN):
            (line,) = services.tasks.waiting(person)
            assert (line.id, line.text, line.role) == (number, "Annulation tardive : TDM", Role.RECEPTION)
            assert line.way_out == "voir avec le service si l'examen reste valable"
        assert services.tasks.waiting(TECHNOLOGIST) == []
        with pytest.raises(NotAllowed):
            services.tasks.waiting(CLINICIAN)
        with pytest.raises(NotFound):
            services.tasks.settle(TECHNOLOGIST, number, "fait")


def test_a_person_ends_a_line_and_says_how(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        number = asked(services)
        with pytest.raises(BadInput):
            services.tasks.settle(RECEPTION, number, " ")
        services.clock.advance(60)  # type: ignore[attr-defined]
        services.tasks.settle(RECEPTION, number, "le service confirme")
        row = Task.get_by_id(number)
        assert (row.done_by, row.done_at) == ("reception1", services.clock.now())
        assert services.tasks.waiting(RECEPTION) == []
        assert services.status()["tasks"] == 0
        assert "le service confirme" in Audit.get(Audit.action == "task_done").detail
        services.tasks.settle(ADMIN, number, "encore")
        assert Task.get_by_id(number).done_by == "reception1"


def test_images_to_be_attached_leave_the_list_when_they_are_attached(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        study = services.ingest.store(arrival(sender=STRANGER)).study_id
        assert study is not None
        (line,) = services.tasks.waiting(TECHNOLOGIST)
        with pytest.raises(Conflict, match="d'elle-même"):
            services.tasks.settle(TECHNOLOGIST, line.id, "vu")
        services.reconciliation.attach(TECHNOLOGIST, study, step, "même enfant")
        assert services.tasks.waiting(TECHNOLOGIST) == []
        assert Task.get_by_id(line.id).done_by == "manip1"


def test_what_was_set_aside_is_settled_by_a_person_and_its_bytes_are_kept(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.ingest.store(arrival())
        services.ingest.store(arrival(shade=1))
        (line,) = services.ingest.quarantine(TECHNOLOGIST)
        with pytest.raises(NotAllowed):
            services.ingest.settle(RECEPTION, line.id, "image de test")
        with pytest.raises(BadInput):
            services.ingest.settle(IDENTITY, line.id, "")
        services.ingest.settle(IDENTITY, line.id, "image de test")
        assert services.ingest.quarantine(TECHNOLOGIST) == []
        assert services.status()["quarantined"] == 0
        row = Quarantine.get_by_id(line.id)
        assert (row.settled_by, row.settled_how, row.settled_at) == ("iv1", "image de test", services.clock.now())
        assert services.kit.archive.absolute(row.path).exists()
        with pytest.raises(Conflict, match="iv1"):
            services.ingest.settle(TECHNOLOGIST, line.id, "encore")
        assert services.ingest.store(arrival(shade=1)).what is Stored.QUARANTINED
        assert services.ingest.quarantine(TECHNOLOGIST) == []


def test_every_kind_that_the_code_asks_for_has_a_way_out_of_its_own() -> None:
    """Kinds are words in the services: the words of the code are the list."""
    root = Path(tasks.__file__).parents[1] / "services"
    text = "\n".join(f.read_text() for f in sorted(root.glob("*.py")))
    known = [kind for kind in KINDS if f'"{kind}"' in text]
    assert known == list(KINDS)
    assert all(tasks.way_out(kind) != tasks.way_out("?") for kind in KINDS)


KINDS = (
    *("reconcile", "damaged", "done_though_canceled", "late_cancel", "indication", "merge", "identifier"),
    *("order_unknown", "order_exam", "order_patient", "mpps_patient", "rejected_after_report", "commitment", "fetch"),
)
