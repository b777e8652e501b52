"""Names of people as they are written, spoken and searched in Burkina Faso.

A name keeps its accents for display. Two keys are derived and never copied from a sender: a folded key for search
(`name_key`) and a phonetic key that proposes the same child under another spelling (`phonetic_key`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f-\x9f]")
SPELLED = {
    "Œ": "OE",
    "œ": "oe",
    "Æ": "AE",
    "æ": "ae",
    "ß": "ss",
    "’": "'",
    "ʼ": "'",
    "Ɛ": "E",
    "ɛ": "e",
    "Ɔ": "O",
    "ɔ": "o",
    "ı": "i",
}
LATELY = 2048  # names of the day: the same ones are folded at every step of an exam
_PARTICLES = frozenset(["DIT", "EPSE", "NEE", "NE", "BB", "BEBE", "DE", "ENFANT"])


def clean(text: str) -> str:
    """NFC, without control characters or terminal escapes, inner spaces single, ends trimmed."""
    text = _CONTROL.sub("", text.replace("\t", " ").replace("\u00a0", " "))
    return " ".join(unicodedata.normalize("NFC", text).split())


def to_ascii(text: str) -> str:
    """Transliterated to ASCII, never `?`: Œ becomes OE, é becomes e; what has no spelling is dropped."""
    spelled = "".join(SPELLED.get(c, c) for c in text)
    return unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode("ascii")


@lru_cache(maxsize=LATELY)
def fold(text: str) -> str:
    """Upper case ASCII words separated by one space: the one form in which names are compared and searched."""
    return " ".join(re.sub(r"[^A-Z0-9]+", " ", to_ascii(clean(text)).upper().replace("'", "")).split())


def search_key(pn: str) -> str:
    """The key of a DICOM PN: its components folded. A name of several component groups begins with `SEVERAL_GROUPS`."""
    groups = [group for group in pn.split("=") if group.strip("^ ")]
    key = fold(" ".join(groups).replace("^", " "))
    return SEVERAL_GROUPS + key if len(groups) > 1 else key


SEVERAL_GROUPS = "= "  # sorts before every letter: such names are found in one range of the index


def display_name(family: str, given: str) -> str:
    """« OUÉDRAOGO Aïssata »: the family name in capitals, the given names as written."""
    return " ".join(part for part in (clean(family).upper(), clean(given)) if part)


@lru_cache(maxsize=LATELY)
def person_name(family: str, given: str) -> str:
    """DICOM PN (PS3.5 6.2): `OUÉDRAOGO^Aïssata`, at most 64 characters a component group, no separators inside."""
    parts = [re.sub(r"[\\^=]", " ", clean(p)) for p in (family.upper(), given)]
    return "^".join(parts).rstrip("^")[:64]


def split_person_name(pn: str) -> tuple[str, str]:
    """Family and given names (with middle names) of a DICOM PN; the first non-empty component group counts."""
    group = next((g for g in pn.split("=") if g.strip("^ ")), "")
    parts = [clean(p) for p in group.split("^")] + ["", "", ""]
    return parts[0], " ".join(p for p in parts[1:3] if p)


_SOUNDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"PH", "F"),
        (r"OUE", "WE"),
        (r"OU(?=[AEIOUY])", "W"),
        (r"DJ", "J"),
        (r"DI(?=[AO])", "J"),
        (r"TCH|TI(?=E)", "C"),
        (r"SCH|CH", "S"),
        (r"GN", "N"),
        (r"QU|Q|CK", "K"),
        (r"C(?=[AOUKRL]|\b)", "K"),
        (r"C(?=[EIY])", "S"),
        (r"GU(?=[EIY])", "G"),
        (r"Z", "S"),
        (r"X", "KS"),
        (r"Y", "I"),
        (r"H", ""),
        (r"OU", "U"),
        (r"EAU|AU|O", "U"),
        (r"W", "V"),
        (r"M(?=[BP])", "N"),
        (r"E\b", ""),
        (r"(.)\1+", r"\1"),
    )
)


def _sound(word: str) -> str:
    for pattern, sound in _SOUNDS:
        word = pattern.sub(sound, word)
    return word[:1] + re.sub(r"[AEIOU]", "", word[1:])


@lru_cache(maxsize=LATELY)
def phonetic_key(text: str) -> str:
    """Six characters a word: first letter and consonants as they sound. Words sorted, particles dropped."""
    words = sorted(w for w in fold(text).split() if w not in _PARTICLES)
    return " ".join(_sound(w)[:6] for w in words if w)
