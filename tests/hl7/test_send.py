"""The outbox on its way to real receivers: order, matching, patience, and what needs a person."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import hl7
import hl7.mllp
import pytest

from core.clock import SetClock
from core.errors import BadMessage, Unreachable
from core.hl7.client import MllpClient
from core.hl7.framing import Deframer, frame
from core.hl7.send import OutboxSender, Route, pause
from core.model.device import Destination
from core.model.outbox import Letter
from tests.hl7.ward import NOW


def message(number: str) -> bytes:
    return f"MSH|^~\\&|YELEN|CDG|SIH|CDG|20260727||ORU^R01^ORU_R01|{number}|P|2.5\rPID|||1\r".encode()


def ack(code: str, number: str, text: str = "") -> bytes:
    return f"MSH|^~\\&|SIH|CDG|YELEN|CDG|20260727||ACK^R01|A{number}|P|2.5\rMSA|{code}|{number}|{text}\r".encode()


def number_of(received: bytes) -> str:
    return received.split(b"|")[9].decode()


class Receiver:
    """A system that answers what a test told it; counts its connections and keeps every message."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self.answer = answer
        self.arrived = threading.Semaphore(0)
        self.closed = threading.Event()  # a caller has gone
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        deframer = Deframer()
        try:
            while data := sock.recv(65536):
                deframer.receive(data)
                while (found := deframer.next_frame()) is not None:
                    self.messages.append(found.payload)
                    answer = self.answer(found.payload)
                    self.arrived.release()
                    if answer is None:
                        sock.close()
                        return
                    sock.sendall(answer)
        except OSError:
            pass
        finally:
            self.closed.set()

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.arrived.acquire(timeout=30)

    def hang_up(self) -> None:
        for sock in self._open:
            sock.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.hang_up()


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    opened: list[Receiver] = []

    def receiver(answer: Callable[[bytes], bytes | None] = lambda m: frame(ack("AA", number_of(m)))) -> Receiver:
        opened.append(Receiver(answer))
        return opened[-1]

    yield receiver
    for one in opened:
        one.close()


@dataclass
class Row:
    letter: Letter
    lane: str
    at: datetime
    to: str = "SIH"
    state: str = "QUEUED"
    answer: str = ""


@dataclass
class MemoryOutbox:
    """Rows in memory under the rule of the outbox: a lane gives its oldest open row, when its time has come."""

    rows: list[Row] = field(default_factory=list)
    places: list[Destination] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, number: str, lane: str = "", to: str = "SIH") -> Row:
        row = Row(Letter(len(self.rows), number), lane or number, NOW, to)
        self.rows.append(row)
        return row

    def destinations(self) -> list[Destination]:
        return list(self.places)

    def resume(self) -> None:
        for row in self.rows:
            row.state = "QUEUED" if row.state == "SENT" else row.state

    def due(self, destination: str, now: datetime) -> Letter | None:
        heads: set[str] = set()
        for row in self.rows:
            if row.to == destination and row.state in ("QUEUED", "SENT") and row.lane not in heads:
                heads.add(row.lane)
                if row.state == "QUEUED" and row.at <= now:
                    return row.letter
        return None

    def _row(self, letter: Letter) -> Row:
        return self.rows[letter.id]

    def sending(self, letter: Letter, payload: bytes) -> None:
        row = self._row(letter)
        row.letter, row.state = replace(row.letter, payload=payload, attempts=letter.attempts + 1), "SENT"

    def accepted(self, letter: Letter, answer: str) -> None:
        self._set(letter, "ACCEPTED", answer)

    def retry(self, letter: Letter, at: datetime, refused: bool, answer: str) -> None:
        row = self._row(letter)
        row.letter, row.at = replace(row.letter, refusals=row.letter.refusals + refused), at
        self._set(letter, "QUEUED", answer)

    def dead(self, letter: Letter, answer: str) -> None:
        self._set(letter, "DEAD", answer)

    def _set(self, letter: Letter, state: str, answer: str) -> None:
        with self.changed:
            self._row(letter).state, self._row(letter).answer = state, answer
            self.changed.notify_all()

    def wait_for(self, *states: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: [r.state for r in self.rows] == list(states), 30)


def place(receiver: Receiver, name: str = "SIH") -> Destination:
    return Destination(name, "127.0.0.1", receiver.port)


def write(letter: Letter, _destination: Destination) -> bytes:
    return message(letter.control_id)


def drained(route: Route) -> None:
    while route.deliver():
        pass


def route_to(receiver: Receiver, outbox: MemoryOutbox, clock: SetClock) -> Route:
    return Route(place(receiver), outbox, write, clock)


# The client


