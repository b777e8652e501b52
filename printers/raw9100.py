"""A printer on TCP 9100: one `sendall`, and for a label printer the three lines that `~HS` answers.

Source: Zebra ZPL II programming guide, `~HS` (host status return).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import BadInput, BadMessage
from core.i18n import _
from core.model.printing import PrintJob
from printers.ports import Condition, Fate, News, PrinterState

STX, ETX = b"\x02", b"\x03"
MAX_STATUS = 512  # bytes; three lines are about 80
FIELDS = (12, 11, 2)  # on each line


@dataclass(frozen=True)
class HostStatus:
    """What matters in the answer. `waiting`: formats in the buffer and labels still to come."""

    paper_out: bool
    paused: bool
    head_open: bool
    ribbon_out: bool
    waiting: int

    @property
    def needs_a_hand(self) -> bool:
        return self.paper_out or self.paused or self.head_open or self.ribbon_out


def parse_status(data: bytes) -> HostStatus:
    """The three STX ... ETX lines. Anything else raises `BadMessage`."""
    if len(data) > MAX_STATUS:
        raise _bad("too long")
    lines = [part.partition(ETX) for part in data.split(STX)[1:]]
    fields = [inside.split(b",") for inside, end, _rest in lines if end]
    if len(fields) != 3 or any(len(one) < count for one, count in zip(fields, FIELDS, strict=True)):
        raise _bad("not three lines of status")
    first, second, _third = fields
    return HostStatus(
        paper_out=_number(first[1]) != 0,
        paused=_number(first[2]) != 0,
        waiting=_number(first[4]) + _number(second[8]),
        head_open=_number(second[2]) != 0,
        ribbon_out=_number(second[3]) != 0,
    )


def _number(field: bytes) -> int:
    if not field.isdigit() or len(field) > 8:
        raise _bad(f"not a number: {field[:16]!r}")
    return int(field)


def _bad(reason: str) -> BadMessage:
    return BadMessage(_("Réponse illisible de l'imprimante d'étiquettes."), reason=reason)


class RawPrinter:
    """A printer at `address`, `machine[:9100]`.

    speaks_zpl: it may be asked `~HS`; any other printer would print these letters. Many clones do not answer it.
    Whoever says nothing of its state is printed to blindly.
    """

    def __init__(self, address: str, speaks_zpl: bool, timeout_s: float = 5.0, status_s: float = 1.0) -> None:
        host, _colon, port = address.partition(":")
        if not host or (port and not port.isdecimal()) or int(port or 9100) > 65535:
            raise BadInput(_("Adresse d'imprimante refusée : %s (attendu : machine:9100)") % address, "address")
        self._address = (host, int(port or 9100))
        self._speaks_zpl = speaks_zpl
        self._timeout_s = timeout_s
        self._status_s = status_s

    def state(self) -> PrinterState:
        try:
            with self._open() as line:
                return _state_of(self._status(line))
        except OSError:
            return PrinterState(Condition.AWAY, ("unreachable",), _("ne répond pas"))
        except BadMessage as error:
            return PrinterState(Condition.WARNING, ("unreadable",), str(error))

    def send(self, job: PrintJob, document: bytes) -> News:
        try:
            line = self._open()
        except OSError:
            return News(Fate.NOT_TAKEN, _("ne répond pas"))
        with line:
            if hands := self._hands_needed(line):
                return News(Fate.NOT_TAKEN, hands)
            return _pushed(line, document * job.copies)

    def follow(self, job: PrintJob) -> News:
        """Out of the buffer is out of the slot; a printer that says nothing is believed."""
        try:
            with self._open() as line:
                status = self._status(line)
        except BadMessage as error:
            return News(Fate.DONE, str(error))
        except OSError:
            return News(Fate.TAKEN, _("ne répond pas"))
        if status is None:
            return News(Fate.DONE, _("cette imprimante ne dit pas son état"))
        if status.waiting:
            return News(Fate.PRINTING, _state_of(status).sentence if status.needs_a_hand else "")
        return News(Fate.DONE)

    def find(self, job: PrintJob) -> News:
        return News(Fate.CANNOT_TELL, _("cette imprimante ne tient pas de liste de ses travaux"))

    def cancel(self, job: PrintJob) -> News:
        return News(Fate.CANNOT_TELL, _("cette imprimante ne sait pas annuler"))

    def _open(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=self._timeout_s)

    def _hands_needed(self, line: socket.socket) -> str:
        """Labels sent to a printer without paper sit in its memory and die with its power."""
        try:
            status = self._status(line)
        except (OSError, BadMessage):
            return ""
        return _state_of(status).sentence if status and status.needs_a_hand else ""

    def _status(self, line: socket.socket) -> HostStatus | None:
        """None: it keeps silent, which is not a fault."""
        if not self._speaks_zpl:
            return None
        line.sendall(b"~HS\r\n")
        line.settimeout(self._status_s)
        answer = _read_lines(line.recv)
        line.settimeout(self._timeout_s)
        return parse_status(answer) if answer else None


def _read_lines(receive: Callable[[int], bytes]) -> bytes:
    """Bytes up to the third ETX, the end, the cap or the first silence."""
    answer = b""
    while answer.count(ETX) < 3 and len(answer) <= MAX_STATUS:
        try:
            part = receive(MAX_STATUS)
        except TimeoutError:
            break
        if not part:
            break
        answer += part
    return answer


def _pushed(line: socket.socket, document: bytes) -> News:
    try:
        line.sendall(document)
    except OSError:
        return News(Fate.DOUBTFUL, _("connexion coupée pendant l'envoi"))
    return News(Fate.TAKEN)


def _state_of(status: HostStatus | None) -> PrinterState:
    if status is None:
        return PrinterState(Condition.OK, (), _("ne dit pas son état"))
    flags = {
        "media-empty": (status.paper_out, _("étiquettes épuisées")),
        "cover-open": (status.head_open, _("tête ouverte")),
        "marker-supply-empty": (status.ribbon_out, _("ruban épuisé")),
        "paused": (status.paused, _("en pause")),
    }
    raised = {reason: sentence for reason, (up, sentence) in flags.items() if up}
    condition = Condition.STOPPED if raised else Condition.OK
    return PrinterState(condition, tuple(raised), ", ".join(raised.values()) or _("ok"))
