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
from printers.ipp.message import Attribute, Group, GroupTag, Message, Tag, Value, encode, group
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


@pytest.mark.parametrize(
    "uri",
    ["ipp://laser:99999/ipp/print", "ipp://laser:63l/ipp/print", "ipp://[::1/ipp/print", "ipp://laser:-1/ipp/print"],
)
def test_a_mistyped_port_is_an_address_refused(uri: str) -> None:
    with pytest.raises(BadInput, match="Adresse"):
        IppClient(uri)


def test_a_machine_name_that_cannot_be_one_does_not_answer() -> None:
    with pytest.raises(Unreachable):
        IppClient("ipp://laser..salle2/ipp/print").printer_attributes(["printer-state"])


class Queue(OddPrinter):
    """Answers the questions about itself with its attributes, and a Print-Job with a status and groups."""

    def __init__(self, code: int, *said: Group, job: tuple[int, tuple[Group, ...]] = (0, ())) -> None:
        self._said = {False: (code, said), True: job}
        super().__init__(says(b""))

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _address = self._door.accept()
                with line, suppress(OSError):
                    asked = _body(line)
                    code, groups = self._said[asked[2:4] == b"\0\x02"]
                    said = encode(Message(code, int.from_bytes(asked[4:8], "big"), groups))
                    line.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(said) + said)


def _body(line: socket.socket) -> bytes:
    """Of one HTTP request, to its announced end."""
    head, body = b"", b""
    while b"\r\n\r\n" not in head:
        head += line.recv(65536)
    head, _, body = head.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += line.recv(65536)
    return body


def printer(**said: tuple[int, tuple[Value, ...]]) -> Group:
    attributes = {"printer-state": (Tag.ENUM, (3,)), "printer-state-reasons": (Tag.KEYWORD, ("none",))}
    named = {name.replace("_", "-"): value for name, value in said.items()}
    return group(GroupTag.PRINTER, *(Attribute(n, tag, values) for n, (tag, values) in {**attributes, **named}.items()))


def test_a_queue_that_does_not_exist_is_not_a_good_printer() -> None:
    wrong = IppPrinter(Queue(0x0406).uri, SystemClock())
    state = wrong.state()
    assert state.condition is Condition.AWAY
    assert state.sentence.startswith("Pas d'imprimante à cette adresse")
    assert wrong.send(_job(), PDF).fate is Fate.NOT_TAKEN


def test_an_answer_without_a_state_is_no_printer() -> None:
    empty = IppPrinter(Queue(0, Group(GroupTag.PRINTER)).uri, SystemClock())
    assert empty.state().condition is Condition.AWAY


def test_a_printer_of_another_name_is_shown_with_its_name() -> None:
    other = printer(printer_uri_supported=(Tag.URI, ("ipp://laser/printers/bureau",)))
    state = IppPrinter(Queue(0, other).uri, SystemClock()).state()
    assert state.condition is Condition.WARNING
    assert state.sentence == "adresse à vérifier : l'imprimante qui répond se nomme ipp://laser/printers/bureau"
    same = printer(printer_uri_supported=(Tag.URI, ("ipps://laser.local:631/ipp/print", "ipp://x/ipp/print")))
    assert IppPrinter(Queue(0, same).uri, SystemClock()).state().condition is Condition.OK


def test_a_queue_that_takes_no_jobs_is_stopped() -> None:
    closed = printer(printer_is_accepting_jobs=(Tag.BOOLEAN, (False,)))
    state = IppPrinter(Queue(0, closed).uri, SystemClock()).state()
    assert (state.condition, state.sentence) == (Condition.STOPPED, "n'accepte pas de travaux")


@pytest.mark.parametrize(
    ("code", "groups", "fate"),
    [
        (0x0504, (), Fate.DOUBTFUL),  # device-error: it may print when the jam is cleared
        (0x0504, (group(GroupTag.JOB, Attribute("job-id", Tag.INTEGER, (7,))),), Fate.TAKEN),
        (0x0505, (), Fate.NOT_TAKEN),  # temporary-error: "may work later", RFC 8011 B.1.5.6
        (0x0503, (), Fate.FAILED),
    ],
)
def test_what_a_failing_printer_answers_decides_whether_the_sheet_may_go_again(
    code: int, groups: tuple[Group, ...], fate: Fate
) -> None:
    failing = Queue(0, printer(), job=(code, groups))
    assert IppPrinter(failing.uri, SystemClock()).send(_job(), PDF).fate is fate


def _job() -> PrintJob:
    queue = MemoryQueue()
    return queue.jobs[queue.add()]
