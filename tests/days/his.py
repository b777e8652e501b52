"""The hospital's information system, played by python-hl7: it admits, it orders, and it listens for results."""

from __future__ import annotations

import asyncio
import queue
import threading
from datetime import UTC, datetime, timedelta

import hl7
from hl7.client import MLLPClient
from hl7.mllp import start_hl7_server

from install.demo.children import Child

HANGING_S = 30.0
FRAME_CAP = 10_000_000  # bytes: a PDF travels inside


class His:
    """Sends to the box; every result that comes back is acknowledged and kept in `results`."""

    def __init__(self) -> None:
        self.results: queue.Queue[hl7.Message] = queue.Queue()
        self.port = 0
        self._serial = 0
        self._loop = asyncio.new_event_loop()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        assert listening.wait(HANGING_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HANGING_S)

    # What it sends.

    def admits(self, port: int, child: Child) -> hl7.Message:
        now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
        return self.says(port, "ADT^A04^ADT_A01", f"EVN|A04|{now}", _pid(child), f"PV1|1|I|{child.ward}^1^2")

    def orders(self, port: int, child: Child, exam: str, placer: str, station: str, indication: str) -> hl7.Message:
        """ORM NW for now. station: AE title of the machine."""
        at = f"{datetime.now(UTC) + timedelta(seconds=30):%Y%m%d%H%M}"
        orc = f"ORC|NW|{placer}^SIH|||||^^^{at}^^S|||||D7^TRAORÉ^Issa|{child.ward}"
        obr = f"OBR|1|{placer}^SIH||{exam}^{exam}^LOCAL|||||||||{indication}|||||||{station}"
        return self.says(port, "ORM^O01^ORM_O01", _pid(child), f"PV1|1|I|{child.ward}^1^2", orc, obr)

    def says(
        self, port: int, kind: str, *segments: str, codec: str = "utf-8", said: str = "UNICODE UTF-8"
    ) -> hl7.Message:
        """Sends one message and gives the answer. codec: how it is really written; said: what MSH-18 pretends."""
        self._serial += 1
        now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
        header = f"MSH|^~\\&|SIH|CHUP|YELEN|IMAGERIE|{now}||{kind}|{self.control_id}|P|2.5||||||{said}"
        with MLLPClient("127.0.0.1", port) as line:
            answer = line.send_message(("\r".join((header, *segments)) + "\r").encode(codec))
        return hl7.parse(answer.strip(b"\x0b\x1c\r").decode())

    @property
    def control_id(self) -> str:
        """MSH-10 of the last message sent."""
        return f"JOUR{self._serial}"

    # What it receives.

    def result(self) -> hl7.Message:
        """The next result, waited for."""
        return self.results.get(timeout=HANGING_S)

    def _run(self, listening: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        opened = start_hl7_server(self._serve, "127.0.0.1", 0, limit=FRAME_CAP, encoding="utf-8")
        server = self._loop.run_until_complete(opened)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        self._loop.run_forever()
        server.close()

    async def _serve(self, reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
        try:
            while True:
                message = await reader.readmessage()
                self.results.put(message)
                writer.writemessage(message.create_ack())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def verdict(answer: hl7.Message) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    return answer.extract_field("MSA", 0, 1), answer.extract_field("MSA", 0, 2)


def words(result: hl7.Message) -> dict[str, list[str]]:
    """The paragraphs of a result by the title of their section."""
    found: dict[str, list[str]] = {}
    for segment in result.segments("OBX"):
        if str(segment[2]) == "TX":
            found.setdefault(result.unescape(str(segment[3][0][1])), []).append(result.unescape(str(segment[5])))
    return found


def _pid(child: Child) -> str:
    return (
        f"PID|1||{child.number}^^^CHUP^PI||{child.family}^{child.given}|{child.mother}|{child.born}|{child.sex}"
        f"|||Ouagadougou||{child.phone}"
    )
