"""The answer to a message: which code each error deserves, and the bytes of the ACK.

AA is a promise: the message is kept and applied, or kept for a person. AE: understood, content refused. AR: not for us.
Source: HL7 v2.5.1 2.9.2 (original mode), tables 0008 (MSA-1) and 0357 (ERR-3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from core.errors import BadInput, BadMessage, Conflict, NotAllowed, NotFound, OutOfResources, YelenError
from core.hl7 import refusals
from core.hl7.escapes import USUAL, Separators, escape
from core.hl7.text import WESTERN, Charsets, codec_of, declared, fitting
from core.i18n import _

# Table 0357, in the words that a sender's log understands everywhere.
CONDITIONS: dict[str, str] = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}

ANSWERS: dict[str, tuple[str, str]] = {
    refusals.NO_HEADER: ("AR", "100"),
    refusals.SEPARATORS: ("AR", "100"),
    refusals.FRAME_TOO_LONG: ("AR", "207"),
    refusals.TOO_MANY: ("AR", "207"),
    refusals.REQUIRED: ("AE", "101"),
    refusals.BAD_DATE: ("AE", "102"),
    refusals.CHARSET: ("AE", "102"),
    refusals.BAD_VALUE: ("AE", "103"),
    refusals.UNKNOWN_CHARSET: ("AE", "103"),
    refusals.UNSUPPORTED_TYPE: ("AR", "200"),
    refusals.UNSUPPORTED_EVENT: ("AR", "201"),
    refusals.PROCESSING_ID: ("AR", "202"),
    refusals.VERSION: ("AR", "203"),
    refusals.UNTRUSTED: ("AE", "204"),
    refusals.DUPLICATE_KEY: ("AE", "205"),
    refusals.REUSED: ("AR", "205"),
}

ERRORS: tuple[tuple[type[YelenError], tuple[str, str]], ...] = (
    (BadMessage, ("AR", "207")),  # with a reason of its own: ANSWERS
    (BadInput, ("AE", "102")),
    (NotFound, ("AE", "204")),
    (NotAllowed, ("AE", "204")),
    (Conflict, ("AE", "206")),
    (OutOfResources, ("AE", "207")),
    (YelenError, ("AE", "207")),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we say about one message. location: segment, its number and the field, as ERR-2."""

    code: str
    error: str = ""
    sentence: str = ""
    location: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def verdict_of(error: Exception) -> Verdict:
    """The one table of this door. What is not an error of ours is transient: AE 207, so that the sender tries again."""
    if isinstance(error, BadMessage) and (answer := ANSWERS.get(refusals.code_of(error))):
        return Verdict(*answer, str(error), refusals.place_of(error))
    for kind, (code, number) in ERRORS:
        if isinstance(error, kind):
            return Verdict(code, number, str(error))
    return Verdict("AE", "207", _("Erreur interne : renvoyer le message plus tard"))


@dataclass(frozen=True, slots=True)
class Header:
    """What an answer repeats of the message it answers: fields of its MSH as sent, still escaped."""

    separators: Separators = USUAL
    fields: tuple[str, ...] = ()
    codec: str = "ascii"
    default_version: str = "2.3.1"  # for a sender that leaves MSH-12 empty

    @property
    def version(self) -> str:
        """MSH-12 as sent."""
        return self.raw(12) or self.default_version

    def raw(self, number: int) -> str:
        return self.fields[number - 2] if 2 <= number < len(self.fields) + 2 else ""

    def component(self, field: int, component: int) -> str:
        parts = self.raw(field).split(self.separators.component)
        return parts[component - 1] if len(parts) >= component else ""


_LINE = re.compile(rb"[^\r\n]*")
_LONGEST = 64 * 1024


