"""A correction keeps what was already typed, and shows every image that came since the words it corrects."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import SetClock
from core.errors import Conflict, NotAllowed
from core.model.people import Actor
from core.model.report import ReportText, VersionState
from core.model.step import Flag
from tests.people.hospital import MORNING, PIN, RADIOLOGIST, RESIDENT, hospital
from tests.people.images import arrival
from tests.services.test_reports import TEXT, sign, to_read

TYPED = ReportText(findings="Lésion à gauche.", conclusion="Fracture du rocher gauche.")
COLLEAGUE = Actor("dr.kone", RADIOLOGIST.roles, origin="test", full_name="Dr Binta KONE")


def test_a_correction_opened_twice_keeps_what_was_typed(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
        services.reports.open_correction(RADIOLOGIST, step, "côté inversé")
        services.reports.save_draft(RADIOLOGIST, step, TYPED)
        assert services.reports.open_correction(RADIOLOGIST, step, "côté inversé").draft == TYPED
        events = [h.event for h in services.scheduling.history(RADIOLOGIST, step)]
        assert events.count("REVISION_OPENED") == 1


def test_a_correction_under_way_is_not_taken_by_a_colleague(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
        services.reports.open_correction(RADIOLOGIST, step, "côté inversé")
        services.reports.save_draft(RADIOLOGIST, step, TYPED)
        with pytest.raises(Conflict, match=r"dr\.traore"):
            services.reports.open_correction(COLLEAGUE, step, "conclusion")
        assert services.reports.desk(RADIOLOGIST, step).draft == TYPED
        services.reports.release_lock(RADIOLOGIST, step)
        assert services.reports.open_correction(COLLEAGUE, step, "conclusion").draft == TYPED


def test_a_resident_does_not_open_a_correction_that_is_open(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
        services.reports.open_correction(RADIOLOGIST, step, "côté inversé")
        with pytest.raises(NotAllowed):
            services.reports.open_correction(RESIDENT, step, "conclusion")


def test_images_that_came_after_the_signature_must_be_seen_before_the_correction_is_signed(tmp_path: Path) -> None:
    clock = SetClock(MORNING)
    with hospital(tmp_path, clock, accounts=True) as services:
        step, number, uid = to_read(services)
        sign(services, step)
        clock.advance(3600)
        services.ingest.store(arrival("1.7.9", study=uid, patient_id=number, number=9))
        assert str(Flag.LATE_IMAGES) in services.scheduling.line(RADIOLOGIST, step).flags
        clock.advance(3600)
        services.reports.open_correction(RADIOLOGIST, step, "série ajoutée")
        with pytest.raises(Conflict, match="ouverture"):
            sign(services, step)
        (late,) = services.reports.signer_view(RADIOLOGIST, step, TEXT).unseen_late
        services.reports.acknowledge_late(RADIOLOGIST, step, late)
        assert sign(services, step).state is VersionState.SIGNED
        assert str(Flag.LATE_IMAGES) not in services.scheduling.line(RADIOLOGIST, step).flags


def test_a_draft_saved_after_an_image_came_does_not_hide_it(tmp_path: Path) -> None:
    clock = SetClock(MORNING)
    with hospital(tmp_path, clock, accounts=True) as services:
        step, number, uid = to_read(services)
        services.ingest.store(arrival("1.7.9", study=uid, patient_id=number, number=9))
        clock.advance(60)
        services.reports.save_draft(RADIOLOGIST, step, TEXT)
        services.reports.release_lock(RADIOLOGIST, step)
        clock.advance(60)
        services.reports.open(RADIOLOGIST, step)
        assert len(services.reports.signer_view(RADIOLOGIST, step, TEXT).unseen_late) == 1


@pytest.mark.parametrize("jump", [-7200, 0], ids=["the clock goes back two hours", "the clock stands still"])
def test_an_image_is_late_by_its_place_in_the_sequence_whatever_the_clock_says(tmp_path: Path, jump: int) -> None:
    clock = SetClock(MORNING)
    with hospital(tmp_path, clock, accounts=True) as services:
        step, number, uid = to_read(services)
        clock.jump(jump)
        services.ingest.store(arrival("1.7.9", study=uid, patient_id=number, number=9))
        assert len(services.reports.signer_view(RADIOLOGIST, step, TEXT).unseen_late) == 1


def test_a_senior_who_signs_a_residents_words_sees_what_came_since_they_were_written(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, number, uid = to_read(services)
        services.reports.release_lock(RADIOLOGIST, step)
        services.reports.open(RESIDENT, step)
        services.reports.save_draft(RESIDENT, step, TEXT)
        services.reports.release_lock(RESIDENT, step)
        services.ingest.store(arrival("1.7.9", study=uid, patient_id=number, number=9))
        services.reports.open(RADIOLOGIST, step)
        assert len(services.reports.signer_view(RADIOLOGIST, step, TEXT).unseen_late) == 1


def test_a_correction_of_words_without_late_images_is_signed_at_once(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        services.ingest.store(arrival("1.9.1", study="1.9", patient_id="CDG0000777"))
        sign(services, step)
        services.reports.open_correction(RADIOLOGIST, step, "faute de frappe")
        view = services.reports.signer_view(RADIOLOGIST, step, TYPED)
        second = services.reports.sign(RADIOLOGIST, step, TYPED, PIN, view.shown_hash)
        assert (second.version, second.text) == (2, TYPED)
