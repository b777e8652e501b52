"""Every error Yelen raises on purpose, and the French sentence a person reads.

YelenError
|- NotFound          no such thing
|- NotAllowed        this person may not do this act
|- BadInput          a person typed something we cannot take; `.field` says where
|- Conflict          it was true a moment ago
|  `- IllegalTransition
|- PeerError         a machine misbehaved
|  |- BadMessage     we cannot read what it sent
|  `- Unreachable    it did not answer
|- OutOfResources    disk, memory, paper
`- BadConfig         the configuration is refused; every fault at once

Services raise; each door translates in one table of its own. `str(error)` is the sentence for the screen.
"""

from __future__ import annotations

from collections.abc import Sequence


class YelenError(Exception):
    """The root: catching it catches every refusal, and no programming fault. noted: the audit has it already."""

    noted = False


class NotFound(YelenError):
    """No such thing, or none that this actor may know of; hidden: what was kept from this actor, as in the audit."""

    hidden = ""


class NotAllowed(YelenError):
    """This person or machine may not do this act."""


class BadInput(YelenError):
    """A form or an argument that cannot be taken as it is."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class Conflict(YelenError):
    """It was true a moment ago: somebody or something else came first."""


class IllegalTransition(Conflict):
    """A state machine has no such cell."""

    def __init__(self, sentence: str, status: str = "", event: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.event = event


class PeerError(YelenError):
    """A machine on the other end of a wire misbehaved."""


class BadMessage(PeerError):
    """Bytes from a peer that cannot be understood."""

    def __init__(self, sentence: str, reason: str = "", offset: int | None = None) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.offset = offset


class Unreachable(PeerError):
    """The peer did not answer in time, or refused the connection."""


class OutOfResources(YelenError):
    """Disk, memory or paper is missing; the act can be repeated later."""


class BadConfig(YelenError):
    """The configuration is refused. `faults` holds one French line per fault, with file and line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
