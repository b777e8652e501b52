"""No image is lost, none is swapped between children: objects whose identity is not what it should be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.index.tables import Instance, Journal, Patient, Quarantine, RequestedProcedure, Step, Study, Task
from core.model.birth import on_day
from core.model.order import OrderDraft
from core.model.patient import Demographics
from core.model.received import Arrival, Reason, Stored
from core.model.study import Match
from core.model.worklist import WorklistStatus
from core.services import Services
from tests.people.hospital import (
    CLINICIAN,
    IDENTITY,
    MORNING,
    RADIOLOGIST,
    RECEPTION,
    TECHNOLOGIST,
    hospital,
)
from tests.people.images import SCANNER, STRANGER, arrival

BORN = on_day((MORNING - timedelta(days=1660)).date())


def planned(
    services: Services, family: str = "OUEDRAOGO", given: str = "Aicha", late: int = 0, **facts: Any
) -> tuple[int, str, str]:
    """An exam of a registered child: its step, the child's number, the Study UID that the machine is given."""
    who = Demographics(family, given, **({"birth": BORN, "sex": "F"} | facts))  # type: ignore[arg-type]
    patient = services.patients.register(RECEPTION, who, reason="test")
    at = MORNING + timedelta(minutes=late)
    draft = OrderDraft(patient.id, "TDM-CRANE", "Dr T", "trauma", ward="URG", room="SC1", scheduled_at=at)
    line = services.orders.place(RECEPTION, draft)
    uid = RequestedProcedure.get(RequestedProcedure.id == Step.get_by_id(line.step_id).procedure_id).study_instance_uid
    services.scheduling.arrive(RECEPTION, line.step_id)
    return line.step_id, patient.number, uid


def test_the_planned_exam_receives_its_images_and_starts_by_itself(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id=number))
        line = services.scheduling.line(RECEPTION, step)
        assert (outcome.step_id, outcome.unreconciled) == (step, False)
        assert (line.status, line.images) == (WorklistStatus.IN_ROOM, 1)


def test_a_childs_next_study_rewrites_none_of_those_before(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        services.ingest.store(arrival(study=uid, patient_id=number))
        written = Journal.select().where(Journal.tbl == "study", Journal.row.contains(uid))
        before = written.count()
        for exam in range(3):
            services.ingest.store(arrival(f"1.2.8.{exam}", study=f"1.2.8.{exam}", patient_id=number))
        assert written.count() == before
        assert {study.number for study in Study.select()} == {number}


def test_another_childs_number_in_the_planned_study_goes_under_the_overlay(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id="CDG9999999", name="ZONGO^Issa"))
        assert (outcome.what, outcome.unreconciled, outcome.step_id) == (Stored.ARCHIVED, True, None)
        line = services.scheduling.line(RECEPTION, step)
        assert (line.images, line.mark) == (0, "ID")
        assert Task.select().where(Task.kind == "reconcile").count() == 1


def test_a_name_that_contradicts_the_order_goes_under_the_overlay(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id=number, name="TAPSOBA^Odette"))
        assert outcome.unreconciled


