"""JSON-RPC 2.0, one object per line: bytes in, messages out. No socket here.

Rule 1: a line is understood or is `BadMessage`; never another exception, never slower than linear.
Rule 2: a line has a cap before it is looked at; a peer that sends no line feed costs `MAX_LINE` bytes, no more.

Source: https://www.jsonrpc.org/specification (2.0), without batches: one line is one call.
"""

from __future__ import annotations

from typing import Any

import msgspec

from core.errors import BadMessage
from core.i18n import _

MAX_LINE = 1 << 20  # a report with its paste, thirty times over
VERSION = "2.0"

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

EMPTY = msgspec.Raw(b"{}")


class Request(msgspec.Struct, frozen=True):
    """A call; without `id` it is a notification and gets no answer."""

    method: str
    jsonrpc: str = VERSION
    id: int | None = None
    params: msgspec.Raw = EMPTY


class Problem(msgspec.Struct, frozen=True):
    """The error object. `data` holds the class of the error tree and its facts (`core.rpc.problems`)."""

    code: int
    message: str
    data: dict[str, str] = {}


class Message(msgspec.Struct, frozen=True):
    """Whatever a server sends: an answer when it has an `id` and no method, else a notification."""

    jsonrpc: str = VERSION
    id: int | None = None
    method: str = ""
    params: msgspec.Raw = EMPTY
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Problem | None = None


class Lines:
    """Bytes in any portions; whole lines out, without their line feed."""

    def __init__(self, cap: int = MAX_LINE) -> None:
        self._cap = cap
        self._rest = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines completed by these bytes. Raises `BadMessage` beyond the cap."""
        self._rest += data
        lines: list[bytes] = []
        start = 0
        while (end := self._rest.find(b"\n", max(start, self._searched))) >= 0:
            self._check(end - start)
            lines.append(bytes(self._rest[start:end]))
            start = end + 1
        del self._rest[:start]
        self._searched = len(self._rest)
        self._check(self._searched)
        return [line for line in lines if line.strip()]

    def _check(self, length: int) -> None:
        if length > self._cap:
            raise BadMessage(_("Ligne trop longue."), "line-too-long")


_requests = msgspec.json.Decoder(Request)
_messages = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def request(line: bytes) -> Request:
    """The call on a line. Raises `BadMessage`, with reason `parse` or `request`."""
    try:
        found = _requests.decode(line)
    except msgspec.ValidationError as error:
        raise BadMessage(_("Demande JSON-RPC incomplète."), "request") from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadMessage(_("Ligne qui n'est pas du JSON."), "parse") from error
    if found.jsonrpc != VERSION:
        raise BadMessage(_("Version JSON-RPC inconnue."), "request")
    return found


def message(line: bytes) -> Message:
    """What a server sent. Raises `BadMessage`."""
    try:
        return _messages.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise BadMessage(_("Réponse illisible du serveur."), "parse") from error


def call(number: int, method: str, params: Any) -> bytes:
    return _line({"jsonrpc": VERSION, "id": number, "method": method, "params": params})


def notification(method: str, params: Any) -> bytes:
    return _line({"jsonrpc": VERSION, "method": method, "params": params})


def answer(number: int | None, result: Any) -> bytes:
    return _line({"jsonrpc": VERSION, "id": number, "result": result})


def refusal(number: int | None, problem: Problem) -> bytes:
    return _line({"jsonrpc": VERSION, "id": number, "error": problem})


def _line(value: dict[str, Any]) -> bytes:
    return _encoder.encode(value) + b"\n"
