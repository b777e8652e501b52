"""What is forgotten, and what never is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from core.index.tables import Audit, Event, Idempotency, StepHistory
from tests.people.hospital import hospital
from tests.services.test_identity import planned


def test_old_forms_and_events_go_and_the_history_of_an_exam_stays(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        planned(services)
        services.kit.index.writer.do(lambda unit: Idempotency.create(key="k", result="1", at=unit.now) and None)
        before = (StepHistory.select().count(), Audit.select().count(), services.events.last_id())
        services.clock.advance(timedelta(days=40).total_seconds())  # type: ignore[attr-defined]
        services.housekeeping.tidy()
        assert Idempotency.select().count() == 0
        assert (StepHistory.select().count(), Audit.select().count()) == before[:2]
        assert services.events.last_id() >= before[2]
        assert Event.select().count() > 0