def test_one_study_uid_for_two_children_is_shown_split(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        services.ingest.store(arrival("1.1", study=uid, patient_id=number))
        services.ingest.store(arrival("1.2", study=uid, patient_id="OTHER", name="ZONGO^Issa"))
        matches = {s.sent_id: s.match for s in Study.select()}
        assert matches == {number: "matched", "OTHER": "unreconciled"}


@pytest.mark.parametrize(
    ("patient_id", "name"), [("", "OUEDRAOGO^Aicha"), ("X1", ""), ("NOID", "NAME^NONE"), ("X2", "INCONNU")]
)
def test_a_placeholder_identity_never_makes_an_exam(tmp_path: Path, patient_id: str, name: str) -> None:
    with hospital(tmp_path) as services:
        outcome = services.ingest.store(arrival(patient_id=patient_id, name=name))
        assert (outcome.what, outcome.unreconciled) == (Stored.ARCHIVED, True)
        assert Step.select().count() == 0


def test_an_emergency_without_an_order_is_in_the_reading_list_at_its_first_image(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.ingest.store(arrival(patient_id="EXT-7", name="BARRY^Salif"))
        (line,) = services.reports.reading_list(RADIOLOGIST)
        assert line.mark == "HD"
        assert line.patient_name == "BARRY Salif"
        assert Patient.get(Patient.number == "EXT-7").provisional


def test_a_stranger_never_makes_an_exam(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        assert services.ingest.store(arrival(sender=STRANGER)).unreconciled
        assert Step.select().count() == 0


def test_the_same_number_with_three_names_merges_nobody(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        for n, name in enumerate(("BARRY^Salif", "ZONGO^Odette", "TAPSOBA^Issa")):
            services.ingest.store(arrival(f"1.{n}", study=f"2.{n}", patient_id="P1", name=name))
        assert [s.match for s in Study.select().order_by(Study.id)] == ["unscheduled", "unreconciled", "unreconciled"]
        assert Instance.select().count() == 3


def test_the_same_object_twice_is_stored_once(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        assert services.ingest.store(arrival()).what is Stored.ARCHIVED
        assert services.ingest.store(arrival()).what is Stored.DUPLICATE
        assert (Instance.select().count(), Study.get().instances) == (1, 1)


def test_other_pixels_under_a_known_uid_are_set_aside_and_never_overwrite(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        first = arrival()
        services.ingest.store(first)
        path = services.kit.archive.absolute(Instance.get().path)
        before = path.read_bytes()
        for _again in range(3):
            outcome = services.ingest.store(arrival(shade=7))
            assert (outcome.what, outcome.reason) == (Stored.QUARANTINED, Reason.DUPLICATE_CONFLICT)
        assert path.read_bytes() == before
        assert Quarantine.select().count() == 1
        (kept,) = services.ingest.quarantine(TECHNOLOGIST)
        assert kept.sentence == "même identifiant d'image, contenu différent"


@pytest.mark.parametrize(
    ("uid", "reason"),
    [("../../etc/passwd", Reason.UID_INVALID), ("1" * 65, Reason.UID_INVALID), ("", Reason.MISSING_UID)],
)
def test_a_forbidden_uid_is_kept_aside_and_never_becomes_a_path(tmp_path: Path, uid: str, reason: Reason) -> None:
    with hospital(tmp_path) as services:
        good = arrival()
        assert good.header is not None
        header = type(good.header)(
            **{f: getattr(good.header, f) for f in good.header.__dataclass_fields__} | {"sop_instance_uid": uid}
        )
        bad = Arrival(SCANNER, good.sop_class_uid, uid, good.transfer_syntax, good.dataset, header)
        outcome = services.ingest.store(bad)
        assert (outcome.what, outcome.reason) == (Stored.QUARANTINED, reason)
        assert all(p.is_relative_to(tmp_path) for p in tmp_path.rglob("*.dcm"))
        assert Instance.select().count() == 0


def test_a_study_under_the_overlay_is_closed_to_the_ward_until_a_person_attaches_it(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id="LEADING-ZERO", name="OUEDRAOGO^Aicha"))
        assert outcome.study_id is not None
        with pytest.raises(NotFound):
            services.studies.get(CLINICIAN, outcome.study_id)
        attached = services.reconciliation.attach(TECHNOLOGIST, outcome.study_id, step, "numéro retapé sur la machine")
        assert (attached.match, attached.step_id) == (Match.MATCHED, step)
        assert attached.as_sent_number == "LEADING-ZERO"
        assert services.studies.get(CLINICIAN, outcome.study_id).patient_name == "OUEDRAOGO^Aicha"
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.IN_ROOM


def test_images_are_not_moved_under_a_radiologists_hands(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id=number))
        assert outcome.study_id is not None
        services.reports.open(RADIOLOGIST, step)
        with pytest.raises(Conflict, match=r"dr\.traore"):
            services.reconciliation.detach(TECHNOLOGIST, outcome.study_id, "mauvais enfant")


def test_an_exam_without_order_disappears_when_its_images_find_theirs(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, _uid = planned(services)
        outcome = services.ingest.store(arrival(study="1.2.3.4.5", patient_id=number))
        assert outcome.study_id is not None
        assert [exam.step_id for exam in services.reports.reading_list(RADIOLOGIST)] == [outcome.step_id]
        services.reconciliation.attach(TECHNOLOGIST, outcome.study_id, step, "mauvaise ligne choisie")
        assert services.reports.reading_list(RADIOLOGIST) == []
        assert outcome.step_id is not None
        assert services.scheduling.line(RECEPTION, outcome.step_id).status is WorklistStatus.CANCELED
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.IN_ROOM


def test_an_ordered_exam_whose_images_leave_stays(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id=number))
        assert outcome.study_id is not None
        services.reconciliation.detach(TECHNOLOGIST, outcome.study_id, "mauvais enfant")
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.IN_ROOM


def test_images_taken_off_an_exam_show_what_they_say_and_nothing_of_the_other_child(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        said = {"PatientBirthDate": "20190314", "PatientSex": ""}
        outcome = services.ingest.store(arrival(study=uid, patient_id=number, **said))
        assert outcome.study_id is not None
        before = services.studies.get(TECHNOLOGIST, outcome.study_id)
        assert (before.patient_birth_date, before.patient_sex) == (BORN.dicom(), "F")
        after = services.reconciliation.detach(TECHNOLOGIST, outcome.study_id, "mauvais enfant")
        assert (after.patient_number, after.patient_name) == (number, "OUEDRAOGO^Aicha")
        assert (after.patient_birth_date, after.patient_sex) == ("20190314", "")


def test_images_are_not_detached_without_a_reason(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, uid = planned(services)
        outcome = services.ingest.store(arrival(study=uid, patient_id=number))
        assert outcome.study_id is not None
        with pytest.raises(BadInput):
            services.reconciliation.detach(TECHNOLOGIST, outcome.study_id, " ")


def test_a_merge_moves_everything_and_can_be_undone(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        services.ingest.store(arrival(study=uid, patient_id=number))
        prior = services.patients.by_number(RECEPTION, number)
        assert prior is not None
        survivor = services.patients.register(
            RECEPTION, Demographics("OUEDRAOGO", "Aïcha", BORN, "F"), reason="doublon voulu"
        )
        services.patients.merge(RECEPTION, survivor.id, prior.id, "même enfant")
        assert services.scheduling.line(RECEPTION, step).patient_number == survivor.number
        found = services.patients.by_number(RECEPTION, number)
        assert found is not None
        assert found.id == survivor.id
        assert Study.get().number == survivor.number
        services.patients.unmerge(IDENTITY, prior.id, "deux enfants")
        assert services.scheduling.line(RECEPTION, step).patient_number == number
        assert Study.get().number == number


def test_contradicting_children_are_merged_by_the_identity_officer_alone(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        girl = services.patients.register(RECEPTION, Demographics("KABORE", "Fatou", BORN, "F"))
        boy = services.patients.register(RECEPTION, Demographics("KABORE", "Issa", BORN, "M"), reason="autre")
        with pytest.raises(NotAllowed):
            services.patients.merge(RECEPTION, girl.id, boy.id, "erreur")


def test_a_likely_duplicate_asks_for_a_reason(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        who = Demographics("OUÉDRAOGO", "Aïcha", BORN, "F", mother_family_name="SAWADOGO")
        first = services.patients.register(RECEPTION, who)
        twin = Demographics("WEDRAOGO", "Aicha", BORN, "F", mother_family_name="SAOUADOGO")
        with pytest.raises(Conflict, match=first.number):
            services.patients.register(RECEPTION, twin)
        assert services.patients.register(RECEPTION, twin, reason="homonyme vérifié").number != first.number


def test_a_vanished_file_comes_back_with_the_next_sending(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        sent = arrival()
        services.ingest.store(sent)
        services.kit.archive.absolute(Instance.get().path).unlink()
        assert services.ingest.store(sent).what is Stored.DUPLICATE
        assert services.kit.archive.absolute(Instance.get().path).read_bytes().endswith(bytes(sent.dataset))


def test_a_big_object_is_compared_without_being_read_whole(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        sent = arrival()
        spool = tmp_path / "big.spool"
        spool.write_bytes(bytes(sent.dataset))
        big = Arrival(
            sent.sender,
            sent.sop_class_uid,
            sent.sop_instance_uid,
            sent.transfer_syntax,
            b"",
            sent.header,
            spooled=str(spool),
        )
        assert services.ingest.store(big).what is Stored.ARCHIVED
        assert services.ingest.store(big).what is Stored.DUPLICATE
        spool.write_bytes(bytes(sent.dataset) + b"x")
        assert services.ingest.store(big).reason is Reason.DUPLICATE_CONFLICT


def test_the_exam_that_a_wrong_image_named_is_free_again_once_a_person_said_whose_it_is(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, uid = planned(services)
        other, number, _uid = planned(services, "ZONGO", "Issa", 30, sex="M")
        wrong = services.ingest.store(arrival(study=uid, patient_id=number, name="ZONGO^Issa"))
        assert wrong.study_id is not None
        assert services.scheduling.line(RECEPTION, step).mark == "ID"
        services.reconciliation.attach(TECHNOLOGIST, wrong.study_id, other, "mauvaise ligne choisie sur la console")
        assert services.scheduling.line(RECEPTION, step).mark == ""
        assert services.scheduling.line(RECEPTION, other).images == 1


def test_images_that_belong_to_nobody_here_are_dismissed_and_kept(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, uid = planned(services)
        wrong = services.ingest.store(arrival(study=uid, patient_id="AUTRE", name="TEST^Mire"))
        assert wrong.study_id is not None
        services.reconciliation.dismiss(TECHNOLOGIST, wrong.study_id, "mire de contrôle")
        assert services.scheduling.line(RECEPTION, step).mark == ""
        assert Instance.select().count() == 1