def header_of(raw: bytes, charsets: Charsets = WESTERN, default_version: str = "2.3.1") -> Header | None:
    """The MSH of a message that may be unreadable otherwise; None when there is none to answer to."""
    at = raw[:_LONGEST].find(b"MSH")
    line = _LINE.match(raw[at : at + _LONGEST])[0] if at >= 0 else b""  # type: ignore[index]
    if len(line) < 4 or line[3:4].isalnum():
        return None
    codec = _codec(line, charsets)
    text = re.sub("[\x00-\x1f\x7f]", "", line.decode(codec, "ignore"))
    return Header(_separators(text), tuple(text.split(text[3:4])[1:]), codec, default_version)


def _codec(line: bytes, charsets: Charsets) -> str:
    """What to answer in: the declared set; when none is, the set that this line is written in."""
    try:
        codec = codec_of(declared(line), charsets)
    except BadMessage:
        codec = ""
    if codec or line.isascii():
        return codec or "ascii"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return charsets.fallback
    return "utf-8"


def _separators(line: str) -> Separators:
    """Those of the sender, else the usual ones: an answer is never refused for its question's separators."""
    given = line[4:].split(line[3:4], 1)[0] if len(line) > 3 else ""
    usual = "^~\\&"
    chosen = line[3:4] + (given[:5] + usual[len(given) :])
    if len(set(chosen)) != len(chosen) or any(c.isalnum() or c.isspace() for c in chosen):
        return Separators(field=line[3:4]) if line[3:4] not in usual else Separators()
    return Separators(*chosen)


def ack(header: Header, verdict: Verdict, control_id: str, now: datetime, enhanced: bool = False) -> bytes:
    """The bytes of one ACK, in the sender's separators, version and character set, its applications swapped.

    control_id: our MSH-10. now: with the zone that MSH-7 is written in.
    """
    marks = header.separators
    lines = [_msh(header, control_id, now), _msa(header, verdict, enhanced), *_err(header, verdict)]
    text = "".join(line.rstrip(marks.field) + "\r" for line in lines)
    return text.encode(header.codec, "ignore")


def _msh(header: Header, control_id: str, now: datetime) -> str:
    marks, raw = header.separators, header.raw
    event = header.component(9, 2)
    kind = marks.component.join(["ACK", event, "ACK"] if event else ["ACK"])
    fields = [
        raw(5),
        raw(6),
        raw(3),
        raw(4),
        now.strftime("%Y%m%d%H%M%S%z"),
        "",
        kind,
        control_id,
        raw(11),
        header.version,
    ]
    character_set = raw(18).split(marks.repetition)[0]
    return marks.field.join([f"MSH{marks.field}{marks.encoding_characters}", *fields, *[""] * 5, character_set])


def _msa(header: Header, verdict: Verdict, enhanced: bool) -> str:
    marks = header.separators
    code = verdict.code.replace("A", "C", 1) if enhanced else verdict.code
    sentence = verdict.sentence if verdict.code != "AA" or verdict.error else ""
    return marks.field.join(["MSA", code, header.raw(10), _written(sentence[:80], header)])


def _written(sentence: str, header: Header) -> str:
    return escape(fitting(sentence, header.codec), header.separators)


def _err(header: Header, verdict: Verdict) -> list[str]:
    if verdict.code != "AA":
        return [_error_segment(header, verdict, verdict.error or "207", "E", verdict.sentence)]
    return [_error_segment(header, verdict, "0", "W", warning) for warning in verdict.warnings]


def _error_segment(header: Header, verdict: Verdict, number: str, severity: str, sentence: str) -> str:
    marks = header.separators
    condition = (number, CONDITIONS.get(number, ""), "HL70357")
    if _before_2_5(header.version):
        location = [*verdict.location, "", "", ""][:3]
        return marks.field.join(["ERR", marks.component.join([*location, marks.subcomponent.join(condition)])])
    location_text = marks.component.join(verdict.location)
    user_message = _written(sentence[:250], header)
    return marks.field.join(
        ["ERR", "", location_text, marks.component.join(condition), severity, "", "", "", user_message]
    )


def _before_2_5(version: str) -> bool:
    """Versions whose ERR has one field: code and location, no ERR-2 to ERR-8."""
    return re.match(r"2\.[1-4](?!\d)", version) is not None
