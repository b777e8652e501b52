"""Storage commitment: what a machine asked is durable before it is told so, and its answer survives any restart.

A request waits for its images, is judged once, and its verdict is offered to the machine until it takes it or a day has
passed. Who carries the verdict is the DICOM door; what is owed is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.i18n import _
from core.index.rows import insert
from core.index.tables import CommitmentRow
from core.index.writer import Unit
from core.model.commitment import ARRIVING, GIVE_UP, Commitment, CommitmentRequest, Doubt, Named, Verdict, pause
from core.model.people import Actor, Role
from core.services.commitment_proof import copied, examine, journalled
from core.services.kit import Kit
from core.services.packed import packed, unpacked
from core.services.tasks import ask

DUE = ("WAITING", "JUDGED")


@dataclass(slots=True)
class _Inquiry:
    """What is known of a request that waits; forgotten at a restart, and found again."""

    images: tuple[Named, ...]
    found: dict[Named, Doubt | None] = field(default_factory=dict)
    complete_at: int | None = None  # how far the journal was when every image was here


class Commitments:
    """Verbs of the DICOM door. `judge` is called by one thread."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._inquiries: dict[int, _Inquiry] = {}

    def request(self, request: CommitmentRequest) -> int:
        """Keep a request. The same transaction of the same machine again starts anew: it did not hear us."""
        actor = Actor.system("dicom", f"dicom {request.calling_ae}@{request.address}")

        def act(unit: Unit) -> int:
            columns: dict[str, Any] = {
                "address": request.address,
                "images": packed(request.images),
                "state": "WAITING",
                "failed": (),
                "attempts": 0,
                "answer": "",
                "requested_at": unit.now,
                "next_at": unit.now,
                "judged_at": None,
                "reported_at": None,
            }
            same = (CommitmentRow.transaction_uid == request.transaction_uid) & (
                CommitmentRow.calling_ae == request.calling_ae
            )
            known = CommitmentRow.get_or_none(same)
            if known is not None:
                CommitmentRow.update(**columns).where(CommitmentRow.id == known.id).execute()
            row = known or insert(
                CommitmentRow, transaction_uid=request.transaction_uid, calling_ae=request.calling_ae, **columns
            )
            unit.event("commitment", row.id)
            unit.audit(actor, "commitment_asked", f"commitment:{row.id}", images=len(request.images))
            unit.after_commit(lambda: self._forget(row.id))
            return int(row.id)

        return self._kit.index.writer.do(act)

    def due(self) -> list[Commitment]:
        """What is to be judged or told now, the oldest first."""
        rows = (
            CommitmentRow.select()
            .where(CommitmentRow.state.in_(DUE), CommitmentRow.next_at <= self._kit.now())
            .order_by(CommitmentRow.id)
        )
        return [
            Commitment(r.id, r.transaction_uid, r.calling_ae, r.requested_at, r.attempts, r.judged_at) for r in rows
        ]

    def judge(self, commitment: Commitment) -> bool:
        """Look at every image; True when the verdict is written. False: images, or their copies, may still arrive."""
        inquiry = self._inquiries.get(commitment.id)
        if inquiry is None:
            inquiry = self._inquiries[commitment.id] = _Inquiry(unpacked(CommitmentRow.get_by_id(commitment.id).images))
        inquiry.found.update(examine(self._kit, [i for i in inquiry.images if i not in inquiry.found]))
        waited = self._kit.now() - commitment.requested_at
        if len(inquiry.found) < len(set(inquiry.images)) and waited < ARRIVING:
            return False
        if self._kit.config.dicom.commit_after_replication and not self._safe_elsewhere(inquiry):
            if waited < GIVE_UP:
                return False
            inquiry.found = {image: doubt or Doubt.PROCESSING_FAILURE for image, doubt in inquiry.found.items()}
        self._write(commitment, inquiry)
        return True

    def _safe_elsewhere(self, inquiry: _Inquiry) -> bool:
        if inquiry.complete_at is None:
            inquiry.complete_at = journalled()
        return copied(inquiry.complete_at)

    def _write(self, commitment: Commitment, inquiry: _Inquiry) -> None:
        doubts = {image: inquiry.found.get(image, Doubt.NO_SUCH_INSTANCE) for image in inquiry.images}
        failed = [(image.sop_instance_uid, int(doubt)) for image, doubt in doubts.items() if doubt is not None]

        def act(unit: Unit) -> None:
            CommitmentRow.update(state="JUDGED", failed=failed, judged_at=unit.now, next_at=unit.now).where(
                CommitmentRow.id == commitment.id
            ).execute()
            unit.audit(
                _box(), "commitment_judged", f"commitment:{commitment.id}", images=len(doubts), failed=len(failed)
            )
            unit.event("commitment", commitment.id)
            if failed:
                _tell(
                    unit,
                    _("%s demande un engagement : %d images sur %d manquent ici ou sont abîmées. Les renvoyer.")
                    % (commitment.calling_ae, len(failed), len(doubts)),
                )
            unit.after_commit(lambda: self._forget(commitment.id))

        self._kit.index.writer.do(act)

    def _forget(self, commitment_id: int) -> None:
        self._inquiries.pop(commitment_id, None)

    def verdict(self, commitment_id: int) -> Verdict:
        """What the machine is to be told."""
        row = CommitmentRow.get_by_id(commitment_id)
        reasons = {uid: Doubt(code) for uid, code in row.failed}
        images = unpacked(row.images)
        return Verdict(
            row.transaction_uid,
            row.calling_ae,
            tuple(image for image in images if image.sop_instance_uid not in reasons),
            tuple((image, reasons[image.sop_instance_uid]) for image in images if image.sop_instance_uid in reasons),
        )

    def reported(self, verdict: Verdict, commitment_id: int) -> None:
        """The machine took its answer: from now on it may delete its copy, and the technologist sees it."""
        uids = [image.sop_instance_uid for image in verdict.safe]

        def act(unit: Unit) -> None:
            CommitmentRow.update(state="REPORTED", reported_at=unit.now, answer="").where(
                CommitmentRow.id == commitment_id
            ).execute()
            for study_id, step_id in _mark(unit, uids):
                unit.event(f"study:{study_id}", study_id)
                if step_id is not None:
                    unit.event(f"step:{step_id}", step_id)
            unit.event("commitment", commitment_id)
            unit.audit(_box(), "commitment_reported", f"commitment:{commitment_id}", safe=len(uids))

        self._kit.index.writer.do(act)

    def not_taken(self, commitment: Commitment, why: str) -> datetime | None:
        """The machine could not be told; when to try again, None after a day: then a person must know."""
        attempts, now = commitment.attempts + 1, self._kit.now()
        again = now + pause(attempts)
        given_up = now - (commitment.judged_at or commitment.requested_at) >= GIVE_UP

        def act(unit: Unit) -> None:
            CommitmentRow.update(
                state="ABANDONED" if given_up else "JUDGED", attempts=attempts, answer=why[:200], next_at=again
            ).where(CommitmentRow.id == commitment.id).execute()
            unit.event("commitment", commitment.id)
            if given_up:
                unit.audit(_box(), "commitment_abandoned", f"commitment:{commitment.id}", outcome="failed", why=why)
                _tell(
                    unit,
                    _("Engagement non remis à %s depuis 24 h : ne rien effacer sur la machine.")
                    % commitment.calling_ae,
                )

        self._kit.index.writer.do(act)
        return None if given_up else again


