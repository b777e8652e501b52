"""What the signer really saw is counted picture by picture, and who signs without images says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import BadInput, NotFound
from core.model.report import SeriesViewed
from core.model.worklist import WorklistStatus
from core.services import Services
from core.services.acquisition import DoseEntry
from tests.people.hospital import RADIOLOGIST, TECHNOLOGIST, hospital
from tests.people.images import arrival
from tests.services.test_identity import planned
from tests.services.test_reports import TEXT, sign, to_read


def seen(services: Services, step: int) -> list[SeriesViewed]:
    return list(services.reports.signer_view(RADIOLOGIST, step, TEXT).series)


def loop(services: Services, frames: int = 24) -> tuple[int, int, str]:
    """An exam whose one image is a loop: the exam, the series, the image's key."""
    step, number, uid = planned(services)
    services.ingest.store(arrival("1.7.1", study=uid, patient_id=number, NumberOfFrames=frames))
    services.reports.open(RADIOLOGIST, step)
    (series,) = seen(services, step)
    (image,) = services.studies.instances(RADIOLOGIST, series.series_id)
    return step, series.series_id, image.key


def test_one_picture_of_a_loop_is_one_of_twenty_four(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, series, key = loop(services)
        assert [(s.quality, s.seen, s.pictures, s.whole) for s in seen(services, step)] == [("", 0, 24, False)]
        services.reports.viewed(RADIOLOGIST, series, "APERÇU", [(key, 12)])
        assert [(s.quality, s.seen, s.pictures, s.whole) for s in seen(services, step)] == [("APERÇU", 1, 24, False)]
        for frame in (12, 13, 14):
            services.reports.viewed(RADIOLOGIST, series, "APERÇU", [(key, frame)])
        assert seen(services, step)[0].seen == 3
        services.reports.viewed(RADIOLOGIST, series, "COMPLET", [(key, frame) for frame in range(1, 25)])
        assert [(s.quality, s.seen, s.whole) for s in seen(services, step)] == [("COMPLET", 24, True)]


def test_a_header_that_claims_billions_of_frames_costs_nothing(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, series, key = loop(services, 2_000_000_000)
        services.reports.viewed(RADIOLOGIST, series, "APERÇU", [(key, 1)])
        with pytest.raises(NotFound):
            services.reports.viewed(RADIOLOGIST, series, "APERÇU", [(key, 1_999_999_999)])
        assert [(s.seen, s.pictures) for s in seen(services, step)] == [(1, 10_000)]


def test_an_image_that_comes_later_is_not_seen_and_takes_nothing_from_those_that_were(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = to_read(services, images=3)
        series = seen(services, step)[0].series_id
        pictures = [(i.key, 1) for i in services.studies.instances(RADIOLOGIST, series)]
        services.reports.viewed(RADIOLOGIST, series, "APERÇU", pictures)
        services.ingest.store(arrival("1.7.77", study=uid, patient_id=number, number=-1))
        assert [(s.seen, s.pictures, s.whole) for s in seen(services, step)] == [(3, 4, False)]


def test_a_picture_of_another_series_or_beyond_the_last_frame_is_refused(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, series, key = loop(services)
        for wrong in ((key, 0), (key, 25), ("another", 1)):
            with pytest.raises(NotFound):
                services.reports.viewed(RADIOLOGIST, series, "APERÇU", [wrong])
        with pytest.raises(BadInput):
            services.reports.viewed(RADIOLOGIST, series, "DIAGNOSTIC", [(key, 1)])
        assert seen(services, step)[0].seen == 0


def test_a_picture_opened_after_the_view_was_shown_does_not_refuse_the_signature(tmp_path: Path) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = to_read(services)
        view = services.reports.signer_view(RADIOLOGIST, step, TEXT)
        (series,) = view.series
        (first, _second) = services.studies.instances(RADIOLOGIST, series.series_id)
        services.reports.viewed(RADIOLOGIST, series.series_id, "APERÇU", [(first.key, 1)])
        assert services.reports.signer_view(RADIOLOGIST, step, TEXT).shown_hash == view.shown_hash


@pytest.mark.parametrize("announced", [None, 0, 3])
def test_an_exam_without_images_is_signed_with_a_reason_only(tmp_path: Path, announced: int | None) -> None:
    with hospital(tmp_path, accounts=True) as services:
        step, _number, _uid = planned(services)
        services.acquisition.start(TECHNOLOGIST, step)
        services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 300 mGy.cm"), announced)
        services.acquisition.verify(TECHNOLOGIST, step)
        services.reports.open(RADIOLOGIST, step)
        with pytest.raises(BadInput, match="Aucune image"):
            sign(services, step)
        assert services.scheduling.line(RADIOLOGIST, step).status is WorklistStatus.TO_READ
        version = sign(services, step, reason="échographie au lit, sans image enregistrée")
        assert services.scheduling.line(RADIOLOGIST, step).status is WorklistStatus.VALIDATED
        assert version.version == 1


def test_an_exam_without_images_may_be_closed_without_a_report(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, _number, _uid = planned(services)
        services.acquisition.start(TECHNOLOGIST, step)
        services.acquisition.complete(TECHNOLOGIST, step, DoseEntry("PDL 300 mGy.cm"))
        services.acquisition.verify(TECHNOLOGIST, step)
        services.reports.close_without_report(RADIOLOGIST, step, "patient parti avant les images")
        assert services.scheduling.line(RADIOLOGIST, step).status is WorklistStatus.CLOSED
