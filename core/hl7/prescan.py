"""Counts before tokenizing: what would be too much to read is refused on the bytes, in one linear pass.

A hostile message of 200 kB with 100,000 repetitions costs other parsers most of a minute.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.errors import BadMessage
from core.hl7 import refusals
from core.hl7.framing import is_report
from core.hl7.limits import DEFAULT, Limits
from core.i18n import _

_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_ODD_NAME = re.compile(rb"[A-Za-z0-9]{1,4}")
_BOM = b"\xef\xbb\xbf"


def messages(payload: bytes, limits: Limits = DEFAULT) -> list[bytes]:
    """The messages of one frame or file: split at the lines that begin with MSH; batch headers are dropped.

    Raises `BadMessage` (`no-msh`) when there is none, (`too-many`) beyond the cap.
    """
    starts = _headers(payload, limits.messages)
    if not starts:
        raise refusals.refused(refusals.NO_HEADER, _("Aucun segment MSH"))
    cuts = [*starts[1:], len(payload)]
    found = [payload[start:cut] for start, cut in zip(starts, cuts, strict=True)]
    return [_without_trailer(message) for message in found] if is_batch(payload) else found


def _headers(payload: bytes, cap: int) -> list[int]:
    """Where lines begin with MSH. After a bare LF in a message of CR it is somebody's text, never a message."""
    end = _line_end(payload)
    found: list[int] = []
    at = payload.find(b"MSH")
    while at >= 0:
        if _begins_line(payload, at, end) and not payload[at + 3 : at + 4].isalnum():
            found.append(at)
        if len(found) > cap:
            raise refusals.refused(refusals.TOO_MANY, _("Trop de messages dans un seul envoi"))
        at = payload.find(b"MSH", at + 3)
    return [start for start in found if payload[start + 3 : start + 4] not in (b"", b"\r", b"\n")]


def _begins_line(payload: bytes, at: int, end: bytes) -> bool:
    """Whether only line ends stand between the line before and here, a byte order mark apart."""
    if payload[max(at - 3, 0) : at] == _BOM:
        at -= 3
    while at and payload[at - 1] == 0x0A and end == b"\r":
        at -= 1
    return at == 0 or payload[at - 1 : at] == end or (end == b"\n" and payload[at - 1 : at] == b"\r")


def _without_trailer(message: bytes) -> bytes:
    """The message without the batch segments that follow it."""
    trailer = re.search(rb"[\r\n](?:BTS|FTS|BHS|FHS)[^A-Za-z0-9]", message)
    return message[: trailer.start()] if trailer else message


def is_batch(payload: bytes) -> bool:
    """Whether the sender wrapped its messages in FHS or BHS."""
    return payload.removeprefix(_BOM).lstrip(b"\r\n")[:3] in (b"FHS", b"BHS")


def segments(message: bytes, limits: Limits = DEFAULT) -> list[bytes]:
    """The segments of one message, whatever ends its lines.

    With any CR before the end, CR ends segments, CRLF counts once and a bare LF is a line break of the text; otherwise
    LF ends them. Blank lines are dropped; a line that is no segment continues the last field of the one before.
    Raises `BadMessage` (`too-many`) beyond the cap.
    """
    body = message.removeprefix(_BOM)
    end = _line_end(body)
    if body.count(end) > 4 * limits.segments:  # blank lines are counted too, so that nothing is split in vain
        raise _too_many(_("trop de segments"))
    lines = [line for line in (part.strip(b"\r\n") for part in body.split(end)) if line.strip()]
    if len(lines) > limits.segments:
        raise _too_many(_("trop de segments"))
    return _joined(lines)


def _line_end(body: bytes) -> bytes:
    """CR when there is one before the last line's end, else LF. Looks without copying: a report may be long."""
    tail = body[-4096:]
    last = len(body) - len(tail) + len(tail.rstrip(b"\r\n"))
    return b"\r" if body.find(b"\r", 0, last) >= 0 else b"\n"


def _joined(lines: Sequence[bytes]) -> list[bytes]:
    """Lines with their continuations. Each piece is joined once, so many continuations stay linear."""
    separator = lines[0][3:4] if lines else b""
    pieces: list[list[bytes]] = []
    for line in lines:
        if not pieces or _begins_segment(line, separator):
            pieces.append([line])
        else:
            pieces[-1].append(line)
    return [b"\n".join(piece) for piece in pieces]


def _begins_segment(line: bytes, separator: bytes) -> bool:
    """A name of three and the separator, or alone. An odd name with its separator is a segment too, read by nobody."""
    name, found, _rest = line.partition(separator) if separator else (line, b"", b"")
    if found:
        return _ODD_NAME.fullmatch(name) is not None
    return len(line) == 3 and _NAME.fullmatch(line) is not None


def check(lines: Sequence[bytes], limits: Limits = DEFAULT) -> None:
    """Raise `BadMessage` (`too-many`) when a segment or a field holds more than it may.

    lines: the segments of one message, the first being its MSH.
    """
    header = lines[0] if lines else b""
    if not header.startswith(b"MSH") or len(header) < 4:
        raise refusals.refused(refusals.NO_HEADER, _("Aucun segment MSH"))
    report = is_report(header)
    if not report and sum(map(len, lines)) > limits.message:
        raise refusals.refused(refusals.FRAME_TOO_LONG, _("Message trop long (plus de %d octets)") % limits.message)
    separator, marks = header[3:4], _marks(header)
    for line in lines:
        _check_segment(line, separator, marks, limits, report)


def _marks(header: bytes) -> tuple[bytes, bytes, bytes]:
    """Component, repetition and subcomponent characters, with the defaults of HL7 v2.5.1 2.5.4."""
    given = header[4:].split(header[3:4], 1)[0]
    marks = [given[i : i + 1] or default for i, default in enumerate((b"^", b"~", b"\\", b"&"))]
    return marks[0], marks[1], marks[3]


def _check_segment(
    line: bytes, separator: bytes, marks: tuple[bytes, bytes, bytes], limits: Limits, report: bool
) -> None:
    component, repetition, subcomponent = marks
    if line.count(separator) > limits.fields:
        raise _too_many(_("trop de champs"), line)
    parts = line.count(component) + line.count(subcomponent)
    if len(line) <= limits.field and line.count(repetition) < limits.repetitions and parts < limits.components:
        return
    observation = report and line.startswith(b"OBX")
    for number, field in enumerate(line.split(separator)):
        if field.count(repetition) >= limits.repetitions:
            raise _too_many(_("trop de répétitions"), line, number)
        if field.count(component) + field.count(subcomponent) >= limits.components:
            raise _too_many(_("trop de composants"), line, number)
        if len(field) > limits.field and not (observation and number == 5):
            raise _too_many(_("champ trop long"), line, number)


def _too_many(what: str, line: bytes = b"", field: int = 0) -> BadMessage:
    name = line[:3].decode("ascii", "replace") if _NAME.match(line) else ""
    place = f" ({name}-{field})" if field else f" ({name})" if name else ""
    return refusals.refused(refusals.TOO_MANY, _("Message refusé : %s") % (what + place), name, field)
