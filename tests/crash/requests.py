"""One request at each door, cut in two: `send` returns when its last byte is written, `answer` waits for the reply.

Between the two a test may kill the box: then the request is in flight, and nobody was promised anything.
"""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

from core.dicom import dimse, upper_layer
from core.errors import Conflict, Unreachable
from core.rpc.client import Client
from core.rpc.contract import Call
from install.demo.browser import Browser
from tests.dicom.modality import Closed, Modality, request_command
from tests.people.images import CT_IMAGE, EXPLICIT

HANGING_S = 30.0


class Dead(Exception):
    """The box died before it answered."""


class Request(Protocol):
    """name: the act it stands for; the same name is the same act, sent again."""

    name: str

    def send(self) -> None: ...
    def answer(self) -> None:
        """Returns when the box has promised. Raises `Dead`."""


class Store:
    """C-STORE of one object on an association of its own. status: what its sender is to be told."""

    def __init__(
        self, name: str, address: tuple[str, int], calling: str, uid: str, dataset: bytes, status: int = 0
    ) -> None:
        self.name = name
        self._uid, self._dataset, self._status = uid, dataset, status
        self._modality = Modality(address)
        self._modality.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=calling.encode())

    def send(self) -> None:
        self._modality.send(self._message())

    def send_half(self) -> None:
        """The machine is still sending."""
        message = self._message()
        self._modality.send(message[: len(message) // 2])

    def answer(self) -> None:
        try:
            reply, _data = self._modality.message()
        except (Closed, OSError) as fault:
            raise Dead from fault
        assert reply.status == self._status, f"{self.name}: status {reply.status:#06x}"
        self._modality.socket.close()

    def _message(self) -> bytes:
        command = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, self._uid)
        return upper_layer.message(1, command, self._dataset, 16_384)


class Line:
    """A connection of the HIS: messages follow each other without waiting, answers are told apart by their MSA-2."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, HANGING_S)
        self._guard = threading.Lock()
        self._heard = b""
        self._verdicts: dict[str, str] = {}

    def say(self, message: bytes) -> None:
        self._socket.sendall(b"\x0b" + message + b"\x1c\r")

    def verdict(self, control_id: str) -> str:
        """MSA-1 of the answer to a message: AA, AE or AR. Raises `Dead`."""
        with self._guard:
            while control_id not in self._verdicts:
                self._listen()
            return self._verdicts.pop(control_id)

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        try:
            piece = self._socket.recv(65_536)
        except OSError as fault:
            raise Dead from fault
        if not piece:
            raise Dead
        *answers, self._heard = (self._heard + piece).split(b"\x1c\r")
        for answer in answers:
            code, control_id, *_rest = answer.partition(b"MSA|")[2].partition(b"\r")[0].decode().split("|")
            self._verdicts[control_id] = code


class Message:
    """One HL7 message. name: its MSH-10."""

    def __init__(self, name: str, line: Line, message: bytes) -> None:
        self.name = name
        self._line, self._message = line, message

    def send(self) -> None:
        self._line.say(self._message)

    def answer(self) -> None:
        assert self.verdict() == "AA", self.name

    def verdict(self) -> str:
        return self._line.verdict(self.name)


class Asked:
    """A call of a terminal. already: the refusal that says that the act had been done before."""

    def __init__(self, name: str, client: Client, call: Call[Any], already: str = "") -> None:
        self.name = name
        self._client, self._call, self._already = client, call, already
        self._future: Future[Any] | None = None

    def send(self) -> None:
        self._future = self._client.submit(self._call)

    def answer(self) -> None:
        assert self._future is not None
        try:
            self._future.result(HANGING_S)
        except (Unreachable, TimeoutError) as fault:
            raise Dead from fault
        except Conflict as refusal:
            if not self._already or self._already not in str(refusal):
                raise


class Clicked:
    """A form of the kiosk. done: what is in the address of the page that comes after the act."""

    def __init__(self, name: str, browser: Browser, click: Callable[[Browser], str], done: str) -> None:
        self.name = name
        self._browser, self._click, self._done = browser, click, done
        self._answer: Future[str] = Future()

    def send(self) -> None:
        threading.Thread(target=self._go, daemon=True).start()

    def answer(self) -> None:
        try:
            page = self._answer.result(HANGING_S)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as fault:
            raise Dead from fault
        assert self._done in self._browser.url, (self._browser.url, page[:600])

    def _go(self) -> None:
        try:
            self._answer.set_result(self._click(self._browser))
        except Exception as fault:
            self._answer.set_exception(fault)
