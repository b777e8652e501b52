"""Why a data set could not be walked."""

from __future__ import annotations

from core.errors import BadMessage
from core.i18n import _
from core.model.received import REASON_SENTENCES, Reason


class BadHeader(BadMessage):
    """The bytes go to quarantine. `why` is the reason, `detail` is for logs (English, no patient data).

    mismatch: identifiers contradict each other (DIMSE 0xA900), rather than bytes that cannot be read (0xC000).
    """

    def __init__(self, why: Reason, detail: str, offset: int | None, mismatch: bool = False) -> None:
        super().__init__(_(REASON_SENTENCES[why]), why.value, offset)
        self.why = why
        self.detail = detail
        self.mismatch = mismatch or why in (Reason.MISSING_UID, Reason.UID_MISMATCH)
