"""Machines that say nothing: images that stop coming end the acquisition, and never jump a technologist's check."""

from __future__ import annotations

from pathlib import Path

from core.model.people import Actor
from core.model.step import Flag
from core.model.worklist import WorklistStatus
from core.services.steps import flag, step_row
from tests.people.hospital import RADIOLOGIST, RECEPTION, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import planned

TIMER = Actor.system("timer")


def test_an_exam_that_nobody_ordered_is_to_be_read_once_its_images_stop_coming(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.ingest.store(arrival(patient_id="EXT-7", name="BARRY^Salif"))
        (line,) = services.reports.reading_list(RADIOLOGIST)
        services.clock.advance(179)  # type: ignore[attr-defined]
        assert services.acquisition.settle(TIMER) == 0
        services.clock.advance(2)  # type: ignore[attr-defined]
        assert services.acquisition.settle(TIMER) == 1
        assert services.scheduling.line(RECEPTION, line.step_id).status is WorklistStatus.TO_READ


def test_an_ordered_exam_waits_for_the_technologists_check(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        services.ingest.store(arrival(study=uid, patient_id=number))
        services.clock.advance(200)  # type: ignore[attr-defined]
        services.acquisition.settle(TIMER)
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.DONE
        services.acquisition.verify(TECHNOLOGIST, step)
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.TO_READ


def test_a_flagged_exam_is_never_verified_by_a_timer(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        outcome = services.ingest.store(arrival(patient_id="EXT-7", name="BARRY^Salif"))
        step_id = outcome.step_id
        assert step_id is not None
        services.kit.act(TIMER, "test", lambda unit: flag(unit, step_row(step_id), Flag.INCOMPLETE))
        services.clock.advance(200)  # type: ignore[attr-defined]
        services.acquisition.settle(TIMER)
        assert services.scheduling.line(RECEPTION, step_id).status is WorklistStatus.DONE
