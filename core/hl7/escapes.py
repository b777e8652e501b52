"""Escape sequences of HL7 text, both ways. Source: HL7 v2.5.1 2.7 (use of escape sequences in text fields)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from core.hl7 import refusals
from core.i18n import _

_BODY = r"[FSTREPHN]|\.(?:br|sp|fi|nf|in|ti|sk|ce)[+-]?\d{0,9}|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Separators:
    """MSH-1 and MSH-2. truncation: the fifth character of MSH-2, legal from version 2.7, "" when absent."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


USUAL = Separators()


def separators_of(header: str) -> Separators:
    """The separators an MSH declares; missing encoding characters take the usual ones.

    Raises `BadMessage` (`separators`) when two are equal, or one is a letter, a digit or a space.
    """
    given = header[4:].split(header[3:4], 1)[0] if len(header) > 3 else ""
    usual = "^~\\&"
    chosen = header[3:4] + given[:5] + usual[len(given) :]
    if len(given) > 5 or len(set(chosen)) != len(chosen) or any(c.isalnum() or c.isspace() for c in chosen):
        raise refusals.refused(refusals.SEPARATORS, _("Séparateurs HL7 inutilisables (MSH-1, MSH-2)"), "MSH", 2)
    return Separators(*chosen)


@lru_cache(maxsize=16)
def _sequences(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(f"(?:{mark}X(?:[0-9A-Fa-f]{{2}})+{mark})+|{mark}({_BODY}){mark}")


def unescape(text: str, separators: Separators, codec: str = "utf-8") -> str:
    """The text a person reads. `.br` and `.sp` become line breaks, other formatting goes, `X..` is read with `codec`.

    Unknown and unterminated sequences (`C:\\dir`) stay as they are; nothing is decoded twice.
    """
    if separators.escape not in text:
        return text
    meaning = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": separators.escape,
        "P": separators.truncation or "#",
    }

    def replace(found: re.Match[str]) -> str:
        body = found[1]
        if body is None:
            return _from_hexadecimal(found[0], separators.escape, codec)
        if body in meaning:
            return meaning[body]
        return "\n" if body.startswith((".br", ".sp")) else ""

    return _sequences(separators.escape).sub(replace, text)


def _from_hexadecimal(sequence: str, escape: str, codec: str) -> str:
    """Neighbouring `X` sequences are one run of bytes: a UTF-8 letter may be cut between them."""
    data = bytes.fromhex("".join(part[1:] for part in sequence.split(escape) if part))
    for candidate in (codec, "utf-8", "latin-1"):
        try:
            text = data.decode(candidate)
            break
        except UnicodeDecodeError:
            continue
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def switches_charset(text: str, separators: Separators) -> bool:
    """Whether `\\Chhhh\\` or `\\Mhhhhhh\\` asks for another character set, which we do not follow."""
    mark = separators.escape
    return (mark + "C" in text or mark + "M" in text) and any(
        found[1] and found[1][0] in "CM" for found in _sequences(mark).finditer(text)
    )


def escape(text: str, separators: Separators = USUAL) -> str:
    """Text as it may stand in a field: `\\` first, then the separators; line breaks and controls become spaces.

    Paragraphs are given segments or repetitions of their own before they come here; `\\.br\\` is never written.
    """
    mark = separators.escape
    text = text.replace(mark, f"{mark}E{mark}")
    for character, letter in (
        (separators.field, "F"),
        (separators.component, "S"),
        (separators.subcomponent, "T"),
        (separators.repetition, "R"),
        (separators.truncation, "P"),
    ):
        if character:
            text = text.replace(character, f"{mark}{letter}{mark}")
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)
