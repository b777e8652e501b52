"""The hospital's information system as seen from our port, and an inbox that only remembers."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.clock import SetClock
from core.hl7.receive import Receiver
from core.hl7.sender import Sender
from core.hl7.server import MllpServer
from core.model.his import Applied, HisMessage, InboxState
from core.model.people import Actor

NOW = datetime(2026, 7, 27, 8, 30, tzinfo=UTC)
OUAGADOUGOU = ZoneInfo("Africa/Ouagadougou")
HIS = Sender("SIH", ("127.0.0.1",), authorities=("CDG",))


def adt(event: str = "A04", control_id: str = "1", *segments: str, version: str = "2.5", msh18: str = "") -> str:
    """One ADT of the hospital, as text with CR."""
    header = f"MSH|^~\\&|SIH|CDG|YELEN|RADIO|20260727083000||ADT^{event}|{control_id}|P|{version}||||||{msh18}"
    body = segments or ("PID|||IP0001^^^CDG^PI||OUÉDRAOGO^Aïssata||20190315|F",)
    return "\r".join([header, f"EVN|{event}|20260727083000", *body]) + "\r"


def orm(control_id: str, *segments: str, pid: str = "PID|||IP0001^^^CDG^PI||OUÉDRAOGO^Aïssata||20190315|F") -> str:
    header = f"MSH|^~\\&|SIH|CDG|YELEN|RADIO|20260727083000||ORM^O01^ORM_O01|{control_id}|P|2.5.1"
    return "\r".join([header, pid, *segments]) + "\r"


@dataclass
class RememberingInbox:
    """Keeps what the door gives it; answers AA, or what a test put in `outcomes`, or fails as a test asked."""

    messages: list[HisMessage] = field(default_factory=list)
    aside: list[tuple[HisMessage, InboxState, str]] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    alerted: threading.Event = field(default_factory=threading.Event)
    outcomes: list[Applied] = field(default_factory=list)
    failure: Exception | None = None
    gate: threading.Event | None = None  # an answer waits for it
    entered: threading.Event = field(default_factory=threading.Event)

    def receive(self, actor: Actor, message: HisMessage) -> Applied:
        self.entered.set()
        if self.gate is not None:
            self.gate.wait(30)
        if self.failure is not None:
            raise self.failure
        self.messages.append(message)
        return self.outcomes.pop(0) if self.outcomes else Applied("AA", InboxState.APPLIED, warnings=message.warnings)

    def set_aside(self, actor: Actor, message: HisMessage, applied: Applied) -> None:
        self.aside.append((message, applied.state, applied.text))

    def alert(self, actor: Actor, what: str) -> None:
        self.alerts.append(what)
        self.alerted.set()


class Ward:
    """Our HL7 port with its inbox and a clock whose hands the test turns."""

    def __init__(self, *senders: Sender, unknown: str = "reject") -> None:
        self.clock = SetClock(NOW)
        self.inbox = RememberingInbox()
        self.receiver = Receiver(self.inbox, lambda: senders or (HIS,), self.clock, OUAGADOUGOU, unknown)
        self.server = MllpServer(self.receiver, self.clock)
        self.server.start()

    def call(self) -> Caller:
        return Caller(self.server.port)


class Caller:
    """A raw socket of a system that calls us; its timeout only guards a test against hanging."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._pending = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def say(self, *messages: str, codec: str = "utf-8") -> None:
        self.send(b"".join(b"\x0b" + message.encode(codec) + b"\x1c\r" for message in messages))

    def answer(self) -> str:
        """The next frame; "" when the other side closed."""
        while b"\x1c\r" not in self._pending:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return ""
            if not data:
                return ""
            self._pending += data
        frame, _mark, self._pending = self._pending.partition(b"\x1c\r")
        return frame.removeprefix(b"\x0b").decode("latin-1").replace("\r", "\n")

    def ask(self, message: str, codec: str = "utf-8") -> str:
        self.say(message, codec=codec)
        return self.answer()

    def hang_up(self) -> None:
        self.sock.close()


def msa(answer: str) -> list[str]:
    """MSA-1 and MSA-2 of an answer."""
    return next((line.split("|")[1:3] for line in answer.split("\n") if line.startswith("MSA")), [])
