"""Nobody signs blind; what is signed is frozen; the ward knows what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import SetClock
from core.errors import BadInput, Conflict, NotAllowed, NotFound
from core.index.tables import Delivery, Outbox, ReportVersion
from core.model.report import ReportText, VersionState
from core.model.step import Flag
from core.model.worklist import WorklistStatus
from core.services import Services
from core.services.acquisition import DoseEntry
from core.services.steps import flag, step_row
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
    add_destination,
    hospital,
)
from tests.people.images import arrival
from tests.services.test_identity import planned

TEXT = ReportText(findings="Pas d'hémorragie.", conclusion="Scanner normal.")


def to_read(services: Services, images: int = 2, announced: int | None = None) -> tuple[int, str, str]:
    """An exam that waits in the reading list."""
    step, number, uid = planned(services)
    for n in range(images):
        services.ingest.store(arrival(f"1.7.{n}", study=uid, patient_id=number, number=n))
    services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 300 mGy.cm"), announced)
    services.acquisition.verify(TECHNOLOGIST, step)
    services.reports.open(RADIOLOGIST, step)
    return step, number, uid


def sign(services: Services, step: int, **answers: str) -> ReportVersion:
    view = services.reports.signer_view(RADIOLOGIST, step, TEXT)
    return services.reports.sign(RADIOLOGIST, step, TEXT, PIN, view.shown_hash, **answers)  # type: ignore[arg-type,return-value]


def test_two_radiologists_racing_for_one_report_get_one_lock(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = to_read(services)
        desk = services.reports.open(RESIDENT, step)
        assert (desk.mine, desk.lock_owner) == (False, "dr.traore")
        with pytest.raises(Conflict, match=r"dr\.traore"):
            services.reports.save_draft(RESIDENT, step, TEXT)


def test_missing_images_ask_the_signer_for_a_reason(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services, images=2, announced=5)
        assert str(Flag.INCOMPLETE) in services.scheduling.line(RADIOLOGIST, step).flags
        with pytest.raises(BadInput, match="incomplet"):
            sign(services, step)
        assert sign(services, step, reason="série interrompue, suffisante").state is VersionState.SIGNED


def test_an_image_that_came_between_two_sittings_must_be_seen_before_the_pin(tmp_path: Path) -> None:
    clock = SetClock(MORNING)
    with hospital(tmp_path, clock, accounts=True) as services:
        step, number, uid = to_read(services)
        services.reports.save_draft(RADIOLOGIST, step, TEXT)
        clock.advance(3600)
        services.reports.release_expired()
        services.ingest.store(arrival("1.7.9", study=uid, patient_id=number, number=9))
        clock.advance(3600)
        services.reports.open(RADIOLOGIST, step)
        (late,) = services.reports.signer_view(RADIOLOGIST, step, TEXT).unseen_late
        with pytest.raises(Conflict, match="ouverture"):
            sign(services, step)
        services.reports.acknowledge_late(RADIOLOGIST, step, late)
        assert sign(services, step).state is VersionState.SIGNED


def test_an_image_that_came_meanwhile_must_be_seen_before_the_pin(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, number, uid = to_read(services)
        services.clock.advance(5)  # type: ignore[attr-defined]
        before = services.reports.signer_view(RADIOLOGIST, step, TEXT)
        services.ingest.store(arrival("1.7.99", study=uid, patient_id=number, number=99))
        with pytest.raises(Conflict):
            services.reports.sign(RADIOLOGIST, step, TEXT, PIN, before.shown_hash)
        (late,) = services.reports.signer_view(RADIOLOGIST, step, TEXT).unseen_late
        services.reports.acknowledge_late(RADIOLOGIST, step, late)
        assert sign(services, step).state is VersionState.SIGNED


def test_a_doubtful_identity_cannot_be_signed_but_may_be_told_provisionally(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        services.kit.act(RADIOLOGIST, "test", lambda unit: flag(unit, step_row(step), Flag.IDENTITY_DOUBTFUL))
        with pytest.raises(NotAllowed, match="Identité"):
            sign(services, step)
        version = services.reports.release_preliminary(RADIOLOGIST, step, TEXT, PIN)
        assert version.is_preliminary


def test_a_wrong_pin_signs_nothing(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        view = services.reports.signer_view(RADIOLOGIST, step, TEXT)
        with pytest.raises(NotAllowed):
            services.reports.sign(RADIOLOGIST, step, TEXT, "0000", view.shown_hash)
        assert ReportVersion.select().count() == 0


def test_a_resident_cannot_sign(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = to_read(services)
        with pytest.raises(NotAllowed):
            services.reports.sign(RESIDENT, step, TEXT, PIN, "")


def test_a_signed_report_is_frozen(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        version = sign(services, step)
        with pytest.raises(Conflict):
            services.kit.index.writer.do(
                lambda unit: unit.sql("UPDATE report_version SET text = '{}' WHERE id = ?", (version.id,)) and None
            )
        assert ReportVersion.get_by_id(version.id).sha256 == TEXT.sha256()


def test_the_preliminary_is_on_the_ward_at_once_and_its_discordance_is_recorded(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        add_destination(services, 1)
        step, _number, _uid = to_read(services)
        services.reports.release_preliminary(RADIOLOGIST, step, TEXT, PIN)
        current = services.reports.current(CLINICIAN, step)
        assert current is not None
        assert current.is_preliminary
        assert services.scheduling.line(CLINICIAN, step).status is WorklistStatus.TO_READ
        services.reports.open(RADIOLOGIST, step)
        with pytest.raises(BadInput, match="Discordance"):
            sign(services, step)
        assert sign(services, step, discordance="minor").discordance == "minor"
        assert [v.state for v in services.reports.versions(CLINICIAN, step)] == [
            VersionState.SUPERSEDED,
            VersionState.SIGNED,
        ]
        assert [o.kind for o in Outbox.select()] == ["oru", "oru"]


def test_only_the_ordering_ward_delivers_by_reading(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        version = sign(services, step)
        with pytest.raises(NotFound):
            services.reports.mark_read(OTHER_WARD, version.id)
        assert not services.reports.mark_read(RADIOLOGIST, version.id)
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.VALIDATED
        assert services.reports.mark_read(CLINICIAN, version.id)
        assert services.scheduling.line(RECEPTION, step).status is WorklistStatus.SENT
        (row,) = list(Delivery.select())
        assert (row.state, row.who) == ("READ", "urg1")


def test_every_reading_of_a_report_is_in_the_audit(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        version = sign(services, step)
        services.reports.opened(CLINICIAN, version.id)
        with pytest.raises(NotFound):
            services.reports.opened(OTHER_WARD, version.id)
        seen = [(r.actor, r.action) for r in services.audit.rows(ADMIN, what=f"report:{version.id}")]
        assert ("urg1", "view_report") in seen
        assert not any(who == "ped1" for who, _action in seen)


def test_a_correction_says_so_on_the_old_version_until_it_is_signed(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        sign(services, step)
        services.reports.open_correction(RADIOLOGIST, step, "côté inversé")
        assert str(Flag.CORRECTION_OPEN) in services.scheduling.line(CLINICIAN, step).flags
        second = sign(services, step)
        assert second.version == 2
        assert str(Flag.CORRECTION_OPEN) not in services.scheduling.line(CLINICIAN, step).flags


def test_the_lock_ends_by_itself_after_half_an_hour(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = to_read(services)
        services.clock.advance(31 * 60)  # type: ignore[attr-defined]
        assert services.reports.open(RESIDENT, step).mine
