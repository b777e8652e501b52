"""Which exam images belong to when the Study UID is the machine's own: accession, step, issuer of the number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.index.tables import ImagingServiceRequest, PatientIdentifier, RequestedProcedure, Step, Study
from core.model.his import HisMessage, OrderAct, OrderedStep, OrderFeed, PatientFeed
from core.model.identifiers import Identifier
from core.model.patient import Demographics
from core.model.performed import MppsFacts
from core.model.study import Match
from core.services import Services
from tests.people.hospital import HIS, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import BORN, planned


def store(services: Services, uid: str, patient_id: str, name: str = "OUEDRAOGO^Aicha", **said: Any) -> Any:
    """An image of a study that only the machine has numbered."""
    return services.ingest.store(arrival(uid, study=f"{uid}.7", patient_id=patient_id, name=name, **said))


def accession_of(step: int) -> str:
    procedure = RequestedProcedure.get_by_id(Step.get_by_id(step).procedure_id)
    return str(ImagingServiceRequest.get_by_id(procedure.request_id).accession_number)


def order_of_two(services: Services, number: str = "CDG0012345") -> dict[str, int]:
    """One accession, two exams: a CT and a radiograph; the steps by exam code."""
    child = PatientFeed(Identifier(number, "CHUP"), family_name="OUEDRAOGO", given_names="Aicha", birth=BORN, sex="F")
    lines = (OrderedStep("TDM-CRANE", accession_number="A-77"), OrderedStep("RX-THORAX"))
    order = OrderFeed(OrderAct.NEW, "NW", "D77", "SIH", steps=lines)
    services.his.receive(
        HIS, HisMessage(b"1", "1", "SIH", "CHUP", "1", "ORM^O01", "", None, "", patient=child, orders=(order,))
    )
    return {step.exam_code: step.id for step in Step.select()}


def test_a_machine_that_gives_every_child_one_accession_blocks_nobody(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        for n, name in enumerate(("BARRY^Salif", "ZONGO^Odette", "TAPSOBA^Issa"), 1):
            assert not store(services, f"1.{n}", f"EXT-{n}", name, AccessionNumber="1").unreconciled
        assert [s.match for s in Study.select()] == ["unscheduled"] * 3
        assert not any("identity_doubtful" in step.flags for step in Step.select())
        assert len({step.patient_id for step in Step.select()}) == 3


def test_our_accession_of_another_child_does_not_take_the_images_of_a_known_one(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        theirs, _number, _uid = planned(services)
        _step, number, _uid = planned(services, "ZONGO", "Issa", 30, sex="M")
        outcome = store(services, "1.1", number, "ZONGO^Issa", PatientSex="M", AccessionNumber=accession_of(theirs))
        assert not outcome.unreconciled
        assert outcome.step_id != theirs
        assert Study.get().why == f"numéro de demande d'un autre patient : {accession_of(theirs)}"
        assert services.scheduling.line(RECEPTION, theirs).mark == ""


def test_our_accession_under_a_number_that_is_nobodys_is_a_doubt(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        assert store(services, "1.1", "RETAPÉ-9", AccessionNumber=accession_of(step)).unreconciled
        assert services.scheduling.line(RECEPTION, step).mark == "ID"


def test_our_accession_and_number_are_enough_without_our_study_uid(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, _uid = planned(services)
        assert store(services, "1.1", number, AccessionNumber=f" {accession_of(step)} ").step_id == step
        later = store(services, "1.2", number, Modality="SR", AccessionNumber=accession_of(step))
        assert later.step_id == step  # the only exam of the accession, of another modality and later


@pytest.mark.parametrize(("modality", "code"), [("CT", "TDM-CRANE"), ("DX", "RX-THORAX")])
def test_of_two_exams_of_an_accession_the_one_of_the_modality_is_meant(
    tmp_path: Path, modality: str, code: str
) -> None:
    with hospital(tmp_path) as services:
        steps = order_of_two(services)
        outcome = store(services, "1.1", "CDG0012345", Modality=modality, AccessionNumber="A-77")
        assert outcome.step_id == steps[code]


def test_images_are_never_put_by_accession_on_an_exam_that_is_done_while_another_is_open(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        steps = order_of_two(services)
        store(services, "1.1", "CDG0012345", Modality="CT", AccessionNumber="A-77")
        services.acquisition.settle(HIS)
        services.clock.advance(200)  # type: ignore[attr-defined]
        services.acquisition.settle(HIS)
        outcome = store(services, "1.2", "CDG0012345", Modality="CT", AccessionNumber="A-77")
        assert outcome.step_id not in steps.values()
        study = Study.get_by_id(outcome.study_id)
        assert (study.match, study.why) == ("unscheduled", "peut-être de la demande A-77")


def test_an_exam_that_the_machine_ended_before_its_images_still_waits_for_them(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        steps = order_of_two(services)
        facts = MppsFacts(
            "5.1", "SCANNER1", "127.0.0.1", "COMPLETED", (("1.1.7", "A-77", "", ""),), "CDG0012345", modality="CT"
        )
        services.mpps.create(facts)
        assert store(services, "1.1", "CDG0012345", Modality="CT", AccessionNumber="A-77").step_id == steps["TDM-CRANE"]


def test_an_exam_begun_by_a_machine_without_an_order_is_still_to_be_attached(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        said = {"patient_id": "EXT-7", "patient_name": "BARRY^Salif", "modality": "CT"}
        services.mpps.create(MppsFacts("5.1", "SCANNER1", "127.0.0.1", "IN PROGRESS", (("1.1.7", "", "", ""),), **said))
        outcome = store(services, "1.1", "EXT-7", "BARRY^Salif", PatientSex="")
        assert Step.get().id == outcome.step_id
        [line] = services.reconciliation.unmatched(TECHNOLOGIST)
        assert (line.id, line.match) == (outcome.study_id, Match.UNSCHEDULED)


def test_one_number_of_two_hospitals_is_two_children(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        said = {"PatientBirthDate": BORN.dicom(), "IssuerOfPatientID": "CHU-YO"}
        outcome = services.ingest.store(arrival("1.1", study=uid, patient_id=number, name="OUEDRAOGO^Adama", **said))
        assert outcome.unreconciled
        assert services.scheduling.line(RECEPTION, step).images == 0


def test_the_other_hospitals_child_with_the_same_number_is_somebody_else(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, _uid = planned(services)
        known = PatientIdentifier.get(PatientIdentifier.value == number).patient_id
        store(services, "1.1", number, "OUEDRAOGO^Adama", IssuerOfPatientID="CHU-YO")
        store(services, "1.2", number, "OUEDRAOGO^Adama", IssuerOfPatientID="CHU-YO")
        assert {s.patient_id == known for s in Study.select()} == {False}
        assert Step.select().where(Step.patient == known).count() == 1
        assert len({s.patient_id for s in Study.select()}) == 1


@pytest.mark.parametrize("birth", [BORN.dicom(), ""])
def test_an_issuer_that_a_machine_writes_on_everything_hides_nobody(tmp_path: Path, birth: str) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        said = {"IssuerOfPatientID": "SALLE 1", "PatientBirthDate": birth}
        outcome = services.ingest.store(arrival("1.1", study=uid, patient_id=number, **said))
        assert (outcome.step_id, outcome.unreconciled) == (step, False)


def test_images_under_the_old_number_of_a_merged_child_join_those_under_the_new(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        services.ingest.store(arrival("1.1", study=uid, patient_id=number))
        prior = services.patients.by_number(RECEPTION, number)
        assert prior is not None
        survivor = services.patients.register(RECEPTION, Demographics("OUEDRAOGO", "Aicha", BORN, "F"), "doublon")
        services.patients.merge(RECEPTION, survivor.id, prior.id, "même enfant")
        outcome = services.ingest.store(arrival("1.2", study=uid, patient_id=survivor.number))
        assert (outcome.step_id, outcome.unreconciled) == (step, False)
        assert services.scheduling.line(RECEPTION, step).images == 2
