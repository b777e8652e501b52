"""A merge taken back: each child has again what is theirs, and what nobody can tell is shown to a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.index.tables import ImagingServiceRequest, RequestedProcedure, Step, Study, Task, Visit
from core.model.his import AdtFeed, AdtKind, HisMessage, OrderAct, OrderedStep, OrderFeed, PatientFeed
from core.model.identifiers import Identifier
from core.model.patient import Demographics, Patient
from core.model.query import DayFilter
from core.model.step import Flag
from core.model.study import Match
from core.services import Services
from tests.people.hospital import HIS, IDENTITY, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import BORN, planned


def child(services: Services, given: str = "Aicha") -> Patient:
    return services.patients.register(RECEPTION, Demographics("OUEDRAOGO", given, BORN, "F"), reason="autre enfant")


def merged(services: Services, survivor: Patient, prior: Patient) -> None:
    services.clock.advance(60)  # type: ignore[attr-defined]
    services.patients.merge(IDENTITY, survivor.id, prior.id, "même enfant")
    services.clock.advance(60)  # type: ignore[attr-defined]


def ordered(services: Services, number: str, placer: str, visit: str = "") -> int:
    """The HIS orders a CT for a number; the step."""
    feed = PatientFeed(Identifier(number, "CHUP"), visit_number=visit)
    order = OrderFeed(OrderAct.NEW, "NW", placer, "SIH", steps=(OrderedStep("TDM-CRANE"),))
    said = HisMessage(b"", placer, "SIH", "CHUP", placer, "ORM^O01", "", None, "", patient=feed, orders=(order,))
    assert services.his.receive(HIS, said).code == "AA"
    return int(Step.select().order_by(Step.id.desc()).get().id)


def study_uid(step: int) -> str:
    return str(RequestedProcedure.get_by_id(Step.get_by_id(step).procedure_id).study_instance_uid)


def number_of(services: Services, step: int) -> str:
    return services.scheduling.line(RECEPTION, step).patient_number


def shown(services: Services, outcome: Any) -> tuple[str, Match]:
    line = services.studies.get(TECHNOLOGIST, outcome.study_id)
    return line.patient_number, line.match


def test_what_was_taken_off_the_child_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        outcome = services.ingest.store(arrival("1.1", study=uid, patient_id=number))
        prior, survivor = services.patients.by_number(RECEPTION, number), child(services)
        assert prior is not None
        merged(services, survivor, prior)
        services.reconciliation.detach(TECHNOLOGIST, outcome.study_id or 0, "d'un troisième enfant")
        services.patients.unmerge(IDENTITY, prior.id, "deux enfants")
        assert (Study.get().patient_id, Study.get().step_id) == (None, None)


def test_a_chain_of_merges_is_undone_in_any_order(tmp_path: Path) -> None:
    for order in ((0, 1), (1, 0)):
        folder = tmp_path / str(order[0])
        folder.mkdir()
        with hospital(folder) as services:
            children = [child(services, given) for given in ("Aicha", "Aïcha", "Aichatou")]
            steps = [ordered(services, c.number, f"D{n}") for n, c in enumerate(children)]
            merged(services, children[1], children[0])
            merged(services, children[2], children[1])
            assert {number_of(services, step) for step in steps} == {children[2].number}
            for prior in order:
                services.patients.unmerge(IDENTITY, children[prior].id, "trois enfants")
            assert [number_of(services, step) for step in steps] == [c.number for c in children]


def test_an_order_that_came_since_for_the_old_number_goes_with_it_and_one_for_the_new_stays(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        prior, survivor = child(services), child(services, "Aïcha")
        merged(services, survivor, prior)
        theirs, ours = ordered(services, prior.number, "D1"), ordered(services, survivor.number, "D2")
        first = services.ingest.store(arrival("1.1", study=study_uid(theirs), patient_id=prior.number))
        second = services.ingest.store(arrival("1.2", study=study_uid(ours), patient_id=survivor.number))
        assert {number_of(services, theirs), number_of(services, ours)} == {survivor.number}
        services.patients.unmerge(IDENTITY, prior.id, "deux enfants")
        assert (number_of(services, theirs), number_of(services, ours)) == (prior.number, survivor.number)
        assert shown(services, first) == (prior.number, Match.MATCHED)
        assert shown(services, second) == (survivor.number, Match.MATCHED)
        assert {r.patient_id for r in ImagingServiceRequest.select()} == {prior.id, survivor.id}


def test_images_without_order_that_came_since_under_the_old_number_go_with_their_exam(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        prior, survivor = child(services), child(services, "Aïcha")
        merged(services, survivor, prior)
        outcome = services.ingest.store(arrival("1.1", patient_id=prior.number))
        assert shown(services, outcome) == (survivor.number, Match.UNSCHEDULED)
        services.patients.unmerge(IDENTITY, prior.id, "deux enfants")
        assert shown(services, outcome) == (prior.number, Match.UNSCHEDULED)
        assert number_of(services, outcome.step_id or 0) == prior.number


@pytest.mark.parametrize("named", ["prior", "survivor"])
def test_images_that_name_the_one_child_on_an_exam_of_the_other_are_for_a_person(tmp_path: Path, named: str) -> None:
    with hospital(tmp_path) as services:
        children = {"prior": child(services), "survivor": child(services, "Aïcha")}
        exam_of = "survivor" if named == "prior" else "prior"
        step = ordered(services, children[exam_of].number, "D1")
        merged(services, children["survivor"], children["prior"])
        outcome = services.ingest.store(arrival("1.1", study=study_uid(step), patient_id=children[named].number))
        assert (outcome.step_id, outcome.unreconciled) == (step, False)
        services.patients.unmerge(IDENTITY, children["prior"].id, "deux enfants")
        assert shown(services, outcome) == (children[exam_of].number, Match.UNRECONCILED)
        assert str(Flag.IDENTITY_DOUBTFUL) in services.scheduling.line(RECEPTION, step).flags
        assert Task.select().where(Task.kind == "reconcile").count() == 1


def test_the_visit_returns_and_later_ones_stay(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        prior, survivor = child(services), child(services, "Aïcha")
        for number, visit in ((prior.number, "V1"), (survivor.number, "V2")):
            feed = PatientFeed(Identifier(number, "CHUP"), visit_number=visit)
            adt = AdtFeed("A01", AdtKind.ADMIT, (feed,))
            services.his.receive(HIS, HisMessage(b"", visit, "S", "C", visit, "ADT^A01", "", None, "", adt=adt))
        merged(services, survivor, prior)
        assert {v.patient_id for v in Visit.select()} == {survivor.id}
        services.patients.unmerge(IDENTITY, prior.id, "deux enfants")
        assert {v.number: v.patient_id for v in Visit.select()} == {"V1": prior.id, "V2": survivor.id}


def test_reception_finds_the_child_and_the_day_by_the_number_of_before_the_merge(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        unknown = services.patients.register_unknown(RECEPTION, "F")
        survivor = child(services)
        ordered(services, survivor.number, "D1")
        merged(services, survivor, unknown)
        for text in (unknown.number, survivor.number):
            assert [p.id for p in services.patients.search(RECEPTION, text)] == [survivor.id]
            page = services.scheduling.day_page(RECEPTION, DayFilter(services.today(), text=text))
            assert [line.patient_number for line in page.lines] == [survivor.number]


def test_a_number_that_two_hospitals_gave_finds_both_children(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        ours = child(services)
        services.ingest.store(arrival("1.1", patient_id=ours.number, name="ZONGO^Issa", IssuerOfPatientID="CHU-YO"))
        found = services.patients.search(RECEPTION, ours.number)
        assert sorted(p.demographics.family_name for p in found) == ["OUEDRAOGO", "ZONGO"]
