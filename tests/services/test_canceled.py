"""A cancelled exam that took place all the same: its images are in a list, and a person is told once."""

from __future__ import annotations

from pathlib import Path

from core.index.tables import Study, Task
from core.model.performed import MppsFacts
from core.model.step import Flag
from core.model.worklist import WorklistStatus
from core.services import Services
from tests.people.hospital import RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import planned


def canceled(services: Services) -> tuple[int, str, str]:
    step, number, uid = planned(services)
    services.scheduling.cancel(RECEPTION, step, "parti")
    return step, number, uid


def asked() -> list[int]:
    return [t.step_id for t in Task.select().where(Task.kind == "done_though_canceled", Task.done_at.is_null())]


def test_images_of_a_cancelled_exam_are_to_be_attached(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = canceled(services)
        for image in ("1.1", "1.2"):
            outcome = services.ingest.store(arrival(image, study=uid, patient_id=number))
        assert (outcome.step_id, outcome.unreconciled) == (step, False)
        assert [line.id for line in services.reconciliation.unmatched(TECHNOLOGIST)] == [outcome.study_id]
        assert asked() == [step]
        assert str(Flag.DONE_THOUGH_CANCELED) in services.scheduling.line(RECEPTION, step).flags


def test_they_leave_the_list_with_the_exam_that_takes_place_after_all(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = canceled(services)
        outcome = services.ingest.store(arrival("1.1", study=uid, patient_id=number))
        draft_again, _number, _uid = planned(services, "OUEDRAOGO", "Aicha", 30)
        services.reconciliation.attach(TECHNOLOGIST, outcome.study_id or 0, draft_again, "examen repris")
        assert services.reconciliation.unmatched(TECHNOLOGIST) == []
        assert asked() == []
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.CANCELED


def test_a_cancelled_exam_that_is_wanted_again_leaves_the_list(tmp_path: Path) -> None:
    from tests.replication.every_verb import LEAD

    with hospital(tmp_path) as services:
        step, number, uid = canceled(services)
        services.ingest.store(arrival("1.1", study=uid, patient_id=number))
        services.scheduling.reactivate(LEAD, step, "il a eu lieu")
        assert services.reconciliation.unmatched(TECHNOLOGIST) == []


def test_images_put_by_hand_on_a_cancelled_exam_do_not_vanish(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, _uid = canceled(services)
        outcome = services.ingest.store(arrival("1.1", patient_id=number))
        services.reconciliation.attach(TECHNOLOGIST, outcome.study_id or 0, step, "mauvaise ligne")
        assert [line.step_id for line in services.reconciliation.unmatched(TECHNOLOGIST)] == [step]
        assert asked() == [step]


def test_a_machine_that_reports_a_cancelled_exam_is_heard(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = canceled(services)
        services.mpps.create(MppsFacts("5.1", "SCANNER1", "127.0.0.1", "IN PROGRESS", ((uid, "", "", ""),), number))
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.CANCELED
        assert asked() == [step]


def test_an_exam_emptied_of_its_images_never_took_place(tmp_path: Path) -> None:
    """The machine that began it without an order says that it has ended."""
    with hospital(tmp_path) as services:
        step, number, _uid = planned(services)
        facts = MppsFacts("5.1", "SCANNER1", "127.0.0.1", "IN PROGRESS", (("9.9", "", "", ""),), number, modality="CT")
        services.mpps.create(facts)
        outcome = services.ingest.store(arrival("1.1", study="9.9", patient_id=number))
        services.reconciliation.attach(TECHNOLOGIST, outcome.study_id or 0, step, "mauvaise ligne choisie")
        services.mpps.set(MppsFacts("5.1", "SCANNER1", "127.0.0.1", "COMPLETED"))
        assert asked() == []
        assert Study.get().step_id == step
