"""The exchange with one IPP printer: a request over HTTP, an answer, and nothing kept in between.

Opening the line and using it are two steps on purpose: as long as `open` fails, the printer has not received
a byte; after that nobody may send the same sheet again without asking.

Source: RFC 8011 section 4 (operations), RFC 8010 section 4 (HTTP).
"""

from __future__ import annotations

import http.client
import itertools
import socket
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from enum import IntEnum
from urllib.parse import urlsplit

from core.errors import BadInput, BadMessage, Unreachable
from core.i18n import _
from printers.ipp.message import MAX_MESSAGE, Attribute, GroupTag, Message, Tag, decode, encode, group


class Operation(IntEnum):
    """RFC 8011 section 5.4.15."""

    PRINT_JOB = 0x0002
    VALIDATE_JOB = 0x0004
    CANCEL_JOB = 0x0008
    GET_JOB_ATTRIBUTES = 0x0009
    GET_JOBS = 0x000A
    GET_PRINTER_ATTRIBUTES = 0x000B


def keywords(name: str, words: Sequence[str]) -> Attribute:
    return Attribute(name, Tag.KEYWORD, tuple(words))


class IppClient:
    """One printer by its address, `ipp://host[:631]/path`.

    timeout_s: the longest silence. answer_s: the longest answer, for a printer that drips bytes for ever.
    """

    def __init__(self, uri: str, user: str = "yelen", timeout_s: float = 10.0, answer_s: float = 30.0) -> None:
        self.uri = uri
        self._host, self._port, self._path = _address(uri)
        self._user = user
        self._timeout_s = timeout_s
        self._answer_s = answer_s
        self._ids = itertools.count(1)

    @property
    def path(self) -> str:
        return self._path

    def printer_attributes(self, names: Sequence[str]) -> Message:
        asked = keywords("requested-attributes", names)
        return self._at_once(Operation.GET_PRINTER_ATTRIBUTES, [asked])

    def jobs(self, which: str, names: Sequence[str]) -> Message:
        """`which`: `completed` or `not-completed`."""
        asked = [
            Attribute("limit", Tag.INTEGER, (500,)),
            keywords("which-jobs", [which]),
            keywords("requested-attributes", names),
        ]
        return self._at_once(Operation.GET_JOBS, asked)

    def job_attributes(self, job_id: int, names: Sequence[str]) -> Message:
        asked = [_job(job_id), keywords("requested-attributes", names)]
        return self._at_once(Operation.GET_JOB_ATTRIBUTES, asked)

    def cancel_job(self, job_id: int) -> Message:
        return self._at_once(Operation.CANCEL_JOB, [_job(job_id)])

    def validate_job(self, name: str, document_format: str, template: Sequence[Attribute]) -> Message:
        return self._at_once(Operation.VALIDATE_JOB, _ticket(name, document_format), template)

    def print_job(
        self, name: str, document_format: str, template: Sequence[Attribute], document: bytes, line: Line | None = None
    ) -> Message:
        """`line`: an open one, for the caller that must know whether anything was sent."""
        request = self._request(Operation.PRINT_JOB, _ticket(name, document_format), template)
        with closing(line or self.open()) as used:
            return used.ask(self._path, request, document)

    def open(self) -> Line:
        """A connection, nothing sent yet. Raises `Unreachable`."""
        return Line(self._host, self._port, self._timeout_s, self._answer_s)

    def _at_once(self, operation: int, asked: Sequence[Attribute], template: Sequence[Attribute] = ()) -> Message:
        with closing(self.open()) as line:
            return line.ask(self._path, self._request(operation, asked, template))

    def _request(self, operation: int, asked: Sequence[Attribute], template: Sequence[Attribute]) -> Message:
        head = group(
            GroupTag.OPERATION,
            Attribute("attributes-charset", Tag.CHARSET, ("utf-8",)),
            Attribute("attributes-natural-language", Tag.LANGUAGE, ("fr",)),
            Attribute("printer-uri", Tag.URI, (self.uri,)),
            *(attribute for attribute in asked if attribute.name == "job-id"),
            Attribute("requesting-user-name", Tag.NAME, (self._user,)),
            *(attribute for attribute in asked if attribute.name != "job-id"),
        )
        groups = (head, group(GroupTag.JOB, *template)) if template else (head,)
        return Message(operation, next(self._ids), groups)


def _address(uri: str) -> tuple[str, int, str]:
    """Machine, port, path. Raises `BadInput` for anything else than `ipp://machine[:port][/path]`."""
    try:
        parts = urlsplit(uri)
        if parts.scheme == "ipp" and parts.hostname:
            return parts.hostname, parts.port or 631, parts.path or "/"
    except ValueError:  # a port that is no number or beyond 65535, a bracket that is not closed
        pass
    raise BadInput(_("Adresse d'imprimante refusée : %s (attendu : ipp://machine/ipp/print)") % uri, "address")


class Line:
    """An open connection for one request."""

    def __init__(self, host: str, port: int, timeout_s: float, answer_s: float) -> None:
        self._answer_s = answer_s
        self._http = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            self._http.connect()
        except (OSError, UnicodeError) as error:  # the second is a machine name that cannot be one
            raise Unreachable(_("L'imprimante ne répond pas.")) from error

    def ask(self, path: str, request: Message, document: bytes = b"") -> Message:
        """The printer's answer. `Unreachable`: it went silent; `BadMessage`: it answered nonsense."""
        try:
            self._http.request("POST", path, encode(request) + document, {"Content-Type": "application/ipp"})
            status, body = self._answer()
        except OSError as error:
            raise Unreachable(_("L'imprimante a cessé de répondre.")) from error
        except (http.client.HTTPException, ValueError) as error:
            raise BadMessage(_("Réponse illisible de l'imprimante."), reason=repr(error)) from error
        if status != http.client.OK:
            sentence = _("L'imprimante ne parle pas IPP à cette adresse (HTTP %d).") % status
            raise BadMessage(sentence, reason=f"HTTP {status}")
        return _answer_to(request, decode(body))

    def close(self) -> None:
        self._http.close()

    def _answer(self) -> tuple[int, bytes]:
        watchdog = threading.Timer(self._answer_s, self._hang_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            response = self._http.getresponse()
            return response.status, response.read(MAX_MESSAGE + 1)
        finally:
            watchdog.cancel()

    def _hang_up(self) -> None:
        line = self._http.sock
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _answer_to(request: Message, answer: Message) -> Message:
    if answer.request_id != request.request_id:
        raise BadMessage(_("Réponse illisible de l'imprimante."), reason="an answer to another request")
    return answer


def _job(job_id: int) -> Attribute:
    return Attribute("job-id", Tag.INTEGER, (job_id,))


def _ticket(name: str, document_format: str) -> list[Attribute]:
    return [
        Attribute("job-name", Tag.NAME, (name,)),
        Attribute("document-format", Tag.MIME_TYPE, (document_format,)),
    ]