def _box() -> Actor:
    return Actor.system("commitment")


def _tell(unit: Unit, text: str) -> None:
    ask(unit, "commitment", Role.TECHNOLOGIST, text)
    unit.event("alarm", "commitment")


def _mark(unit: Unit, uids: list[str]) -> list[tuple[int, int | None]]:
    """Instances that a machine was told are safe, and their studies: (study, step)."""
    studies: set[tuple[int, int | None]] = set()
    for uid in uids:
        found = unit.sql(
            "SELECT i.id, t.id, t.step_id FROM instance i JOIN series s ON s.id = i.series_id "
            "JOIN study t ON t.id = s.study_id WHERE i.sop_instance_uid = ?",
            (uid,),
        ).fetchone()
        if found:
            unit.sql("INSERT OR IGNORE INTO told_safe (instance_id) VALUES (?)", found[:1])
            studies.add(found[1:])
    for study_id, _step in studies:
        unit.sql(_COUNT, (study_id,))
    return sorted(studies, key=lambda pair: pair[0])


_COUNT = (
    "UPDATE study SET committed = MAX(committed, (SELECT COUNT(*) FROM told_safe t JOIN instance i "
    "ON i.id = t.instance_id JOIN series s ON s.id = i.series_id WHERE s.study_id = study.id)) WHERE id = ?"
)
