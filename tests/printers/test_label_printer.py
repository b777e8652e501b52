"""The label printer on TCP 9100, played by a small server that answers `~HS`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SetClock
from core.errors import BadInput, BadMessage
from core.model.printing import PaperKind, PrintState
from printers import zpl
from printers.lane import Lane
from printers.ports import Condition, Fate
from printers.raw9100 import HostStatus, RawPrinter, parse_status
from tests.printers.paper import EXAM
from tests.printers.people import MemoryQueue

READY = b"\x02030,0,0,1245,000,0,0,0,000,0,0,0\x03\r\n\x02000,0,0,0,0,2,6,0,00000000,1,000\x03\r\n\x021234,0\x03\r\n"
PAPER_OUT = READY.replace(b"030,0,0", b"030,1,1", 1)
HEAD_OPEN = READY.replace(b"\x02000,0,0,0", b"\x02000,0,1,0")
PRINTING = READY.replace(b"1245,000", b"1245,002")
ZPL = "application/vnd.zebra-zpl"


class Zebra:
    """Keeps every label; `says` is its answer to ~HS, b"" for the clones that keep silent."""

    def __init__(self) -> None:
        self.says = READY
        self._labels: list[bytes] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def labels(self) -> list[bytes]:
        """Those of every connection so far: it serves one at a time, so the one made here is the last."""
        host, _colon, port = self.address.partition(":")
        with socket.create_connection((host, int(port))) as line:
            line.shutdown(socket.SHUT_WR)
            line.recv(1)
        return list(self._labels)

    def close(self) -> None:
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _address = self._door.accept()
                with line, suppress(OSError):
                    self._listen(line)

    def _listen(self, line: socket.socket) -> None:
        heard = b""
        while part := line.recv(65536):
            heard += part
            if heard.startswith(b"~HS\r\n"):
                heard = heard[5:]
                line.sendall(self.says)
            if heard.endswith(b"^XZ\n"):
                self._labels.append(heard)
                heard = b""


@pytest.fixture
def zebra() -> Iterator[Zebra]:
    printer = Zebra()
    yield printer
    printer.close()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def lane(zebra: Zebra, queue: MemoryQueue, clock: SetClock) -> Lane:
    return Lane("ETIQ1", RawPrinter(zebra.address, speaks_zpl=True, status_s=20), queue, clock)


def add_label(queue: MemoryQueue) -> int:
    return queue.add(zpl.label(EXAM), "ETIQ1", PaperKind.LABEL, ZPL)


def until(lane: Lane, true: Callable[[], bool]) -> None:
    for _step in range(200):
        if true():
            return
        lane.step()
        lane._clock.advance(61)  # type: ignore[attr-defined]
    pytest.fail("never came true")


def test_a_label_leaves_whole(lane: Lane, queue: MemoryQueue, zebra: Zebra) -> None:
    number = add_label(queue)
    until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    assert zebra.labels == [zpl.label(EXAM)]


def test_copies_are_printed(lane: Lane, queue: MemoryQueue, zebra: Zebra) -> None:
    number = add_label(queue)
    queue.jobs[number] = replace(queue.jobs[number], copies=2)
    until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    assert b"".join(zebra.labels) == zpl.label(EXAM) * 2


@pytest.mark.parametrize(
    ("says", "reason"), [(PAPER_OUT, "étiquettes épuisées, en pause"), (HEAD_OPEN, "tête ouverte")]
)
def test_a_printer_that_needs_a_hand_gets_no_label_until_it_is_ready(
    says: bytes, reason: str, lane: Lane, queue: MemoryQueue, zebra: Zebra
) -> None:
    zebra.says = says
    number = add_label(queue)
    lane.step()
    assert (queue.state_of(number), queue.reasons[number]) == (PrintState.QUEUED, reason)
    assert (queue.states[-1].condition, queue.states[-1].sentence) == (Condition.STOPPED, reason)
    assert zebra.labels == []
    zebra.says = READY
    until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    assert len(zebra.labels) == 1


def test_a_label_still_in_the_buffer_is_not_done(lane: Lane, queue: MemoryQueue, zebra: Zebra) -> None:
    zebra.says = PRINTING
    number = add_label(queue)
    until(lane, lambda: queue.state_of(number) is PrintState.PRINTING)
    zebra.says = READY
    until(lane, lambda: queue.state_of(number) is PrintState.DONE)


def test_a_clone_that_never_answers_is_believed_and_it_is_said(
    queue: MemoryQueue, zebra: Zebra, clock: SetClock
) -> None:
    zebra.says = b""
    lane = Lane("ETIQ1", RawPrinter(zebra.address, speaks_zpl=True, status_s=0.1), queue, clock)
    number = add_label(queue)
    until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    assert queue.reasons[number] == "cette imprimante ne dit pas son état"
    assert len(zebra.labels) == 1


def test_a_laser_on_9100_is_never_asked_in_zpl(queue: MemoryQueue, zebra: Zebra, clock: SetClock) -> None:
    """It would print the question."""
    number = queue.add(b"%PDF-^XZ\n", "LASER9")
    lane = Lane("LASER9", RawPrinter(zebra.address, speaks_zpl=False), queue, clock)
    until(lane, lambda: queue.state_of(number) is PrintState.DONE)
    assert zebra.labels == [b"%PDF-^XZ\n"]


def test_a_power_cut_during_sending_asks_a_person(lane: Lane, queue: MemoryQueue, zebra: Zebra) -> None:
    number = add_label(queue)
    queue.sending(queue.jobs[number])
    until(lane, lambda: queue.asks_a_person(number))
    assert queue.state_of(number) is PrintState.UNKNOWN
    other = add_label(queue)
    until(lane, lambda: queue.state_of(other) is PrintState.DONE)
    assert len(zebra.labels) == 1


def test_a_printer_that_is_off_is_away(queue: MemoryQueue) -> None:
    printer = RawPrinter("127.0.0.1:9", speaks_zpl=True)
    assert printer.state().condition is Condition.AWAY
    assert printer.send(queue.jobs[add_label(queue)], b"^XA^XZ").fate is Fate.NOT_TAKEN


def test_the_status_is_read_field_by_field() -> None:
    assert parse_status(READY) == HostStatus(False, False, False, False, 0)
    assert parse_status(PAPER_OUT) == HostStatus(True, True, False, False, 0)
    assert parse_status(PRINTING).waiting == 2


@settings(deadline=None)
@given(st.binary(max_size=600), st.integers(0, len(READY)))
def test_any_status_is_understood_or_refused(noise: bytes, place: int) -> None:
    for data in (noise, READY[:place] + noise[:40] + READY[place:], READY[:place] + noise[:2] + READY[place + 2 :]):
        _understood_or_refused(data)


def _understood_or_refused(data: bytes) -> None:
    """Any other exception fails the test."""
    with suppress(BadMessage):
        assert isinstance(parse_status(data), HostStatus)


@pytest.mark.parametrize("address", ["", ":9100", "machine:port", "machine:99999"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="Adresse"):
        RawPrinter(address, speaks_zpl=True)
