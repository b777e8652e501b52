"""Images of one study and one number whose name or birth is another child's: seen, said once, settled by a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.index.tables import Journal, Study, Task
from core.model.received import Stored
from core.model.step import Flag
from core.model.study import Match
from core.services import Services
from tests.people.hospital import CLINICIAN, IDENTITY, RADIOLOGIST, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import planned

FIRST = {"name": "OUEDRAOGO^Aicha", "PatientBirthDate": "20220512", "PatientSex": "F"}


def send(services: Services, number: int, study: str, patient_id: str, **said: Any) -> Any:
    return services.ingest.store(arrival(f"9.{number}", study=study, patient_id=patient_id, **(FIRST | said)))


def marks(services: Services, step: int) -> bool:
    return str(Flag.IDENTITY_DOUBTFUL) in services.scheduling.line(RECEPTION, step).flags


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"name": "OUEDRAOGO^Adama"}, "autre nom dans la même étude : « OUEDRAOGO Adama »"),
        ({"name": "ZONGO^Issa"}, "autre nom dans la même étude : « ZONGO Issa »"),
        ({"PatientBirthDate": "20190101"}, "autre naissance dans la même étude : 01/01/2019"),
        ({"PatientSex": "M"}, "autre sexe dans la même étude"),
    ],
)
def test_a_later_image_of_another_child_puts_the_study_under_the_overlay(
    tmp_path: Path, said: dict[str, str], why: str
) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        assert not send(services, 1, uid, number).unreconciled
        outcome = send(services, 2, uid, number, **said)
        assert (outcome.what, outcome.unreconciled) == (Stored.ARCHIVED, True)
        assert (Study.get().match, Study.get().why) == (str(Match.UNRECONCILED), why)
        assert marks(services, step)
        assert services.scheduling.line(RECEPTION, step).images == 2  # nothing is hidden from the department


@pytest.mark.parametrize(
    "said",
    [
        {"name": "OUÉDRAOGO^Aïcha"},
        {"name": "OUEDRAOGO^AICHA^RASMATA"},
        {"name": ""},
        {"PatientBirthDate": ""},
        {"PatientSex": "O"},
    ],
)
def test_the_same_child_spelled_otherwise_is_no_doubt(tmp_path: Path, said: dict[str, str]) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        send(services, 1, uid, number)
        assert not send(services, 2, uid, number, **said).unreconciled
        assert not marks(services, step)


def test_the_same_number_of_another_hospital_in_one_study_is_a_doubt(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        send(services, 1, uid, number, IssuerOfPatientID="CHUP")
        assert send(services, 2, uid, number, IssuerOfPatientID="CHU-YO").unreconciled
        assert marks(services, step)


def test_a_doubt_is_one_task_and_one_write_however_many_images_follow(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        send(services, 1, uid, number)
        send(services, 2, uid, number, name="ZONGO^Issa")
        rows = Journal.select().where(Journal.tbl.in_(["study", "task", "step"]))
        written = rows.count()
        for image in range(3, 9):
            assert send(services, image, uid, number, name="ZONGO^Issa" if image % 2 else FIRST["name"]).unreconciled
        assert rows.count() == written
        assert Task.select().where(Task.kind == "reconcile").count() == 1


def test_the_department_says_that_it_is_the_child_and_is_not_asked_again(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        study = send(services, 1, uid, number).study_id
        send(services, 2, uid, number, name="ZONGO^Aicha")
        services.reconciliation.attach(TECHNOLOGIST, study, step, "nom de la mère, vérifié")
        assert not marks(services, step)
        assert not send(services, 3, uid, number, name="ZONGO^Aicha").unreconciled
        assert services.studies.get(CLINICIAN, study).match is Match.MATCHED
        assert Task.select().where(Task.kind == "reconcile", Task.done_at.is_null()).count() == 0


def test_a_doubt_is_lifted_even_while_a_radiologist_holds_the_report(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        study = send(services, 1, uid, number).study_id
        services.reports.open(RADIOLOGIST, step)
        send(services, 2, uid, number, PatientSex="M")
        services.reconciliation.attach(IDENTITY, study, step, "sexe mal saisi sur la console")
        assert not marks(services, step)


def test_an_exam_without_order_stays_one_when_its_doubt_is_lifted(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        outcome = send(services, 1, "1.2.9", "EXT-7")
        send(services, 2, "1.2.9", "EXT-7", name="ZONGO^Issa")
        assert outcome.study_id is not None
        assert outcome.step_id is not None
        line = services.reconciliation.attach(TECHNOLOGIST, outcome.study_id, outcome.step_id, "vérifié")
        assert line.match is Match.UNSCHEDULED


@pytest.mark.parametrize("verb", ["detach", "dismiss"])
def test_images_that_were_another_childs_leave_the_exam_free_of_doubt(tmp_path: Path, verb: str) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        study = send(services, 1, uid, number).study_id
        send(services, 2, uid, number, name="ZONGO^Issa")
        line = getattr(services.reconciliation, verb)(TECHNOLOGIST, study, "deux enfants mêlés")
        assert (line.match, line.step_id, line.patient_id) == (Match.UNRECONCILED, None, None)
        assert not marks(services, step)
        assert services.scheduling.line(RECEPTION, step).images == 0
