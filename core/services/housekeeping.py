"""What may be forgotten, and when: old screen events, ended sessions, keys of forms long done. Never a clinical row."""

from __future__ import annotations

from datetime import timedelta

from core.index.journal import LANES, forget
from core.index.journal import newest as newest_row
from core.index.tables import CallerAttempt, Event, Idempotency, ReportLock, Session
from core.index.writer import Unit
from core.services.kit import Kit
from core.services.people import SESSION_HOURS

EVENTS_KEPT = 200_000
FORMS_KEPT = timedelta(days=30)
STRANGERS_KEPT = timedelta(days=90)


class Housekeeping:
    """A timer's verb."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def tidy(self) -> None:
        """The newest event always stays, so that ids never start again."""

        def act(unit: Unit) -> None:
            newest = Event.select(Event.id).order_by(Event.id.desc()).limit(1).scalar() or 0
            Event.delete().where(Event.id < newest - EVENTS_KEPT).execute()
            Session.delete().where(Session.opened_at < unit.now - timedelta(hours=SESSION_HOURS)).execute()
            Idempotency.delete().where(Idempotency.at < unit.now - FORMS_KEPT).execute()
            CallerAttempt.delete().where(CallerAttempt.at < unit.now - STRANGERS_KEPT).execute()
            if not self._kit.config.replica.target:  # nobody reads the journal; a copy to come gets everything anew
                forget(unit, dict.fromkeys(LANES, newest_row()), self._kit.index.epoch)
            ReportLock.delete().where(ReportLock.expires_at < unit.now - timedelta(days=1)).execute()

        self._kit.index.writer.do(act)
