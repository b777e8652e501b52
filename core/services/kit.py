"""What every verb stands on: the index, the archive, the clock, the site. Passed in, never a global."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from core.archive.store import Archive
from core.clock import Clock
from core.config import Config
from core.errors import IllegalTransition, NotAllowed, NotFound, YelenError
from core.index.opening import Index
from core.index.tables import Idempotency, database
from core.index.writer import Unit
from core.model.people import Actor

T = TypeVar("T")
NEXT_NUMBER = (
    "INSERT INTO counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value"
)


@dataclass(frozen=True, slots=True)
class Kit:
    """The department's means. `local` and `today` are the site's wall time, for days and screens only."""

    index: Index
    archive: Archive
    clock: Clock
    config: Config

    def now(self) -> datetime:
        return self.clock.now()

    def local(self, moment: datetime) -> datetime:
        return self.config.site.local(moment)

    def today(self) -> date:
        return self.local(self.clock.now()).date()

    def day_of(self, moment: datetime) -> date:
        return self.local(moment).date()

    def act(self, actor: Actor, verb: str, act: Callable[[Unit], T]) -> T:
        """Run an act in the writer and wait for its commit. A refusal of a person is audited, and changes nothing."""
        try:
            return self.index.writer.do(act)
        except (NotAllowed, IllegalTransition, NotFound) as refusal:
            self.note_refusal(actor, verb, refusal)
            raise

    def note_refusal(self, actor: Actor, verb: str, refusal: NotAllowed | IllegalTransition | NotFound) -> None:
        """One row of the audit, however many verbs the refusal goes through. What does not exist is not refused."""
        if self.index.writer.is_this_thread:
            return  # inside another act: whoever waits for that one is told, and notes it
        about = refusal.hidden if isinstance(refusal, NotFound) else ""
        if refusal.noted or (isinstance(refusal, NotFound) and not about):
            return
        refusal.noted = True
        sentence = str(refusal)
        with suppress(YelenError):  # nothing can be written: the refusal stands all the same
            self.index.writer.do(lambda unit: unit.audit(actor, verb, about, outcome="refused", why=sentence))


def issue(name: str) -> int:
    """The next number of a counter; runs inside an act, so a number is never issued twice and never lost."""
    number: int = database.execute_sql(NEXT_NUMBER, (name,)).fetchone()[0]
    return number


def done_before(verb: str, key: str) -> int | None:
    """What the act of this verb with this idempotency key made, when it was already done."""
    if not key:
        return None
    row = Idempotency.get_or_none(Idempotency.key == scoped(verb, key))
    return int(json.loads(row.result)) if row else None


def remember(unit: Unit, verb: str, key: str, result: int) -> None:
    if key:
        Idempotency.create(key=scoped(verb, key), result=json.dumps(result), at=unit.now)


def scoped(verb: str, key: str) -> str:
    """A key counts for one verb: what another verb made under it is another kind of thing."""
    return f"{verb}:{key}"
