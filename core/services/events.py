"""What changed, for the screens: rows written with every act, pushed after COMMIT, resumable by id (never by time)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.index.tables import Event as EventRow
from core.index.writer import Change
from core.services.kit import Kit


class Events:
    """The feed of changes."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def last_id(self) -> int:
        return EventRow.select(EventRow.id).order_by(EventRow.id.desc()).limit(1).scalar() or 0

    def since(self, last_id: int, topics: Iterable[str] = (), limit: int = 1000) -> list[Change]:
        """Changes after `last_id`, of these topics or of all."""
        query = EventRow.select().where(EventRow.id > last_id).order_by(EventRow.id).limit(limit)
        if wanted := list(topics):
            query = query.where(EventRow.topic.in_(wanted))
        return [Change(e.id, e.topic, e.key) for e in query]

    def newest(self, topics: Iterable[str]) -> int:
        """The id of the newest change of any of these topics: an ETag that costs one index look-up."""
        wanted = list(topics)
        return (
            EventRow.select(EventRow.id)
            .where(EventRow.topic.in_(wanted))
            .order_by(EventRow.id.desc())
            .limit(1)
            .scalar()
            or 0
        )

    def subscribe(self, callback: Callable[[list[Change]], None]) -> Callable[[], None]:
        """Call `callback` after each commit, in the writer's thread: it must only hand over. Returns the undo."""
        return self._kit.index.writer.watch(callback)
