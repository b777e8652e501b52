"""What other archives are asked to answer for, and what they said. Who asks and who hears is the DICOM door."""

from __future__ import annotations

from typing import Any

from core.errors import NotFound
from core.i18n import _
from core.index.rows import insert
from core.index.tables import PledgeRow
from core.index.writer import Unit
from core.model.commitment import GIVE_UP, Named, pause
from core.model.device import ae_key
from core.model.identifiers import random_uid
from core.model.people import Actor, Role
from core.model.pledge import ANSWER_WITHIN, MOST_PATIENCE, Answer, Pledge, PledgeLine
from core.services.access import require
from core.services.kit import Kit
from core.services.packed import packed, unpacked
from core.services.tasks import ask

_SENT = (
    "SELECT i.sop_class_uid, i.sop_instance_uid FROM instance i JOIN series r ON r.id = i.series_id "
    "WHERE r.study_id = ? AND i.id > ? AND i.id <= ? ORDER BY i.id"
)


def owe(unit: Unit, archive: str, study_id: int, above: int, upto: int) -> None:
    """Inside the act that ends a transfer: the archive will be asked about these images of the study."""
    images = tuple(Named(*row) for row in unit.sql(_SENT, (study_id, above, upto)).fetchall())
    if not images:
        return
    insert(
        PledgeRow,
        transaction_uid=random_uid(),
        archive=archive,
        study_id=study_id,
        images=packed(images),
        count=len(images),
        created_at=unit.now,
        next_at=unit.now,
    )


class Pledges:
    """Verbs of the thread that asks, of the door that hears the answers, and of the administrator."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def due(self) -> list[Pledge]:
        """What is to be asked now; one that was asked and is not answered in a day is asked again."""
        rows = (
            PledgeRow.select()
            .where(PledgeRow.state.in_(["ASK", "ASKED"]), PledgeRow.next_at <= self._kit.now())
            .order_by(PledgeRow.id)
        )
        return [Pledge(r.id, r.transaction_uid, r.archive, unpacked(r.images), r.attempts) for r in rows]

    def asked(self, pledge: Pledge) -> None:
        """The archive took the question; the answer may already be there. One that never comes is told to a person."""
        attempts = pledge.attempts + 1

        def act(unit: Unit) -> None:
            row = PledgeRow.get_by_id(pledge.id)
            if row.state == "ANSWERED":
                return
            tired = row.state == "ASKED" and unit.now - row.created_at >= MOST_PATIENCE
            PledgeRow.update(
                state="ABANDONED" if tired else "ASKED",
                asked_at=unit.now,
                attempts=attempts,
                next_at=unit.now + ANSWER_WITHIN,
            ).where(PledgeRow.id == pledge.id).execute()
            unit.event("pledges", pledge.id)
            if tired:
                _tell(unit, row, _("aucune réponse"))

        self._kit.index.writer.do(act)

    def not_asked(self, pledge: Pledge, why: str) -> None:
        """The archive could not be asked: again later, for a day."""
        attempts = pledge.attempts + 1

        def act(unit: Unit) -> None:
            row = PledgeRow.get_by_id(pledge.id)
            if row.state == "ANSWERED":
                return
            given_up = unit.now - row.created_at >= GIVE_UP
            PledgeRow.update(
                state="ABANDONED" if given_up else row.state,
                attempts=attempts,
                why=why[:200],
                next_at=unit.now + pause(attempts),
            ).where(PledgeRow.id == pledge.id).execute()
            unit.event("pledges", pledge.id)
            if given_up:
                _tell(unit, row, why)

        self._kit.index.writer.do(act)

    def answered(self, archive: str, answer: Answer) -> None:
        """The archive says what it answers for. Raises `NotFound` for what it was never asked."""

        def act(unit: Unit) -> None:
            row: Any = PledgeRow.get_or_none(PledgeRow.transaction_uid == answer.transaction_uid)
            if row is None or ae_key(row.archive) != ae_key(archive):
                raise NotFound(_("Aucun engagement de ce numéro n'a été demandé."))
            if row.state == "ANSWERED":
                return
            missing = {image.sop_instance_uid for image in unpacked(row.images)} - set(answer.safe)
            PledgeRow.update(state="ANSWERED", failed=sorted(missing), answered_at=unit.now, why="").where(
                PledgeRow.id == row.id
            ).execute()
            unit.audit(_box(), "pledged", f"pledge:{row.id}", archive=row.archive, safe=row.count - len(missing))
            unit.event("pledges", row.id)
            if missing:
                text = _("%s ne garde pas %d images sur %d qui lui ont été envoyées.")
                text %= (row.archive, len(missing), row.count)
                ask(unit, "pledge", Role.ADMINISTRATOR, text, study_id=row.study_id)

        self._kit.index.writer.do(act)

    def lines(self, actor: Actor, limit: int = 200) -> list[PledgeLine]:
        """The newest first."""
        require(actor, Role.ADMINISTRATOR)
        rows = PledgeRow.select().order_by(PledgeRow.id.desc()).limit(limit)
        return [
            PledgeLine(r.id, r.archive, r.study_id, r.count, len(r.failed), r.state, r.why, r.asked_at, r.answered_at)
            for r in rows
        ]


def _tell(unit: Unit, row: Any, why: str) -> None:
    unit.audit(_box(), "pledge_abandoned", f"pledge:{row.id}", outcome="failed", why=why)
    text = _("%s ne répond pas des images envoyées : %s") % (row.archive, why)
    ask(unit, "pledge", Role.ADMINISTRATOR, text, study_id=row.study_id)


def _box() -> Actor:
    return Actor.system("commitment")