def test_two_messages_go_over_one_connection(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers()
    client = MllpClient("127.0.0.1", receiver.port, SetClock(NOW))
    assert [client.exchange(message(n), n).code for n in ("1", "2")] == ["AA", "AA"]
    assert receiver.connections == 1
    client.close()


def test_an_answer_to_another_message_is_no_success(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(lambda _m: frame(ack("AA", "999")))
    client = MllpClient("127.0.0.1", receiver.port, SetClock(NOW))
    with pytest.raises(BadMessage):
        client.exchange(message("1"), "1")
    receiver.answer = lambda m: frame(ack("AA", number_of(m)))
    assert client.exchange(message("1"), "1").code == "AA"
    assert receiver.connections == 2  # a late answer could still come over the first
    client.close()


@pytest.mark.parametrize("answer", [b"\x0bgarbage\x1c\r", b"x" * 70_000, frame(b"MSH|^~\\&\rMSA|ZZ|1\r"), None])
def test_garbage_or_silence_instead_of_an_answer_is_a_typed_error(
    receivers: Callable[..., Receiver], answer: bytes | None
) -> None:
    receiver = receivers(lambda _m: answer)
    client = MllpClient("127.0.0.1", receiver.port, SetClock(NOW))
    with pytest.raises((BadMessage, Unreachable)):
        client.exchange(message("1"), "1")


def test_a_receiver_that_never_answers_is_unreachable_after_its_time(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(lambda _m: b"")
    client = MllpClient("127.0.0.1", receiver.port, SetClock(NOW), answer_seconds=0.05)
    with pytest.raises(Unreachable, match="pas de réponse à temps"):
        client.exchange(message("1"), "1")


def test_a_connection_that_the_receiver_closed_meanwhile_is_opened_again(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(lambda m: frame(ack("AA", number_of(m))))
    client = MllpClient("127.0.0.1", receiver.port, SetClock(NOW))
    assert client.exchange(message("1"), "1").code == "AA"
    sock = client._sock
    assert sock is not None
    receiver._open[0].shutdown(socket.SHUT_RDWR)
    assert sock.recv(1, socket.MSG_PEEK) == b""  # the close has arrived
    assert client.exchange(message("2"), "2").code == "AA"
    assert receiver.connections == 2
    client.close()


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port that is ours and where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_nobody_listening_is_unreachable(nowhere: int) -> None:
    with pytest.raises(Unreachable, match="connexion refusée"):
        MllpClient("127.0.0.1", nowhere, SetClock(NOW)).exchange(message("1"), "1")


def test_enhanced_codes_and_the_words_of_a_refusal_are_understood(receivers: Callable[..., Receiver]) -> None:
    words = b"MSH|^~\\&|SIH\rMSA|CE|1\rERR||PID^1^3|101|E||||Patient inconnu \\T\\ absent\r"
    reply = MllpClient("127.0.0.1", receivers(lambda _m: frame(words)).port, SetClock(NOW)).exchange(message("1"), "1")
    assert (reply.code, reply.text) == ("AE", "Patient inconnu & absent")


# The outbox


def test_letters_leave_in_order_and_are_accepted(receivers: Callable[..., Receiver]) -> None:
    receiver, outbox = receivers(), MemoryOutbox()
    for number in ("1", "2", "3"):
        outbox.put(number)
    drained(route_to(receiver, outbox, SetClock(NOW)))
    assert [number_of(m) for m in receiver.messages] == ["1", "2", "3"]
    assert [r.state for r in outbox.rows] == ["ACCEPTED"] * 3


def test_a_patient_whose_message_waits_blocks_no_other_patient(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(lambda m: frame(ack("AE" if number_of(m) == "1" else "AA", number_of(m))))
    outbox, clock = MemoryOutbox(), SetClock(NOW)
    for number, lane in (("1", "awa"), ("2", "awa"), ("3", "issa")):
        outbox.put(number, lane)
    route = route_to(receiver, outbox, clock)
    drained(route)
    assert [r.state for r in outbox.rows] == ["QUEUED", "QUEUED", "ACCEPTED"]
    receiver.answer = lambda m: frame(ack("AA", number_of(m)))
    clock.advance(5)
    drained(route)
    assert [number_of(m) for m in receiver.messages] == ["1", "3", "1", "2"]


def test_the_fifth_refusal_is_final_and_each_waits_longer(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(lambda m: frame(ack("AE", number_of(m), "patient inconnu")))
    outbox, clock = MemoryOutbox(), SetClock(NOW)
    row = outbox.put("1")
    route = route_to(receiver, outbox, clock)
    for wait in (5, 10, 20, 40):
        drained(route)
        assert row.at - clock.now() == timedelta(seconds=wait)
        clock.advance(wait)
    drained(route)
    assert (row.state, row.answer, len(receiver.messages)) == ("DEAD", "patient inconnu", 5)
    assert len(set(receiver.messages)) == 1  # always the same bytes


def test_a_rejection_is_final_at_once(receivers: Callable[..., Receiver]) -> None:
    receiver, outbox = receivers(lambda m: frame(ack("AR", number_of(m)))), MemoryOutbox()
    row = outbox.put("1")
    drained(route_to(receiver, outbox, SetClock(NOW)))
    assert (row.state, len(receiver.messages)) == ("DEAD", 1)


def test_a_link_that_is_down_is_never_final(nowhere: int) -> None:
    outbox, clock = MemoryOutbox(), SetClock(NOW)
    rows = [outbox.put("1"), outbox.put("2")]
    route = Route(Destination("SIH", "127.0.0.1", nowhere), outbox, write, clock)
    for _ in range(40):
        drained(route)
        clock.advance(600)
    assert [r.state for r in rows] == ["QUEUED", "QUEUED"]
    assert rows[0].letter.refusals == 0
    assert rows[0].letter.attempts > 30


def test_a_dead_link_is_tried_by_one_letter_and_not_by_each(receivers: Callable[..., Receiver]) -> None:
    receiver = receivers(lambda _m: None)
    outbox = MemoryOutbox()
    for number in ("1", "2", "3"):
        outbox.put(number)
    drained(route_to(receiver, outbox, SetClock(NOW)))
    assert len(receiver.messages) == 1


def test_pauses_double_up_to_ten_minutes() -> None:
    assert [pause(n).total_seconds() for n in (0, 1, 2, 6, 7, 99)] == [5, 10, 20, 320, 600, 600]


def test_a_letter_that_cannot_be_written_needs_a_person_and_stops_nobody(receivers: Callable[..., Receiver]) -> None:
    receiver, outbox = receivers(), MemoryOutbox()
    outbox.put("bad")
    outbox.put("2")

    def write_or_fail(letter: Letter, destination: Destination) -> bytes:
        if letter.control_id == "bad":
            raise BadMessage("Jeu de caractères inconnu")
        return write(letter, destination)

    drained(Route(place(receiver), outbox, write_or_fail, SetClock(NOW)))
    assert [(r.state, r.answer) for r in outbox.rows] == [("DEAD", "Jeu de caractères inconnu"), ("ACCEPTED", "")]


def test_what_was_sent_without_answer_is_sent_again_after_a_restart_with_the_same_bytes(
    receivers: Callable[..., Receiver],
) -> None:
    silent, outbox = receivers(lambda _m: b""), MemoryOutbox()
    outbox.places.append(place(silent))
    row = outbox.put("1")
    sender = OutboxSender(outbox, write, SetClock(NOW))
    sender.start()
    silent.wait()
    row_at_kill = replace(row, letter=row.letter)
    sender.stop()
    outbox.rows[0] = row_at_kill  # as the disk holds it after a power cut
    assert row_at_kill.state == "SENT"

    again = receivers()
    outbox.places[:] = [place(again)]
    sender = OutboxSender(outbox, write, SetClock(NOW))
    sender.start()
    outbox.wait_for("ACCEPTED")
    sender.stop()
    assert again.messages == silent.messages


def test_a_new_letter_leaves_when_the_bell_rings_and_one_dead_receiver_stops_no_other(
    receivers: Callable[..., Receiver], nowhere: int
) -> None:
    receiver, outbox = receivers(), MemoryOutbox()
    outbox.places[:] = [replace(place(receiver), port=nowhere), place(receiver, "LABO")]
    sender = OutboxSender(outbox, write, SetClock(NOW))
    sender.start()
    outbox.put("1", to="SIH")
    outbox.put("2", to="LABO")
    sender.wake()
    outbox.wait_for("QUEUED", "ACCEPTED")
    outbox.put("3", to="LABO")
    sender.wake()
    outbox.wait_for("QUEUED", "ACCEPTED", "ACCEPTED")
    sender.stop()
    assert [number_of(m) for m in receiver.messages] == ["2", "3"]


def test_a_destination_that_moved_is_found_at_its_new_address(receivers: Callable[..., Receiver]) -> None:
    first, second, outbox = receivers(), receivers(), MemoryOutbox()
    outbox.places.append(place(first))
    sender = OutboxSender(outbox, write, SetClock(NOW))
    sender.start()
    outbox.put("1")
    sender.wake()
    outbox.wait_for("ACCEPTED")
    outbox.places.clear()
    sender.wake()
    first.closed.wait(30)  # the old connection is given up
    outbox.places.append(place(second))
    outbox.put("2")
    sender.wake()
    outbox.wait_for("ACCEPTED", "ACCEPTED")
    sender.stop()
    assert ([number_of(m) for m in first.messages], [number_of(m) for m in second.messages]) == (["1"], ["2"])


def test_python_hl7_receives_what_we_send() -> None:
    received: list[str] = []

    async def serve(ready: threading.Event, ports: list[int], done: asyncio.Event) -> None:
        async def talk(reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
            while not writer.is_closing():
                incoming = await reader.readmessage()
                received.append(str(incoming))
                writer.writemessage(incoming.create_ack())
                await writer.drain()

        server = await hl7.mllp.start_hl7_server(talk, "127.0.0.1", 0, encoding="utf-8")
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await done.wait()
        server.close()

    loop, ready, ports, done = asyncio.new_event_loop(), threading.Event(), [], asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(ready, ports, done)), daemon=True)
    thread.start()
    assert ready.wait(30)
    client = MllpClient("127.0.0.1", ports[0], SetClock(NOW))
    assert [client.exchange(message(n), n).code for n in ("1", "2", "3")] == ["AA"] * 3
    client.close()
    loop.call_soon_threadsafe(done.set)
    thread.join(30)
    assert [number_of(m.encode()) for m in received] == ["1", "2", "3"]
