"""The exchange over HTTP with printers that misbehave: one of two errors, and never a hang."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from core.clock import SystemClock
from core.errors import BadInput, BadMessage, PeerError, Unreachable
from core.model.printing import PrintJob
from printers.ipp.client import IppClient
from printers.ipp.driver import IppPrinter
from printers.ports import Condition, Fate
from tests.printers.people import PDF, MemoryQueue

Answer = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/ipp\r\n"


class OddPrinter:
    """Reads a request's first bytes and gives `answer` the line."""

    def __init__(self, answer: Answer) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ipp://127.0.0.1:{self._door.getsockname()[1]}/ipp/print"
        self._answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _address = self._door.accept()
                with line, suppress(OSError):
                    line.recv(65536)
                    self._answer(line)


@pytest.fixture
def odd() -> Iterator[Callable[[Answer], OddPrinter]]:
    made: list[OddPrinter] = []

    def make(answer: Answer) -> OddPrinter:
        made.append(OddPrinter(answer))
        return made[-1]

    yield make
    for printer in made:
        printer.close()


def says(data: bytes) -> Answer:
    return lambda line: line.sendall(data)


def drips(line: socket.socket) -> None:
    """For ever, until the other side hangs up."""
    line.sendall(OK + b"Content-Length: 900000\r\n\r\n")
    line.settimeout(0.01)
    while True:
        line.sendall(b"\x00")
        with suppress(TimeoutError):
            if not line.recv(1):
                return


def is_silent(line: socket.socket) -> None:
    line.recv(1)


ODD = {
    "closes": says(b""),
    "no http": says(b"SSH-2.0-dropbear\r\n\r\n"),
    "web page": says(OK + b"Content-Length: 13\r\n\r\n<html></html>"),
    "cut short": says(OK + b"Content-Length: 1000\r\n\r\n\x02\x00"),
    "lies about its length": says(OK + b"Content-Length: soixante\r\n\r\n\x02\x00"),
    "wrong address": says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    "endless headers": says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000),
    "too long": says(OK + b"\r\n" + b"\x00" * 1_200_000),
    "another's answer": says(OK + b"Content-Length: 9\r\n\r\n\x02\x00\x00\x00\x00\x00\x63\x63\x03"),
    "drips": drips,
    "silent": is_silent,
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
def test_an_odd_answer_is_one_of_two_errors(answer: Answer, odd: Callable[[Answer], OddPrinter]) -> None:
    client = IppClient(odd(answer).uri, timeout_s=0.3, answer_s=0.3)
    with pytest.raises(PeerError) as refused:
        client.printer_attributes(["printer-state"])
    assert isinstance(refused.value, BadMessage | Unreachable)


def test_a_wrong_address_is_said(odd: Callable[[Answer], OddPrinter]) -> None:
    with pytest.raises(BadMessage, match="HTTP 404"):
        IppClient(odd(ODD["wrong address"]).uri).printer_attributes(["printer-state"])


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
def test_the_driver_turns_every_oddity_into_news(answer: Answer, odd: Callable[[Answer], OddPrinter]) -> None:
    printer = IppPrinter(odd(answer).uri, SystemClock(), timeout_s=0.3, answer_s=0.3)
    job = _job()
    assert printer.state().condition is Condition.AWAY
    assert printer.send(job, PDF).fate is Fate.NOT_TAKEN
    assert printer.follow(job).fate in (Fate.DOUBTFUL, Fate.CANNOT_TELL)
    assert printer.find(job).fate in (Fate.DOUBTFUL, Fate.CANNOT_TELL)


@pytest.mark.parametrize("uri", ["", "http://laser/ipp", "ipp:///ipp/print", "ipps://laser/ipp/print", "laser"])
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(BadInput, match="Adresse"):
        IppClient(uri)


def _job() -> PrintJob:
    queue = MemoryQueue()
    return queue.jobs[queue.add()]
