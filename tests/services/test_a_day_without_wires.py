"""One exam from the order to the ward's reading, through the verbs alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import NotAllowed
from core.model.birth import parse
from core.model.order import OrderDraft, Urgency
from core.model.patient import Demographics
from core.model.people import Actor, Role
from core.model.query import DayFilter, WorklistQuery
from core.model.report import ReportText
from core.model.worklist import WorklistStatus
from core.services import Services
from core.services.acquisition import DoseEntry
from tests.people.hospital import CLINICIAN, MORNING, PIN, RADIOLOGIST, RECEPTION, TECHNOLOGIST, hospital


def registered(services: Services) -> int:
    who = Demographics("Ouédraogo", "Aïcha", parse("12/05/2022", services.today()), "F", guardian_phone="70 12 34 56")
    return services.patients.register(RECEPTION, who).id


def ordered(services: Services, urgency: Urgency = Urgency.NORMAL) -> int:
    draft = OrderDraft(
        registered(services),
        "TDM-CRANE",
        "Dr TRAORE",
        "trauma crânien",
        urgency,
        "URG",
        "SC1",
        MORNING + timedelta(hours=1),
    )
    return services.orders.place(RECEPTION, draft).step_id


def test_the_exam_goes_through_every_state_of_its_day(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step = ordered(services)
        seen = [services.scheduling.line(RECEPTION, step).status]
        services.scheduling.arrive(RECEPTION, step)
        seen.append(services.scheduling.line(RECEPTION, step).status)
        services.acquisition.start(TECHNOLOGIST, step)
        seen.append(services.scheduling.line(RECEPTION, step).status)
        services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 301 mGy.cm"))
        seen.append(services.scheduling.line(RECEPTION, step).status)
        services.acquisition.verify(TECHNOLOGIST, step)
        seen.append(services.scheduling.line(RECEPTION, step).status)
        services.reports.open(RADIOLOGIST, step)
        text = ReportText(findings="Pas d'hémorragie.", conclusion="Scanner normal.")
        view = services.reports.signer_view(RADIOLOGIST, step, text)
        version = services.reports.sign(RADIOLOGIST, step, text, PIN, view.shown_hash, "sans image, pour le test")
        seen.append(services.scheduling.line(RECEPTION, step).status)
        assert services.reports.mark_read(CLINICIAN, version.id)
        seen.append(services.scheduling.line(RECEPTION, step).status)
        assert seen == [
            WorklistStatus.SCHEDULED,
            WorklistStatus.ARRIVED,
            WorklistStatus.IN_ROOM,
            WorklistStatus.DONE,
            WorklistStatus.TO_READ,
            WorklistStatus.VALIDATED,
            WorklistStatus.SENT,
        ]
        who = [(h.event, h.actor) for h in services.scheduling.history(RECEPTION, step)]
        assert who[0] == ("ORDER_RECEIVED", "reception1")
        assert ("SIGNED", "dr.traore") in who
        assert services.audit.verify().ok


def test_the_worklist_of_the_room_shows_the_planned_exam_and_loses_the_cancelled_one(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step = ordered(services, Urgency.URGENT)
        scanner = services.devices.by_caller("scanner1 ", "127.0.0.1")
        query = WorklistQuery("SCANNER1", scanner)
        (entry,) = services.scheduling.worklist(query)
        assert (entry.patient_name, entry.status, entry.priority) == ("OUÉDRAOGO^Aïcha", "SCHEDULED", "HIGH")
        radio = services.devices.by_caller("RADIO1", "127.0.0.1")
        assert services.scheduling.worklist(WorklistQuery("RADIO1", radio)) == []
        services.scheduling.cancel(RECEPTION, step, "patient parti")
        assert services.scheduling.worklist(query) == []


def test_the_day_list_is_found_by_any_word_of_the_name(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        ordered(services)
        today = services.today()
        assert services.scheduling.day_page(RECEPTION, DayFilter(today, text="aicha oued")).total == 1
        assert services.scheduling.day_page(RECEPTION, DayFilter(today, text="zongo")).total == 0
        assert services.patients.search(RECEPTION, "wedraogo")[0].name == "OUÉDRAOGO Aïcha"
        assert services.patients.search(RECEPTION, "70123456")[0].name == "OUÉDRAOGO Aïcha"


def test_an_arrival_is_undone_by_reception_for_two_hours_and_then_by_the_lead_technologist(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step = ordered(services)
        services.scheduling.arrive(RECEPTION, step)
        services.clock.advance(2 * 3600)  # type: ignore[attr-defined]
        assert services.scheduling.undo_arrival(RECEPTION, step, "autre enfant").status is WorklistStatus.SCHEDULED
        services.scheduling.arrive(RECEPTION, step)
        services.clock.advance(2 * 3600 + 1)  # type: ignore[attr-defined]
        with pytest.raises(NotAllowed):
            services.scheduling.undo_arrival(RECEPTION, step, "autre enfant")
        lead = Actor("cadre1", frozenset({Role.LEAD_TECHNOLOGIST}))
        assert services.scheduling.undo_arrival(lead, step, "autre enfant").status is WorklistStatus.SCHEDULED
