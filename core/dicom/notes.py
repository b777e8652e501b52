"""What the door tells the rest of the house about its peers: one line per event, for the audit and for « pourquoi »."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Happened(StrEnum):
    """Kinds of events. From `REJECTED` on an administrator reads them."""

    OPENED = "association-opened"
    CLOSED = "association-closed"
    REJECTED = "association-rejected"
    REFUSED = "connection-refused"  # too many silent sockets
    SILENT = "no-association-request"  # closed after the time limit
    PROBE = "not-dicom"  # another protocol, or an impossible first PDU
    ABORTED = "association-aborted"  # by us: a broken rule or a time limit
    FAULT = "door-fault"  # ours: no descriptor left, or an exception nobody expected


@dataclass(frozen=True, slots=True)
class Note:
    """One event. Titles are as received, with unprintable characters replaced; `reason` is for logs, in English.

    worklist: of an opened association: `accepted`, `not proposed`, or the syntaxes that were proposed and refused.
    """

    what: Happened
    address: str
    calling: str = ""
    called: str = ""
    association: str = ""
    reason: str = ""
    worklist: str = ""


Notebook = Callable[[Note], None]


def printable(raw: bytes) -> str:
    """A title for a log line: ASCII letters only, everything else as `?`."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in raw).strip(" ?")
