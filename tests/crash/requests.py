"""One request at each door, cut in two: `send` returns when its last byte is written, `answer` waits for the reply.

Between the two a test may kill the box: then the request is in flight, and nobody was promised anything.
"""

from __future__ import annotations

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
    """C-STORE of one object on an association of its own."""

    def __init__(self, name: str, address: tuple[str, int], calling: str, uid: str, dataset: bytes) -> None:
        self.name = name
        self._uid, self._dataset = uid, dataset
        self._modality = Modality(address)
        self._modality.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=calling.encode())

    def send(self) -> None:
        command = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, self._uid)
        self._modality.send(upper_layer.message(1, command, self._dataset, 16_384))

    def answer(self) -> None:
        try:
            reply, _data = self._modality.message()
        except (Closed, OSError) as fault:
            raise Dead from fault
        assert reply.status == 0, f"{self.name}: status {reply.status:#06x}"
        self._modality.socket.close()


class Message:
    """One HL7 message on a connection of its own."""

    def __init__(self, name: str, address: tuple[str, int], message: bytes) -> None:
        self.name = name
        self._address, self._message = address, message
        self._line: socket.socket

    def send(self) -> None:
        self._line = socket.create_connection(self._address, HANGING_S)  # four a sender at once: none is held idle
        self._line.sendall(b"\x0b" + self._message + b"\x1c\r")

    def answer(self) -> None:
        assert self.verdict() == "AA", self.name

    def verdict(self) -> str:
        """MSA-1: AA, AE or AR. Raises `Dead`."""
        heard = b""
        try:
            while b"\x1c\r" not in heard:
                piece = self._line.recv(65_536)
                if not piece:
                    raise Dead
                heard += piece
        except OSError as fault:
            raise Dead from fault
        self._line.close()
        return heard.partition(b"MSA|")[2][:2].decode()


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
    """A form of the kiosk. done: whether the page that comes back is the one after the act."""

    def __init__(self, name: str, browser: Browser, click: Callable[[Browser], str], done: str) -> None:
        self.name = name
        self._browser, self._click, self._done = browser, click, done
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._fault: Exception | None = None

    def send(self) -> None:
        self._thread.start()

    def answer(self) -> None:
        self._thread.join(HANGING_S)
        if self._fault is not None:
            raise Dead from self._fault
        assert self._done in self._browser.url, (self._browser.url, self._browser.page[:600])

    def _go(self) -> None:
        try:
            self._click(self._browser)
        except urllib.error.HTTPError:
            raise
        except (OSError, EOFError) as fault:
            self._fault = fault
        except Exception as fault:  # http.client has its own words for a cut line
            self._fault = fault
