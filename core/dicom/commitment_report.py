"""The answers to storage commitment requests on their way: on the association of the request while it is open and the
work was short, else on one that we open, with us as the SCP. Tried again for a day.

Source: PS3.4 J.3.3 (N-EVENT-REPORT, event types 1 and 2), J.3.2.2.1 (the association may be another one).
"""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from core.clock import Clock
from core.dicom import conformance, dataset, dimse
from core.dicom.asking import Question
from core.dicom.commitment import (
    REFERENCED_CLASS,
    REFERENCED_INSTANCE,
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
)
from core.dicom.handlers import Request
from core.errors import Unreachable, YelenError
from core.i18n import _
from core.model.commitment import Commitment, Named, Verdict
from core.model.device import Device

_log = logging.getLogger(__name__)

EVERYTHING_IS_SAFE: Final = 1  # Event Type IDs, PS3.4 table J.3.3-1
FAILURES_EXIST: Final = 2
FAILED_SOP_SEQUENCE: Final = 0x00081198
FAILURE_REASON: Final = 0x00081197

SAME_ASSOCIATION_S: Final = 2.0
_ANSWER_S: Final = 10.0
_TURN_S: Final = 0.5
_LOOK_AGAIN_S: Final = 2.0  # between two looks at a request whose images are not all here
_MOST_OFFERS: Final = 1000


class Commitments(Protocol):
    """The verbs of `core.services.commitments`."""

    def due(self) -> Sequence[Commitment]: ...
    def judge(self, commitment: Commitment) -> bool: ...
    def verdict(self, commitment_id: int) -> Verdict: ...
    def reported(self, verdict: Verdict, commitment_id: int) -> None: ...
    def not_taken(self, commitment: Commitment, why: str) -> datetime | None: ...


class Registry(Protocol):
    """Where a machine listens."""

    def by_ae(self, ae_title: str) -> Device | None: ...


