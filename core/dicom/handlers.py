"""What the association needs from a service class: a request in, replies out.

A handler reads the identifier, asks a verb of the services, translates. It never sees a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from core.dicom.asking import Questions
from core.dicom.dimse import Command, Reply
from core.dicom.negotiation import Caller, Context
from core.dicom.requestor import Requestor


@dataclass(frozen=True, slots=True)
class Request:
    """One DIMSE request. data_set: as received, in the context's transfer syntax; b"" when there is none.

    association: our own number for the log, such as `a17`. extended: what both sides agreed on for this SOP class.
    questions: what we may ask back on it, now or later.
    requestor: makes what a retrieve needs of this association.
    """

    command: Command
    context: Context
    caller: Caller
    called: str
    association: str
    data_set: bytes = b""
    extended: bytes = b""
    questions: Questions | None = field(default=None, compare=False)
    requestor: Callable[[Request], Requestor] | None = field(default=None, compare=False)


Handler = Callable[[Request], Iterable[Reply]]
"""Replies in order; the last one is final. The iterator is closed when the peer cancels or vanishes."""


class Reception(Protocol):
    """One object on its way in. Exactly one of `store`, `close` and `abort` ends it; `open` comes before `write`.

    A small object arrives whole in `store`; a big one is written piece by piece and then closed.
    Views are only valid during the call. Every method may raise a `YelenError`.
    """

    def store(self, whole: memoryview, /) -> Reply: ...
    def open(self) -> None: ...
    def write(self, piece: memoryview, /) -> object: ...
    def close(self) -> Reply: ...
    def abort(self) -> None: ...


class Storage(Protocol):
    """The storage service class."""

    def begin(self, request: Request, /) -> Reception:
        """The command set arrived: check it, reserve a destination. Raises `YelenError` to refuse."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Who answers what: (abstract syntax, command field) -> handler, and storage for every storage class.

    offer: transfer syntaxes we take for an abstract syntax from a caller, best first.
    """

    offer: Callable[[str, Caller], tuple[str, ...]]
    handlers: Mapping[tuple[str, int], Handler] = field(default_factory=dict)
    storage: Storage | None = None
