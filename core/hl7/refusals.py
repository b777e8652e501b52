"""Why a message is refused: a code, the place of the fault, and the French sentence, inside one `BadMessage`.

`BadMessage.reason` is spelt `code` or `code SEG-n-field`, so a log line says both without patient data.
"""

from __future__ import annotations

from core.errors import BadMessage

NO_HEADER = "no-msh"
SEPARATORS = "separators"
FRAME_TOO_LONG = "frame-too-long"
JUNK = "junk"
TOO_MANY = "too-many"
REQUIRED = "required-field"
BAD_DATE = "bad-date"
BAD_VALUE = "table-value"
CHARSET = "charset"
UNKNOWN_CHARSET = "unknown-charset"
UNSUPPORTED_TYPE = "unsupported-type"
UNSUPPORTED_EVENT = "unsupported-event"
PROCESSING_ID = "processing-id"
VERSION = "version"
UNTRUSTED = "untrusted-authority"
DUPLICATE_KEY = "duplicate-key"
REUSED = "control-id-reused"


def refused(code: str, sentence: str, segment: str = "", field: int = 0, nth: int = 1) -> BadMessage:
    """The error to raise; segment, field and nth (of the segment) say where, as ERR-2 will."""
    place = f" {segment}-{nth}-{field}" if segment else ""
    return BadMessage(sentence, code + place)


def code_of(error: BadMessage) -> str:
    return error.reason.partition(" ")[0]


def place_of(error: BadMessage) -> tuple[str, ...]:
    """Segment, its number and the field, as ERR-2.1 to 2.3; empty when the fault has no place."""
    place = error.reason.partition(" ")[2]
    parts = tuple(place.split("-")) if place else ()
    return parts[:2] if parts[2:] == ("0",) else parts