class Reports(Protocol):
    """An N-EVENT-REPORT on an association of our own."""

    def report(self, device: Device, event_type: int, data_set: Callable[[str], bytes]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Offer:
    """The association on which a request came, and until when its report may go there rather than elsewhere."""

    request: Request
    until: float


class CommitmentReports:
    """One thread that judges what is due and carries the verdicts. Between two restarts only the rows remember."""

    def __init__(
        self,
        commitments: Commitments,
        devices: Registry,
        sender: Reports,
        title: str,
        clock: Clock,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._commitments = commitments
        self._devices = devices
        self._sender = sender
        self._title = title
        self._clock = clock
        self._leave = leave
        self._lock = threading.Lock()
        self._offers: dict[int, _Offer] = {}
        self._looked: dict[int, float] = {}
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dicom-commitment", daemon=True)

    def asked(self, commitment_id: int, request: Request) -> None:
        """A request was kept; its association may be used for its report."""
        with self._lock:
            self._offers[commitment_id] = _Offer(request, self._clock.monotonic() + SAME_ASSOCIATION_S)
            while len(self._offers) > _MOST_OFFERS:
                del self._offers[next(iter(self._offers))]
        self._news.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Once the associations are over: nothing is then waited for."""
        self._stopping.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
            except Exception:
                _log.exception("storage commitment")
            self._news.wait(_TURN_S)
            self._news.clear()
        self._leave()

    def turn(self) -> None:
        """Everything that is due now."""
        for commitment in self._commitments.due():
            try:
                if commitment.judged or self._judged(commitment):
                    self._tell(commitment)
            except Exception:
                _log.exception("storage commitment %d", commitment.id)

    def _judged(self, commitment: Commitment) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            fresh = commitment.id in self._offers and commitment.id not in self._looked
        if not fresh and now - self._looked.get(commitment.id, -_LOOK_AGAIN_S) < _LOOK_AGAIN_S:
            return False
        self._looked[commitment.id] = now
        judged = self._commitments.judge(commitment)
        if judged:
            self._looked.pop(commitment.id, None)
        return judged

    def _tell(self, commitment: Commitment) -> None:
        verdict = self._commitments.verdict(commitment.id)
        try:
            if not self._told_there(commitment, verdict):
                self._tell_elsewhere(verdict)
        except YelenError as error:
            _log.warning("storage commitment %d: %s does not take its report", commitment.id, commitment.calling_ae)
            self._commitments.not_taken(commitment, str(error))
            return
        self._commitments.reported(verdict, commitment.id)
        with self._lock:
            self._offers.pop(commitment.id, None)

    def _told_there(self, commitment: Commitment, verdict: Verdict) -> bool:
        """Whether the machine took it on the association of its request."""
        with self._lock:
            offer = self._offers.get(commitment.id)
        if offer is None or offer.request.questions is None:
            return False
        if self._clock.monotonic() > offer.until and self._address_of(verdict) is not None:
            return False
        data_set = report_data_set(verdict, self._title, offer.request.context.transfer_syntax)
        question = Question(offer.request.context, _command(event_type(verdict)), data_set)
        try:
            status = offer.request.questions.ask(question).result(_ANSWER_S).status
        except (Unreachable, TimeoutError):
            return False
        return status == 0

    def _tell_elsewhere(self, verdict: Verdict) -> None:
        device = self._address_of(verdict)
        if device is None:
            raise Unreachable(_("%s n'écoute pas : adresse ou port absents de sa fiche.") % verdict.calling_ae)
        self._sender.report(device, event_type(verdict), lambda syntax: report_data_set(verdict, self._title, syntax))

    def _address_of(self, verdict: Verdict) -> Device | None:
        """The machine as it is called back; None when nothing says where it listens."""
        device = self._devices.by_ae(verdict.calling_ae)
        if device is None:
            return None
        host, port = device.commit_host or device.host, device.commit_port or device.port
        return replace(device, host=host, port=port) if host and port else None


def event_type(verdict: Verdict) -> int:
    return FAILURES_EXIST if verdict.failed else EVERYTHING_IS_SAFE


def _command(kind: int) -> tuple[tuple[int, int | str], ...]:
    return (
        (dimse.AFFECTED_SOP_CLASS, conformance.STORAGE_COMMITMENT),
        (dimse.COMMAND_FIELD, dimse.N_EVENT_REPORT_RQ),
        (dimse.DATA_SET_TYPE, dimse.WITH_DATA_SET),
        (dimse.AFFECTED_INSTANCE, conformance.STORAGE_COMMITMENT_INSTANCE),
        (dimse.EVENT_TYPE, kind),
    )


def report_data_set(verdict: Verdict, title: str, syntax: str) -> bytes:
    """Event Information, PS3.4 table J.3-2. An empty list is left out, as the standard asks."""
    body = dataset.element(0x00080054, "AE", title.encode("ascii", "replace"), syntax)
    body += dataset.element(TRANSACTION_UID, "UI", verdict.transaction_uid.encode(), syntax)
    if verdict.failed:
        failed = (_reference(image, syntax, int(doubt)) for image, doubt in verdict.failed)
        body += dataset.sequence(FAILED_SOP_SEQUENCE, failed, syntax)
    if verdict.safe:
        body += dataset.sequence(REFERENCED_SOP_SEQUENCE, references(verdict.safe, syntax), syntax)
    return body


def references(images: Iterable[Named], syntax: str) -> Iterable[bytes]:
    """Items of (0008,1199)."""
    return (_reference(image, syntax) for image in images)


def _reference(image: Named, syntax: str, reason: int | None = None) -> bytes:
    body = dataset.element(REFERENCED_CLASS, "UI", image.sop_class_uid.encode(), syntax)
    body += dataset.element(REFERENCED_INSTANCE, "UI", image.sop_instance_uid.encode(), syntax)
    if reason is not None:
        body += dataset.element(FAILURE_REASON, "US", struct.pack("<H", reason), syntax)
    return body
