"""The kiosk on a real port: the bound port, a clean stop, and rude visitors."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from core.services import Services
from kiosk.serve import KioskServer

DEADLINE = 20.0


@pytest.fixture
def kiosk(services: Services) -> Iterator[KioskServer]:
    server = KioskServer(services, port=0, threads=4).start()
    yield server
    server.stop()


def status(kiosk: KioskServer, path: str = "/connexion", **headers: str) -> int:
    connection = http.client.HTTPConnection(kiosk.host, kiosk.port, timeout=DEADLINE)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_it_listens_on_the_port_it_says(kiosk: KioskServer) -> None:
    assert kiosk.port > 0
    assert status(kiosk) == 200


def test_a_taken_port_is_an_os_error(kiosk: KioskServer, services: Services) -> None:
    with pytest.raises(OSError, match="in use"):
        KioskServer(services, port=kiosk.port)


def test_no_answer_names_the_server(kiosk: KioskServer) -> None:
    connection = http.client.HTTPConnection(kiosk.host, kiosk.port, timeout=DEADLINE)
    connection.request("GET", "/connexion")
    headers = connection.getresponse().headers
    connection.close()
    assert "Server" not in headers


def test_garbage_on_the_port_is_refused_and_the_next_visitor_served(kiosk: KioskServer) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET / HTTP/9.9 x\r\n\r\n", b"A" * 70_000 + b"\r\n\r\n"):
        rude = socket.create_connection((kiosk.host, kiosk.port), timeout=DEADLINE)
        with rude, contextlib.suppress(ConnectionError):
            rude.sendall(garbage)
            with contextlib.suppress(OSError):  # ENOTCONN: the server has already hung up
                rude.shutdown(socket.SHUT_WR)
            while rude.recv(4096):
                pass
    assert status(kiosk) == 200


def test_a_hundred_half_sent_requests_do_not_stop_the_site(kiosk: KioskServer) -> None:
    half = [socket.create_connection((kiosk.host, kiosk.port), timeout=DEADLINE) for _n in range(120)]
    for rude in half:
        rude.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert status(kiosk) == 200
    for rude in half:
        rude.close()


def test_stopping_finishes_the_pages_being_made(services: Services) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(token: str) -> None:
        entered.set()
        go_on.wait(DEADLINE)

    services.people.session = slow  # type: ignore[method-assign,assignment]
    server = KioskServer(services, port=0, threads=2).start()
    seen: list[int] = []
    visitor = threading.Thread(target=lambda: seen.append(status(server, Cookie="__Host-yelen=x")))
    visitor.start()
    assert entered.wait(DEADLINE)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    go_on.set()
    visitor.join(DEADLINE)
    stopper.join(DEADLINE)
    assert seen == [200]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, server.port), timeout=DEADLINE)


def test_a_server_that_never_started_stops_too(services: Services) -> None:
    KioskServer(services, port=0).stop()
