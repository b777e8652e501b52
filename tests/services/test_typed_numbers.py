"""A patient number that somebody typed at a machine, before the HIS says whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.index.tables import Study, Task
from core.model.birth import Birth, on_day
from core.model.his import AdtFeed, AdtKind, Applied, HisMessage, InboxState, PatientFeed
from core.model.identifiers import Identifier
from core.model.patient import Patient
from core.model.step import Flag
from core.model.study import Match
from core.services import Services
from tests.people.hospital import HIS, IDENTITY, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import BORN


def images(
    services: Services, uid: str = "1.1", name: str = "OUEDRAOGO^Awa", number: str = "12345", **said: Any
) -> Any:
    return services.ingest.store(arrival(uid, study=f"{uid}.7", patient_id=number, name=name, **said))


def tells(
    services: Services, given: str, control: str = "1", birth: Birth = BORN, sex: str = "F", number: str = "12345"
) -> Applied:
    """The HIS admits the bearer of a number."""
    child = PatientFeed(Identifier(number, "CHUP"), (), "OUEDRAOGO", given, birth, sex)
    adt = AdtFeed("A04", AdtKind.ADMIT, (child,))
    return services.his.receive(
        HIS, HisMessage(b"", control, "SIH", "CHUP", control, "ADT^A04", "", None, "127.0.0.1", adt=adt)
    )


def bearer(services: Services, number: str = "12345") -> Patient:
    found = services.patients.by_number(RECEPTION, number)
    assert found is not None
    return found


@pytest.mark.parametrize("given", ["Awa", "Awa Rasmata", "Haoua"])
def test_the_his_confirms_the_child_of_the_images(tmp_path: Path, given: str) -> None:
    with hospital(tmp_path) as services:
        outcome = images(services, PatientBirthDate="")
        assert bearer(services).provisional
        assert tells(services, given).state is InboxState.APPLIED
        child = bearer(services)
        assert (child.provisional, child.demographics.given_names) == (False, given)
        line = services.studies.get(TECHNOLOGIST, outcome.study_id)
        assert (line.patient_id, line.match) == (child.id, Match.UNSCHEDULED)


@pytest.mark.parametrize(
    "said",
    [
        {"given": "Adama"},
        {"given": "Awa", "sex": "M"},
        {"given": "Awa", "birth": on_day(BORN.earliest.replace(year=2011))},
    ],  # type: ignore[union-attr]
)
def test_images_under_a_mistyped_number_never_become_another_childs(tmp_path: Path, said: dict[str, Any]) -> None:
    with hospital(tmp_path) as services:
        outcome = images(services, PatientBirthDate=BORN.dicom())
        told = tells(services, **said)
        assert (told.code, told.state) == ("AA", InboxState.HELD)
        theirs = bearer(services)
        line = services.studies.get(TECHNOLOGIST, outcome.study_id)
        assert line.patient_id != theirs.id
        assert (line.match, line.as_sent_number) == (Match.UNRECONCILED, "12345")
        assert line.patient_number.startswith("CDG")
        assert str(Flag.IDENTITY_DOUBTFUL) in services.scheduling.line(RECEPTION, outcome.step_id).flags
        assert services.patients.exams(RECEPTION, theirs.id) == []
        assert Task.select().where(Task.kind == "identifier").count() == 1


def test_the_his_is_not_asked_twice_and_a_merge_answers(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        outcome = images(services, PatientBirthDate=BORN.dicom())
        tells(services, "Adama")
        assert tells(services, "Adama", "2").state is InboxState.APPLIED
        theirs = bearer(services)
        typed = services.studies.get(TECHNOLOGIST, outcome.study_id).patient_id
        assert typed is not None
        services.patients.merge(IDENTITY, theirs.id, typed, "prénom d'usage, vérifié")
        services.reconciliation.attach(TECHNOLOGIST, outcome.study_id, outcome.step_id, "vérifié")
        assert Task.select().where(Task.done_at.is_null()).count() == 0
        assert services.studies.get(TECHNOLOGIST, outcome.study_id).patient_number == "12345"


def test_the_next_images_of_the_first_child_are_not_taken_for_the_second(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        images(services)
        tells(services, "Adama")
        assert images(services, "1.2", PatientBirthDate=BORN.dicom()).unreconciled
        assert not images(services, "1.3", "OUEDRAOGO^Adama").unreconciled


def test_a_number_of_another_hospital_is_found_and_is_not_the_houses_own(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        outcome = images(services, IssuerOfPatientID="CHU-YO")
        child = bearer(services)
        assert child.number.startswith("CDG")
        assert {(i.value, i.authority) for i in child.identifiers} == {(child.number, "CHUP"), ("12345", "CHU-YO")}
        tells(services, "Adama")  # the house's own 12345 is somebody else
        assert Study.get_by_id(outcome.study_id).patient_id == child.id
        assert Study.get().match == str(Match.UNSCHEDULED)


def test_the_house_does_not_give_back_the_number_that_the_his_takes(tmp_path: Path) -> None:
    """The numbers of the HIS may look like those of the house, and the typed one may be the next of these."""
    with hospital(tmp_path) as services:
        images(services, number="CDG0000001", PatientBirthDate=BORN.dicom())
        told = tells(services, "Adama", number="CDG0000001")
        assert (told.code, told.state) == ("AA", InboxState.HELD)
        assert bearer(services, "CDG0000001").demographics.given_names == "Adama"
