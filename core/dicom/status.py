"""The one table from our errors to DIMSE statuses, per service.

Sources: PS3.4 table B.2-1 (storage), C.4.1.1.4 (query), tables C.4-2 and C.4-3
(retrieve), K.4.1.1.4 (worklist), F.7.2.1.3 and F.7.2.2.3 (MPPS);
PS3.7 annex C (general statuses).
"""

from __future__ import annotations

import logging
from typing import Final

from core.dicom.dimse import Reply
from core.errors import BadInput, BadMessage, Conflict, NotAllowed, NotFound, OutOfResources, YelenError
from core.model.device import Device

_log = logging.getLogger(__name__)

SUCCESS: Final = 0x0000
PENDING: Final = 0xFF00
PENDING_UNSUPPORTED_KEYS: Final = 0xFF01
CANCELLED: Final = 0xFE00

INVALID_ATTRIBUTE_VALUE: Final = 0x0106
PROCESSING_FAILURE: Final = 0x0110
DUPLICATE_INSTANCE: Final = 0x0111
NO_SUCH_INSTANCE: Final = 0x0112
NO_SUCH_EVENT: Final = 0x0113
INVALID_ARGUMENT_VALUE: Final = 0x0115
CLASS_INSTANCE_CONFLICT: Final = 0x0119
MISSING_ATTRIBUTE: Final = 0x0120
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
NO_SUCH_ACTION: Final = 0x0123
NOT_AUTHORISED: Final = 0x0124
UNRECOGNISED_OPERATION: Final = 0x0211
RESOURCE_LIMITATION: Final = 0x0213
OUT_OF_RESOURCES: Final = 0xA700
LIMIT_REACHED: Final = 0xB001  # C-FIND of the newer PS3.4: the answers so far are right
SUBOPERATIONS_REFUSED: Final = 0xA702
DESTINATION_UNKNOWN: Final = 0xA801
SUBOPERATIONS_FAILED: Final = 0xB000
DATA_SET_MISMATCH: Final = 0xA900
CANNOT_UNDERSTAND: Final = 0xC000
MPPS_NO_LONGER_UPDATED: Final = 0xA710  # an Error ID, beside status 0x0110

_STORE: Final[tuple[tuple[type[YelenError], int], ...]] = (
    (OutOfResources, OUT_OF_RESOURCES),
    (NotAllowed, NOT_AUTHORISED),
    (BadMessage, CANNOT_UNDERSTAND),
    (BadInput, CANNOT_UNDERSTAND),
    (
        Conflict,
        OUT_OF_RESOURCES,
    ),  # the house was busy with it: send it again. Other bytes under a UID are no error here
)
_FIND: Final[tuple[tuple[type[YelenError], int], ...]] = (
    (OutOfResources, OUT_OF_RESOURCES),
    (NotAllowed, NOT_AUTHORISED),
    (BadInput, DATA_SET_MISMATCH),
)
_RETRIEVE: Final[tuple[tuple[type[YelenError], int], ...]] = (
    (OutOfResources, SUBOPERATIONS_REFUSED),
    (NotAllowed, NOT_AUTHORISED),
    (BadInput, DATA_SET_MISMATCH),
)
_NORMALIZED: Final[tuple[tuple[type[YelenError], int], ...]] = (
    (OutOfResources, RESOURCE_LIMITATION),
    (NotAllowed, NOT_AUTHORISED),
    (NotFound, NO_SUCH_INSTANCE),
    (Conflict, PROCESSING_FAILURE),
    (BadInput, INVALID_ATTRIBUTE_VALUE),
    (BadMessage, PROCESSING_FAILURE),
)


def _translate(
    error: Exception, table: tuple[tuple[type[YelenError], int], ...], otherwise: int, unexpected: int
) -> Reply:
    for kind, status in table:
        if isinstance(error, kind):
            return Reply(status, comment=type(error).__name__)
    if isinstance(error, YelenError):
        return Reply(otherwise, comment=type(error).__name__)
    _log.error("a DICOM request failed", exc_info=error)
    return Reply(unexpected, comment="Internal error")


def store_failure(error: Exception) -> Reply:
    """C-STORE. Whatever is not said of the object itself is 0xA700: the sender keeps its copy and tries again."""
    return _translate(error, _STORE, OUT_OF_RESOURCES, OUT_OF_RESOURCES)


def cut_short(device: Device | None, limit: int, warning: int = LIMIT_REACHED) -> Reply:
    """The end of a C-FIND that had more answers than this machine may have, as its row wants it said."""
    wanted = {"warning": warning, "success": SUCCESS}.get(device.when_cut if device else "", OUT_OF_RESOURCES)
    return Reply(wanted, comment="" if wanted == SUCCESS else f"More than {limit} matches")


def find_failure(error: Exception) -> Reply:
    """C-FIND, Query/Retrieve and worklist."""
    return _translate(error, _FIND, CANNOT_UNDERSTAND, CANNOT_UNDERSTAND)


def retrieve_failure(error: Exception) -> Reply:
    """C-MOVE and C-GET."""
    return _translate(error, _RETRIEVE, CANNOT_UNDERSTAND, CANNOT_UNDERSTAND)


def normalized_failure(error: Exception) -> Reply:
    """N-CREATE, N-SET and the other DIMSE-N operations."""
    return _translate(error, _NORMALIZED, PROCESSING_FAILURE, PROCESSING_FAILURE)
