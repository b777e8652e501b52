"""Storage Commitment Push Model: N-ACTION becomes a durable request; its report is offered back at once or later.

Source: PS3.4 annex J (J.3.2 request, J.3.3 notification); PS3.7 annex C (statuses).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from core.dicom import conformance, dataset
from core.dicom.dataset import Item
from core.dicom.dimse import Reply
from core.dicom.handlers import Request
from core.dicom.status import (
    CLASS_INSTANCE_CONFLICT,
    INVALID_ARGUMENT_VALUE,
    NO_SUCH_ACTION,
    NO_SUCH_INSTANCE,
    RESOURCE_LIMITATION,
    SUCCESS,
)
from core.errors import NotAllowed
from core.i18n import _
from core.model.commitment import CommitmentRequest, Named
from core.model.identifiers import is_uid

REQUEST_COMMITMENT: Final = 1  # Action Type ID; the only one
MOST_IMAGES: Final = 20_000

TRANSACTION_UID: Final = 0x00081195
REFERENCED_SOP_SEQUENCE: Final = 0x00081199
REFERENCED_CLASS: Final = 0x00081150
REFERENCED_INSTANCE: Final = 0x00081155


class Requests(Protocol):
    """The verb of `core.services.commitments` that keeps a request."""

    def request(self, request: CommitmentRequest) -> int: ...


class Offers(Protocol):
    """Whoever carries the reports: this request came on an association that may still be open for its report."""

    def asked(self, commitment_id: int, request: Request) -> None: ...


class CommitmentDoor:
    """The handler of N-ACTION."""

    def __init__(self, requests: Requests, reports: Offers | None) -> None:
        self._requests = requests
        self._reports = reports

    def action(self, request: Request) -> Iterator[Reply]:
        """The request is durable before success; what becomes of it is a report of its own."""
        caller = request.caller
        if not caller.may_store:
            raise NotAllowed(_("Cette machine n'archive pas d'images."))
        if refusal := _refusal(request):
            yield refusal
            return
        item = dataset.decode(request.data_set, request.context.transfer_syntax)
        transaction, images = item.text(TRANSACTION_UID), _images(item)
        if not is_uid(transaction):
            yield Reply(INVALID_ARGUMENT_VALUE, comment="(0008,1195)")
        elif not images or not all(is_uid(i.sop_class_uid) and is_uid(i.sop_instance_uid) for i in images):
            yield Reply(INVALID_ARGUMENT_VALUE, comment="(0008,1199)")
        elif len(images) > MOST_IMAGES:
            yield Reply(RESOURCE_LIMITATION, comment=f"more than {MOST_IMAGES} instances")
        else:
            kept = self._requests.request(CommitmentRequest(transaction, caller.ae_title, caller.address, images))
            yield Reply(SUCCESS)
            if self._reports is not None:
                self._reports.asked(kept, request)


def _refusal(request: Request) -> Reply | None:
    command = request.command
    if command.sop_class not in ("", conformance.STORAGE_COMMITMENT):
        return Reply(CLASS_INSTANCE_CONFLICT, comment="SOP class")
    if command.sop_instance != conformance.STORAGE_COMMITMENT_INSTANCE:
        return Reply(NO_SUCH_INSTANCE, comment="well-known SOP instance")
    if command.action_type != REQUEST_COMMITMENT:
        return Reply(NO_SUCH_ACTION, comment="action type")
    return None


def _images(item: Item) -> tuple[Named, ...]:
    return tuple(
        Named(reference.text(REFERENCED_CLASS), reference.text(REFERENCED_INSTANCE))
        for reference in item.items(REFERENCED_SOP_SEQUENCE)
    )
