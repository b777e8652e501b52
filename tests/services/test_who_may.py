"""Papers, drafts, slots, accounts, machines: who may see and do what, beyond the exam's own states."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import Conflict, NotAllowed, NotFound
from core.index.tables import Audit, Viewed
from core.model.order import OrderDraft
from core.model.people import Actor, Role
from core.model.printing import PaperKind, PrintJob, PrintState
from core.model.report import ReportText
from core.model.step import Flag
from core.services import Services
from tests.people.hospital import (
    ADMIN,
    CLINICIAN,
    MORNING,
    OTHER_WARD,
    PIN,
    RADIOLOGIST,
    RECEPTION,
    RESIDENT,
    TECHNOLOGIST,
    hospital,
)
from tests.people.images import arrival
from tests.services.test_identity import planned
from tests.services.test_reports import TEXT, to_read

CASHIER = Actor("caisse1", frozenset({Role.CASHIER}), origin="test")


def printed(services: Services, step: int, state: PrintState = PrintState.QUEUED) -> PrintJob:
    job = services.printing.enqueue(
        RECEPTION,
        "LASER1",
        PaperKind.REPORT,
        "TDM CRANE",
        "OUEDRAOGO Aicha",
        b"%PDF-1.4",
        "application/pdf",
        1,
        1,
        step,
    )
    outcome = {PrintState.DONE: services.printing.done, PrintState.FAILED: services.printing.failed}.get(state)
    if outcome is not None:
        outcome(job, "")
    return job


QUEUE_VERBS: dict[str, Callable[[Services, Actor, int], object]] = {
    "retry": lambda s, a, job: s.printing.retry(a, job),
    "reprint": lambda s, a, job: s.printing.reprint(a, job),
    "cancel": lambda s, a, job: s.printing.cancel(a, job),
    "divert": lambda s, a, job: s.printing.divert(a, job, "LASER1"),
}


@pytest.mark.parametrize("stranger", [OTHER_WARD, CASHIER], ids=["another ward", "cashier"])
@pytest.mark.parametrize("verb", QUEUE_VERBS)
def test_a_childs_paper_is_nobodys_business_elsewhere(tmp_path: Path, verb: str, stranger: Actor) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        job = printed(services, step)
        with pytest.raises(NotFound):
            QUEUE_VERBS[verb](services, stranger, job.id)
        assert services.printing.jobs(stranger) == []
        assert [j.state for j in services.printing.jobs(RECEPTION)] == [PrintState.QUEUED]


@pytest.mark.parametrize("person", [CLINICIAN, RECEPTION, RADIOLOGIST], ids=lambda a: a.name)
@pytest.mark.parametrize("verb", QUEUE_VERBS)
def test_the_ward_that_asked_and_the_department_look_after_the_paper(tmp_path: Path, verb: str, person: Actor) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        job = printed(services, step, PrintState.QUEUED if verb in ("cancel", "divert") else PrintState.FAILED)
        assert [j.id for j in services.printing.jobs(person)] == [job.id]
        QUEUE_VERBS[verb](services, person, job.id)


def test_a_sheet_that_came_out_is_printed_again_only_as_a_new_job(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        job = printed(services, step, PrintState.DONE)
        with pytest.raises(Conflict, match="Déjà imprimé"):
            services.printing.retry(RECEPTION, job.id)
        assert services.printing.job(job.id).state is PrintState.DONE
        again = services.printing.reprint(RECEPTION, job.id)
        assert (again.id != job.id, again.state) == (True, PrintState.QUEUED)


@pytest.mark.parametrize("person", [RECEPTION, TECHNOLOGIST, ADMIN, CASHIER, OTHER_WARD], ids=lambda a: a.name)
def test_a_critical_result_is_heard_by_who_treats_the_child(tmp_path: Path, person: Actor) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        view = services.reports.signer_view(RADIOLOGIST, step, TEXT)
        services.reports.sign(RADIOLOGIST, step, TEXT, PIN, view.shown_hash, critical=True)
        with pytest.raises((NotAllowed, NotFound)):
            services.reports.acknowledge_critical(person, step)
        assert str(Flag.CRITICAL_UNACKNOWLEDGED) in services.scheduling.line(RADIOLOGIST, step).flags
        services.reports.acknowledge_critical(CLINICIAN, step)
        assert str(Flag.CRITICAL_UNACKNOWLEDGED) not in services.scheduling.line(RADIOLOGIST, step).flags


def test_the_agenda_names_the_children_to_the_department_and_to_their_ward_only(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        seen = {
            person.name: {(s.taken_by, s.step_id) for s in services.orders.slots(person, "SC1", MORNING.date())}
            for person in (RECEPTION, CLINICIAN, OTHER_WARD, CASHIER)
        }
        named = {("OUEDRAOGO Aicha", step), ("", None)}
        assert seen["reception1"] == seen["urg1"] == named
        assert seen["ped1"] == seen["caisse1"] == {("occupé", None), ("", None)}


def test_a_taken_slot_is_refused_to_a_ward_without_the_childs_name(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        _step, number, _uid = planned(services)
        patient = services.patients.by_number(RECEPTION, number)
        assert patient is not None
        draft = OrderDraft(patient.id, "TDM-CRANE", "Dr ZONGO", "chute", room="SC1", scheduled_at=MORNING)
        with pytest.raises(Conflict) as refused:
            services.orders.place(OTHER_WARD, draft)
        assert "OUEDRAOGO" not in str(refused.value)
        with pytest.raises(Conflict, match="OUEDRAOGO"):
            services.orders.place(RECEPTION, draft)


RESERVED: dict[str, Callable[[Services], object]] = {
    "accounts": lambda s: s.people.users(RECEPTION),
    "strangers": lambda s: s.devices.attempts(RECEPTION),
    "probe": lambda s: s.devices.probe(RECEPTION, "SCANNER1"),
    "viewed": lambda s: s.reports.viewed(RECEPTION, 1, "COMPLET", []),
    "signer's view": lambda s: s.reports.signer_view(CLINICIAN, 1, ReportText()),
    "draft": lambda s: s.reports.desk(CLINICIAN, 1),
    "late image": lambda s: s.reports.acknowledge_late(CLINICIAN, 1, "x"),
}


@pytest.mark.parametrize("act", RESERVED)
def test_what_is_not_for_everybody(tmp_path: Path, act: str) -> None:
    with hospital(tmp_path) as services:
        to_read(services)
        with pytest.raises(NotAllowed):
            RESERVED[act](services)
        assert Viewed.select().count() == 0


def test_a_ward_does_not_read_a_draft_and_reads_the_preliminary(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        services.reports.save_draft(RADIOLOGIST, step, ReportText(conclusion="Tumeur ?"))
        with pytest.raises(NotAllowed):
            services.reports.desk(CLINICIAN, step)
        assert services.reports.current(CLINICIAN, step) is None
        services.reports.release_preliminary(RADIOLOGIST, step, TEXT, PIN)
        current = services.reports.current(CLINICIAN, step)
        assert current is not None
        assert current.text == TEXT


def test_a_late_image_is_acknowledged_for_its_own_exam_only(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = to_read(services)
        services.ingest.store(arrival("1.9.9", study="1.9", patient_id="CDG0000777"))
        other = services.studies.instances(RADIOLOGIST, services.studies.series(RADIOLOGIST, 2)[0].id)[0].key
        with pytest.raises(NotFound):
            services.reports.acknowledge_late(RADIOLOGIST, step, other)


REFUSED: dict[str, Callable[[Services, int], object]] = {
    "a role, before the act": lambda s, _step: s.reports.reading_list(CLINICIAN),
    "a role, in the act": lambda s, step: s.acquisition.retake(CLINICIAN, step, "flou"),
    "a state": lambda s, step: s.acquisition.retake(TECHNOLOGIST, step, "flou"),
    "another ward's exam": lambda s, step: s.scheduling.line(OTHER_WARD, step),
    "another ward's paper": lambda s, step: s.paper.print_label(OTHER_WARD, step),
    "an account": lambda s, _step: s.people.remove_user(RECEPTION, "admin"),
    "a resident's signature": lambda s, step: s.reports.sign(RESIDENT, step, TEXT, PIN, ""),
    "a wrong code": lambda s, step: s.reports.sign(RADIOLOGIST, step, TEXT, "0000", ""),
    "quarantine": lambda s, _step: s.ingest.quarantine(CLINICIAN),
    "letters": lambda s, _step: s.outbox.letters(RECEPTION),
    "messages": lambda s, _step: s.his.messages(RECEPTION),
    "overlay": lambda s, _step: s.reconciliation.unmatched(CASHIER),
    "audit": lambda s, _step: s.audit.rows(RECEPTION),
}


@pytest.mark.parametrize("act", REFUSED)
def test_every_refusal_is_one_row_of_the_audit_and_changes_nothing_else(tmp_path: Path, act: str) -> None:
    with hospital(tmp_path, accounts=act == "a wrong code") as services:
        step, _number, _uid = planned(services)
        before = Audit.select().count()
        history = services.scheduling.history(RECEPTION, step)
        with pytest.raises((NotAllowed, NotFound, Conflict)) as refused:
            REFUSED[act](services, step)
        (row,) = list(Audit.select().order_by(Audit.seq).offset(before))
        assert row.outcome == "refused"
        assert row.actor in ("reception1", "manip1", "urg1", "ped1", "caisse1", "interne1", "dr.traore")
        assert str(refused.value) in row.detail or row.action == "confirm"
        assert services.scheduling.history(RECEPTION, step) == history
        assert services.audit.verify().ok


def test_an_exam_that_does_not_exist_is_no_refusal(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        before = Audit.select().count()
        with pytest.raises(NotFound):
            services.scheduling.line(RECEPTION, 999)
        assert Audit.select().count() == before


def test_no_service_is_left_out_of_the_audit_of_refusals(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        for name in {f.name for f in dataclasses.fields(services)} - {"kit", "ports"}:
            service = getattr(services, name)
            assert service._kit is services.kit, name
            public = [v for n, v in inspect.getmembers(type(service), inspect.isfunction) if not n.startswith("_")]
            assert all(hasattr(verb, "__wrapped__") for verb in public), name


def test_a_refusal_inside_another_act_is_one_row_too(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        before = Audit.select().count()
        with pytest.raises(NotAllowed):
            services.kit.act(RECEPTION, "outer", lambda unit: services.people.users(RECEPTION))
        (row,) = list(Audit.select().order_by(Audit.seq).offset(before))
        assert (row.actor, row.action, row.outcome) == ("reception1", "outer", "refused")
