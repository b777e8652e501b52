"""What we answer to an A-ASSOCIATE-RQ: a rejection with its code, or an acceptance with one result per context.

Pure decisions; the checks are made in the order of the codes below.
Source: PS3.8 section 9.3.4 (rejection codes), table 9-18 (context results); PS3.7 annex D.3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from core.archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
from core.dicom import conformance
from core.dicom.associate import APPLICATION_CONTEXT, Acceptance, Answered, AssociateRequest, Proposed, Role
from core.dicom.secure import PLAIN, Line
from core.model.device import Device


class Refusal(Enum):
    """A-ASSOCIATE-RJ: result, source, reason."""

    PROTOCOL_VERSION = (1, 2, 2)
    APPLICATION_CONTEXT = (1, 1, 2)
    CALLED_AE = (1, 1, 7)
    CALLING_AE = (1, 1, 3)
    LOCAL_LIMIT = (2, 3, 2)


ACCEPTED = 0
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class Caller:
    """The machine behind an association, as the registry of application entities knows it.

    device: its row; None for an unknown machine that the site's policy admits. max_pdu: what we announce to it,
    0 = the default. syntaxes: its own order for storage, empty = the default.
    """

    ae_title: str
    address: str
    device: Device | None = None
    may_store: bool = True
    may_query: bool = True
    max_pdu: int = 0
    syntaxes: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return self.device is not None


class Callers(Protocol):
    """The registry: who may associate with us."""

    def admit(self, ae_title: str, address: str, line: Line, /) -> Caller | None:
        """The machine of this title at this address over this line, or None: then it is rejected."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """A negotiated association."""

    caller: Caller
    called: str
    contexts: Mapping[int, Context]
    max_pdu: int  # ours, announced
    peer_max_pdu: int  # theirs, 0 = unlimited
    acceptance: Acceptance


@dataclass(frozen=True, slots=True)
class Title:
    """An AE title as compared: stripped, case folded; None in `of` when it breaks the rules."""

    text: str

    @staticmethod
    def of(raw: bytes) -> Title | None:
        """16 bytes of the default repertoire without control characters and backslash, not all spaces. PS3.5 6.2 AE."""
        text = raw.strip(b"\0 ").decode("latin-1").strip(" ")
        if not text or not all(" " <= letter < "\x7f" and letter != "\\" for letter in text):
            return None
        return Title(text)

    def same(self, other: str) -> bool:
        return self.text.casefold() == other.strip().casefold()


Offer = Callable[[str, Caller], tuple[str, ...]]
"""Transfer syntaxes, best first, that we take for an abstract syntax from this caller; empty = not supported."""


def negotiate(
    request: AssociateRequest,
    address: str,
    title: str,
    callers: Callers,
    offer: Offer,
    max_pdu: int,
    line: Line = PLAIN,
) -> Agreement | Refusal:
    """Our answer. title: our own AE title. max_pdu: what we announce unless the caller's row says otherwise."""
    if not request.protocol_version & 1:
        return Refusal.PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return Refusal.APPLICATION_CONTEXT
    called, calling = Title.of(request.called), Title.of(request.calling)
    if called is None or not called.same(title):
        return Refusal.CALLED_AE
    line = replace(line, identity=request.identity)
    caller = callers.admit(calling.text, address, line) if calling else None
    if caller is None:
        return Refusal.CALLING_AE
    return _agree(request, caller, called.text, offer, caller.max_pdu or max_pdu)


def _agree(request: AssociateRequest, caller: Caller, called: str, offer: Offer, max_pdu: int) -> Agreement:
    answers = tuple(_answer(proposed, caller, offer) for proposed in request.contexts)
    accepted = {
        answer.context_id: Context(answer.context_id, answer.abstract_syntax, answer.transfer_syntax)
        for answer in answers
        if answer.result == ACCEPTED
    }
    classes = {context.abstract_syntax for context in accepted.values()}
    acceptance = Acceptance(
        request=request,
        contexts=answers,
        max_pdu=max_pdu,
        implementation_class=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION,
        roles={uid: _role(uid, role, classes) for uid, role in request.roles.items() if uid in classes},
        extended=_extended(request, classes),
    )
    return Agreement(caller, called, accepted, max_pdu, request.max_pdu, acceptance)


def _role(uid: str, asked: Role, classes: set[str]) -> Role:
    """PS3.7 D.3.3.4: what the requestor may be; the default, SCU alone, but for classes with both roles.

    It may also be the SCP of storage when it may C-GET.
    """
    gets = not classes.isdisjoint(conformance.GETS) and conformance.is_storage(uid)
    return Role(scu=asked.scu, scp=asked.scp and (gets or uid in conformance.BOTH_ROLES))


def _answer(proposed: Proposed, caller: Caller, offer: Offer) -> Answered:
    ours = offer(proposed.abstract_syntax, caller)
    theirs = proposed.transfer_syntaxes
    chosen = next((syntax for syntax in ours if syntax in theirs), None)
    if chosen is not None:
        return Answered(proposed.context_id, ACCEPTED, proposed.abstract_syntax, chosen)
    result = TRANSFER_SYNTAXES_NOT_SUPPORTED if ours else ABSTRACT_SYNTAX_NOT_SUPPORTED
    return Answered(proposed.context_id, result, proposed.abstract_syntax, theirs[0])


def _extended(request: AssociateRequest, classes: set[str]) -> dict[str, bytes]:
    """Query classes only: what both sides can do, no longer than what was asked."""
    queries = classes & {conformance.STUDY_ROOT_FIND, conformance.PATIENT_ROOT_FIND}
    return {
        uid: bytes(ours & theirs for ours, theirs in zip(conformance.QUERY_EXTENDED, asked, strict=False))
        for uid, asked in request.extended.items()
        if uid in queries
    }
