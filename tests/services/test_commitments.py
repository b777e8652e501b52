"""What we answer for, without a wire: the second building, and what a restart finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.archive.store import Archive
from core.clock import SetClock
from core.config import Dicom, Replica
from core.index.journal import LANES, newest, note
from core.index.tables import CommitmentRow, Instance, Study
from core.model.commitment import Commitment, CommitmentRequest, Doubt, Named
from core.services import Services, commitment_proof
from tests.people.hospital import MORNING, hospital, site_config
from tests.people.images import CT_IMAGE, arrival

IMAGE = Named(CT_IMAGE, "1.7.1")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def careful(tmp_path: Path, clock: SetClock) -> Iterator[Services]:
    """A site that answers for an image once the second building has it too."""
    dicom, replica = Dicom(port=0, commit_after_replication=True), Replica(target=str(tmp_path / "there"))
    with hospital(
        tmp_path / "here", clock, config=site_config(tmp_path / "here", dicom=dicom, replica=replica)
    ) as made:
        yield made


def asked(services: Services, *images: Named) -> Commitment:
    services.commitments.request(CommitmentRequest("1.2.20.1", "SCANNER1", "127.0.0.1", images or (IMAGE,)))
    [waiting] = services.commitments.due()
    return waiting


def acknowledge(services: Services, lane: str, upto: int) -> None:
    """The second building says how far it is."""
    services.kit.index.writer.do(lambda unit: note(unit, lane, 1, upto))


def test_the_answer_waits_for_the_second_building(careful: Services) -> None:
    careful.ingest.store(arrival("1.7.1"))
    written = newest()
    waiting = asked(careful)
    assert not careful.commitments.judge(waiting)
    acknowledge(careful, "small", newest())
    acknowledge(careful, "bulk", written - 100)
    assert not careful.commitments.judge(waiting)
    for lane in LANES:
        acknowledge(careful, lane, newest())
    assert careful.commitments.judge(waiting)
    assert careful.commitments.verdict(waiting.id).safe == (IMAGE,)


def test_what_comes_later_does_not_hold_the_answer(careful: Services) -> None:
    careful.ingest.store(arrival("1.7.1"))
    waiting = asked(careful)
    assert not careful.commitments.judge(waiting)  # from here on it is known what must arrive there
    upto = newest()
    for number in range(3):
        careful.ingest.store(arrival(f"1.8.{number}", study="1.8"))
    for lane in LANES:
        acknowledge(careful, lane, upto)
    assert careful.commitments.judge(waiting)


def test_a_second_building_that_is_silent_for_a_day_makes_it_a_failure(careful: Services, clock: SetClock) -> None:
    careful.ingest.store(arrival("1.7.1"))
    waiting = asked(careful)
    clock.advance(24 * 3600 - 1)
    assert not careful.commitments.judge(waiting)
    clock.advance(1)
    assert careful.commitments.judge(waiting)
    assert careful.commitments.verdict(waiting.id).failed == ((IMAGE, Doubt.PROCESSING_FAILURE),)


def test_a_request_is_found_again_after_a_restart(tmp_path: Path, clock: SetClock) -> None:
    with hospital(tmp_path, clock) as before:
        before.ingest.store(arrival("1.7.1"))
        asked(before)
    with hospital(tmp_path, clock) as after:
        [waiting] = after.commitments.due()
        assert not waiting.judged
        assert after.commitments.judge(waiting)
    with hospital(tmp_path, clock) as later:
        [waiting] = later.commitments.due()
        assert waiting.judged
        verdict = later.commitments.verdict(waiting.id)
        assert (verdict.safe, verdict.failed) == ((IMAGE,), ())
        later.commitments.reported(verdict, waiting.id)
        assert later.commitments.due() == []
        assert Study.get().committed == 1


def test_an_image_sent_again_after_the_answer_changes_nothing(tmp_path: Path, clock: SetClock) -> None:
    with hospital(tmp_path, clock) as services:
        services.ingest.store(arrival("1.7.1"))
        waiting = asked(services)
        services.commitments.judge(waiting)
        services.commitments.reported(services.commitments.verdict(waiting.id), waiting.id)
        services.ingest.store(arrival("1.7.1"))
        assert (Study.get().committed, CommitmentRow.get().state) == (1, "REPORTED")


def test_an_image_that_is_compressed_while_it_is_read_is_not_called_damaged(
    tmp_path: Path, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row names another file by the time the first one is found gone."""
    with hospital(tmp_path, clock) as services:
        services.ingest.store(arrival("1.7.1"))
        archive = services.kit.archive
        whole = commitment_proof.is_whole

        def moved_first(where: Archive, row: Any) -> bool:
            monkeypatch.setattr(commitment_proof, "is_whole", whole)
            old, new = archive.absolute(row.path), archive.absolute(row.path).with_name("other.dcm")
            old.rename(new)
            path = row.path.rpartition("/")[0] + "/other.dcm"
            services.kit.index.writer.do(lambda _unit: Instance.update(path=path).execute())
            return whole(where, row)

        monkeypatch.setattr(commitment_proof, "is_whole", moved_first)
        waiting = asked(services)
        assert services.commitments.judge(waiting)
        assert services.commitments.verdict(waiting.id).safe == (IMAGE,)
        assert Instance.get().damaged_at is None
