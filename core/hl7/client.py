"""One persistent connection to a system that receives from us: one message in flight, its answer matched by number.

Rule 1: nothing is a success but AA (or CA) with MSA-2 equal to our MSH-10.
Rule 2: after anything else than a matching answer the connection is closed, so that a late answer is never credited
to the next message.
"""

from __future__ import annotations

import contextlib
import select
import socket
from dataclasses import dataclass

from core.clock import Clock
from core.errors import BadMessage, Unreachable
from core.hl7.framing import Deframer, frame
from core.hl7.limits import Limits
from core.hl7.tokenizer import read
from core.i18n import _
from core.trouble import reason_of

ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 10.0
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side said. code: AA, AE or AR (enhanced codes read as these). text: MSA-3 or ERR-8, for people."""

    code: str
    text: str = ""


class MllpClient:
    """Connects when first needed, and again after any trouble."""

    def __init__(self, host: str, port: int, clock: Clock, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._address = (host, port)
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._sock: socket.socket | None = None

    def close(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def interrupt(self) -> None:
        """From another thread: an exchange that waits for its answer ends at once with `Unreachable`."""
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def exchange(self, message: bytes, control_id: str) -> Reply:
        """Send one message and wait for its answer.

        Raises `Unreachable` when there is no connection or no answer in time, `BadMessage` when the answer is not
        the answer to this message; the message may or may not have arrived, and is to be sent again as it is.
        """
        try:
            reply = self._exchange(message, control_id)
        except OSError as fault:
            self.close()
            raise Unreachable(_("%s ne répond pas : %s") % (self._name, _why(fault))) from fault
        except (BadMessage, Unreachable):
            self.close()
            raise
        return reply

    @property
    def _name(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"

    def _exchange(self, message: bytes, control_id: str) -> Reply:
        sock = self._connected()
        sock.settimeout(self._answer_seconds)
        sock.sendall(frame(message))
        return _reply(self._next_frame(sock), control_id)

    def _connected(self) -> socket.socket:
        """The open connection, unless the other side closed it or said something unasked since."""
        if self._sock is not None and select.select([self._sock], [], [], 0)[0]:
            self.close()
        if self._sock is None:
            sock = socket.create_connection(self._address, timeout=CONNECT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._sock = sock
        return self._sock

    def _next_frame(self, sock: socket.socket) -> bytes:
        deframer = Deframer(_LIMITS)
        deadline = self._clock.monotonic() + self._answer_seconds
        while (answer := deframer.next_frame()) is None:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            data = sock.recv(65536)
            if not data:
                raise Unreachable(_("%s a fermé la connexion sans répondre") % self._name)
            deframer.receive(data)
        return answer.payload


def _why(fault: OSError) -> str:
    return _("pas de réponse à temps") if isinstance(fault, TimeoutError) else reason_of(fault)


def _reply(answer: bytes, control_id: str) -> Reply:
    """Raises `BadMessage` when MSA-2 is not the number that was sent, or MSA-1 is no code of table 0008."""
    message = read(answer)
    msa = message.first("MSA")
    if msa.at(2) != control_id:
        raise BadMessage(_("Réponse à un autre message que le nôtre"), "wrong-answer")
    code = msa.at(1).upper()
    if code not in ("AA", "AE", "AR", "CA", "CE", "CR"):
        raise BadMessage(_("Réponse sans code connu (MSA-1)"), "wrong-answer")
    err = message.first("ERR")
    return Reply("A" + code[1], err.at(8) or msa.text(3) or err.text(1))
