"""The demo HIS, a process of its own: it sends admissions and orders, and acknowledges the results that come back.

Prints `écoute PORT` when it can receive; then reads `envoyer PORT MOMENT` on its standard input and sends there the day
that began at this moment.
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
        word, *rest = line.split()
        if word == "envoyer":
            _send_day(int(rest[0]), datetime.fromisoformat(rest[1]))


def letters_of(began: datetime) -> list[tuple[str, bytes]]:
    """MSH-10 and message: every admission, then every order of the day that began then. The same each time."""
    serial = int(began.timestamp()) % 10_000_000
    day = visits(began.date())
    letters = [admission(child, "", began) for child in dict.fromkeys(v.child for v in day)] + [
        order(visit, serial + n, "", began) for n, visit in enumerate(day)
    ]
    numbered = ((f"SIH{serial}-{n}", letter) for n, letter in enumerate(letters))
    return [(number, letter.replace(b"||P|2.5", f"|{number}|P|2.5".encode(), 1)) for number, letter in numbered]


def _send_day(port: int, began: datetime) -> None:
    """One letter acknowledged after the other."""
    client = MllpClient("127.0.0.1", port, SystemClock())
    letters = letters_of(began)
    for control_id, letter in letters:
        try:
            reply = client.exchange(letter, control_id)
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
