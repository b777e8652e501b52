"""The demo HIS, a process of its own: it sends admissions and orders, and acknowledges the results that come back.

Prints `écoute PORT` when it can receive; then reads `envoyer PORT` on its standard input and sends the day there.
"""

from __future__ import annotations

import socket
import sys
import threading
from datetime import UTC, datetime

from core.clock import SystemClock
from core.errors import PeerError
from core.hl7.client import MllpClient
from core.i18n import _
from install.demo.children import visits
from install.demo.messages import acknowledgement, admission, order

START, END = b"\x0b", b"\x1c\r"


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"écoute {listener.getsockname()[1]}", flush=True)
    threading.Thread(target=_receive, args=(listener,), daemon=True).start()
    for line in sys.stdin:
        word, _space, rest = line.strip().partition(" ")
        if word == "envoyer":
            _send_day(int(rest))


def _send_day(port: int) -> None:
    """Every admission, then every order of the day, one acknowledged after the other."""
    now = datetime.now(UTC)
    client = MllpClient("127.0.0.1", port, SystemClock())
    serial = int(now.timestamp()) % 10_000_000
    day = visits(now.date())
    letters = [admission(child, "", now) for child in {v.child for v in day}] + [
        order(visit, serial + n, "", now) for n, visit in enumerate(day)
    ]
    for n, letter in enumerate(letters):
        control_id = f"SIH{serial}-{n}"
        numbered = letter.replace(b"||P|2.5", f"|{control_id}|P|2.5".encode(), 1)
        try:
            reply = client.exchange(numbered, control_id)
        except PeerError as fault:
            print(_("SIH : %s") % fault, flush=True)
            return
        if reply.code != "AA":
            print(_("SIH : message refusé : %s %s") % (reply.code, reply.text), flush=True)
    client.close()
    print(_("SIH : %d messages acceptés") % len(letters), flush=True)


def _receive(listener: socket.socket) -> None:
    while True:
        connection, _address = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection: socket.socket) -> None:
    """Acknowledge every message of a connection and say what arrived."""
    waiting = b""
    with connection:
        while piece := connection.recv(65536):
            waiting += piece
            while END in waiting:
                frame, _end, waiting = waiting.partition(END)
                fields = frame.lstrip(START).split(b"\r")[0].split(b"|")
                control_id = fields[9].decode("utf-8", "replace")
                connection.sendall(START + acknowledgement(control_id, datetime.now(UTC)) + END)
                print(_("SIH : compte rendu reçu (%s)") % control_id, flush=True)


if __name__ == "__main__":
    main()
