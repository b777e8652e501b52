"""Specific Character Set: bytes of a data set to Unicode and back, with a mark when somebody had to guess.

`charset_of(value of (0008,0005)).decode(value)` never fails: what cannot be read as declared is read as UTF-8, then as
the fallback (ISO_IR 100), and marked suspect. Sources: PS3.3 C.12.1.1.2 (terms), PS3.5 6.1 and annexes H to K.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from core.model.names import to_ascii

_CODECS: Final = {
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 166": "iso8859-11",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 87": "iso2022_jp_2",
    "ISO_IR 159": "iso2022_jp_2",
    "ISO_IR 149": "euc_kr",
    "ISO_IR 58": "gb2312",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
_SINGLE_BYTE: Final = frozenset(codec for codec in _CODECS.values() if codec.startswith(("latin", "iso8859")))

# Escape sequence -> (which code element it designates, codec). PS3.3 tables C.12-3 and C.12-4.
_ESCAPES: Final = {
    b"\x1b(B": ("G0", "ascii"),
    b"\x1b(J": ("G0", "shift_jis"),
    b"\x1b)I": ("G1", "shift_jis"),
    b"\x1b-A": ("G1", "latin-1"),
    b"\x1b-B": ("G1", "iso8859-2"),
    b"\x1b-C": ("G1", "iso8859-3"),
    b"\x1b-D": ("G1", "iso8859-4"),
    b"\x1b-L": ("G1", "iso8859-5"),
    b"\x1b-G": ("G1", "iso8859-6"),
    b"\x1b-F": ("G1", "iso8859-7"),
    b"\x1b-H": ("G1", "iso8859-8"),
    b"\x1b-M": ("G1", "iso8859-9"),
    b"\x1b-b": ("G1", "iso8859-15"),
    b"\x1b-T": ("G1", "iso8859-11"),
    b"\x1b$B": ("G0", "iso2022_jp_2"),
    b"\x1b$(D": ("G0", "iso2022_jp_2"),
    b"\x1b$)C": ("G1", "euc_kr"),
    b"\x1b$)A": ("G1", "gb2312"),
}
_ESCAPE = re.compile(rb"\x1b(?:\$[()\-]?[ -~]|[(\-)][ -~])")
_CONTROL = re.compile(r"\x1b(?:\$[()\-]?|[(\-)])?[ -~]?|[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _normalised(term: str) -> str:
    """`iso-ir 100`, `ISO 2022 IR 100`, `latin1`, `UTF-8`: the spellings seen in the field, as one."""
    letters = re.sub(r"[^A-Z0-9]", "", term.upper())
    for known, spelled in (("LATIN1", "ISO_IR 100"), ("ISO88591", "ISO_IR 100"), ("UTF8", "ISO_IR 192")):
        if letters == known:
            return spelled
    number = re.fullmatch(r"(?:ISO)?(?:2022)?IR(\d+)", letters)
    return f"ISO_IR {number[1]}" if number else term.strip().upper()


@dataclass(frozen=True, slots=True)
class Charset:
    """A decoded (0008,0005). first: codec of the first value; extensions: the others may come in by escapes."""

    first: str = "ascii"
    extensions: tuple[str, ...] = ()
    unknown: bool = False

    def decode(self, value: bytes) -> tuple[str, bool]:
        """The text in NFC without control characters, and whether it had to be guessed."""
        if value.isascii() and b"\x1b" not in value and self.first != "shift_jis":
            text, suspect = value.decode("ascii"), False
        else:
            text, suspect = self._decode_difficult(value)
        return _tidy(text), suspect

    def _decode_difficult(self, value: bytes) -> tuple[str, bool]:
        if self.first in ("ascii", *_SINGLE_BYTE) and not self.extensions and (text := _as_utf8(value)) is not None:
            return text, True  # UTF-8 with multi-byte sequences under another name
        try:
            if b"\x1b" in value and self.first not in ("utf-8", "gb18030", "gbk"):
                return self._decode_escapes(value), self.unknown
            return value.decode(self.first), self.unknown
        except UnicodeDecodeError:
            return self._guess(value), True

    def _decode_escapes(self, value: bytes) -> str:
        """ISO 2022: each escape sequence designates G0 or G1 until the next one."""
        low, high = "ascii", self.first
        text, at, designation = [], 0, b""
        for escape in [*_ESCAPE.finditer(value), None]:
            text.append(_run(value[at : escape.start() if escape else len(value)], low, high, designation))
            if escape is None:
                break
            at = escape.end()
            element, codec = _ESCAPES.get(escape[0], ("", ""))
            if element == "G0":
                low, designation = codec, escape[0]
            elif element == "G1":
                high = codec
        return "".join(text)

    def _guess(self, value: bytes) -> str:
        for codec in ("utf-8", *self.extensions):
            try:
                return value.decode(codec)
            except UnicodeDecodeError:
                continue
        return value.decode("latin-1")


def _run(run: bytes, low: str, high: str, designation: bytes) -> str:
    if low == "iso2022_jp_2":
        return (designation + run).decode(low)
    return run.decode(low if run.isascii() else high)


def _as_utf8(value: bytes) -> str | None:
    """The value as UTF-8 when it holds multi-byte sequences and they are all right."""
    if value.isascii():
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _tidy(text: str) -> str:
    if not text.isprintable():
        text = _CONTROL.sub("", text)
    return unicodedata.normalize("NFC", text).strip(" \0")


@lru_cache(maxsize=64)
def charset_of(declared: bytes) -> Charset:
    """The charset a data set declares; b"" when the element is absent or empty."""
    terms = [_normalised(term) for term in declared.decode("ascii", "replace").strip(" \0").split("\\")][:16]
    codecs = [_CODECS.get(term, "") if term else "ascii" for term in terms]
    unknown = "" in codecs
    known = tuple(codec for codec in codecs if codec)
    first = codecs[0] or "ascii"
    if first in ("iso2022_jp_2", "euc_kr", "gb2312") and len(codecs) == 1:
        return Charset("ascii", (first,), unknown)
    return Charset(first, tuple(codec for codec in known[1:] if codec != "ascii"), unknown)


@dataclass(frozen=True, slots=True)
class Encoder:
    """What a machine can read: `ISO_IR 100`, `ISO_IR 192` or `ascii` (then nothing is declared)."""

    term: str

    @property
    def declared(self) -> str:
        """The value of (0008,0005) of an answer; "" when it is not sent."""
        return "" if self.term == "ascii" else self.term

    def encode(self, text: str) -> bytes:
        """A character outside the set is transliterated, never `?`."""
        if text.isascii():
            return text.encode("ascii")
        if self.term == "ISO_IR 192":
            return text.encode("utf-8", "replace")
        if self.term == "ascii":
            return to_ascii(text).encode("ascii")
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            return b"".join(_latin(letter) for letter in unicodedata.normalize("NFC", text))


def _latin(letter: str) -> bytes:
    return letter.encode("latin-1") if ord(letter) < 0x100 else to_ascii(letter).encode("ascii")
