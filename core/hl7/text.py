"""From bytes to text: which letters a message means, whatever MSH-18 pretends.

Declared UTF-8 that is none is read with the sender's fallback; a declared single-byte set that is valid UTF-8 with at
least one sequence is UTF-8. Both are marked suspect. A letter is never replaced by `?`: what cannot be read is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.hl7 import refusals
from core.i18n import _
from core.model.names import to_ascii

_CONTROLS = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D}) + b"\x7f"
_ANY_CONTROL = re.compile(b"[" + re.escape(_CONTROLS) + b"]")
_UPPER_CONTROLS = re.compile("[\x80-\x9f]")
_UTF8 = frozenset({"UNICODE UTF-8", "UNICODE", "UTF-8", "UTF8"})
_UNDECLARED = frozenset({"", "ASCII"})


@dataclass(frozen=True, slots=True)
class Charsets:
    """How one sender writes. fallback: a Python codec for bytes whose set is not said or said wrongly.

    terms: what this sender puts in MSH-18 instead of a term of table 0211, with the codec it means.
    strict: a wrong MSH-18 is refused instead of guessed.
    """

    fallback: str = "cp1252"
    strict: bool = False
    terms: Mapping[str, str] = field(default_factory=dict)


WESTERN = Charsets()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The segments of one message as text, NFC, without control characters except TAB and LF."""

    segments: tuple[str, ...]
    declared: str  # MSH-18, first repetition, as sent
    codec: str  # the Python codec that read it, and that the answer is written in
    suspect: bool = False
    warnings: tuple[str, ...] = ()


def declared(header: bytes) -> str:
    """The first repetition of MSH-18, read as Latin-1."""
    fields = header.split(header[3:4], 18)
    repetition = header[5:6] or b"~"
    return fields[17].split(repetition, 1)[0].decode("latin-1").strip() if len(fields) > 17 else ""


def codec_of(term: str, charsets: Charsets) -> str:
    """The Python codec of an MSH-18 term (table 0211), "" when nothing is declared.

    Raises `BadMessage` (`unknown-charset`) for a term that neither the table nor the sender's row knows.
    """
    if term in charsets.terms:
        return charsets.terms[term]
    upper = term.upper()
    if upper in _UNDECLARED:
        return ""
    if upper in _UTF8:
        return "utf-8"
    part = re.fullmatch(r"(?:ISO ?|ISO-|ISO_IR )?8859[/-](\d{1,2})", upper)
    if part and int(part[1]) in {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16}:
        return f"iso8859-{int(part[1])}"
    sentence = _("Jeu de caractères inconnu dans MSH-18 : %s") % term[:40]
    raise refusals.refused(refusals.UNKNOWN_CHARSET, sentence, "MSH", 18)


def decode(lines: Sequence[bytes], charsets: Charsets = WESTERN) -> Decoded:
    """The text of the segments of one message, the first being its MSH.

    Raises `BadMessage`: `unknown-charset`, or `charset` when the bytes fit no set or the sender is held to its word.
    """
    term = declared(lines[0])
    wanted = codec_of(term, charsets)
    cleaned = [line.translate(None, _CONTROLS) if _ANY_CONTROL.search(line) else line for line in lines]
    warnings = [_("caractères de contrôle retirés")] if sum(map(len, cleaned)) != sum(map(len, lines)) else []
    codec = _codec_that_reads(cleaned, wanted, charsets)
    suspect = bool(wanted) and codec != wanted
    if suspect:
        warnings.append(_("jeu de caractères douteux : %s déclaré, %s lu ; vérifier les accents") % (term, codec))
    return Decoded(tuple(_tidy(line.decode(codec)) for line in cleaned), term, codec, suspect, tuple(warnings))


def _codec_that_reads(lines: Sequence[bytes], wanted: str, charsets: Charsets) -> str:
    if all(line.isascii() for line in lines):
        return wanted or "ascii"
    for codec in _candidates(lines, wanted, charsets):
        if _reads(lines, codec):
            return codec
    sentence = _("Jeu de caractères : les octets ne correspondent pas à MSH-18")
    raise refusals.refused(refusals.CHARSET, sentence, "MSH", 18)


def _candidates(lines: Sequence[bytes], wanted: str, charsets: Charsets) -> list[str]:
    if wanted == "utf-8":
        return ["utf-8"] if charsets.strict else ["utf-8", charsets.fallback]
    if charsets.strict and wanted:
        return [wanted]
    windows = ["cp1252"] if wanted == "iso8859-1" and _has_upper_controls(lines) else []
    return ["utf-8", *windows, wanted or charsets.fallback]


def _has_upper_controls(lines: Sequence[bytes]) -> bool:
    """Bytes 0x80 to 0x9F are controls in ISO 8859-1, curly quotes and Œ in the code page that Windows calls ANSI."""
    return any(_UPPER_CONTROLS.search(line.decode("latin-1")) for line in lines if not line.isascii())


def _reads(lines: Sequence[bytes], codec: str) -> bool:
    try:
        for line in lines:
            if not line.isascii():
                line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


_SPELLED = {
    "–": "-", "—": "-", "‑": "-", "‐": "-", "−": "-", "•": "-", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "‘": "'", "’": "'", "…": "...", "≥": ">=", "≤": "<=", "≈": "~", "×": "x", "±": "+/-", "µ": "u", "μ": "u",
    "°": " deg", "€": "EUR", "→": "->", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip


def fitting(text: str, codec: str) -> str:
    """The text in letters that a set has. What it lacks is spelt otherwise, and shown as `[U+2265]` when it has no
    other spelling: nothing of a report disappears, and never behind a `?`.

    Comes before escaping: a full-width `｜` is spelt `|`.
    """
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return "".join(c if _fits(c, codec) else _respelt(c) for c in text)
    return text


def _respelt(character: str) -> str:
    spelt = _SPELLED.get(character) or to_ascii(character)
    invisible = unicodedata.category(character) in ("Mn", "Cf", "Cc", "Cs", "Co", "Cn")
    return spelt or ("" if invisible else f"[U+{ord(character):04X}]")


def _fits(character: str, codec: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _tidy(line: str) -> str:
    if line.isascii():
        return line
    return unicodedata.normalize("NFC", _UPPER_CONTROLS.sub("", line))
