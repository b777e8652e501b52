"""The one typeface of all our paper, and what to print for a letter that it lacks.

Fira Sans (OFL 1.1) comes as an ordinary Python dependency, so a fresh machine prints the same page as ours. It has
the letters of French and of Mooré, Dioula and Fulfulde (ɛ ɩ ʋ ɔ ŋ ɓ ɗ ƴ, nasal vowels).
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache
from importlib.resources import as_file, files

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD, ITALIC, BOLD_ITALIC = "FiraSans-Regular", "FiraSans-Bold", "FiraSans-Italic", "FiraSans-BoldItalic"
_PACKAGE = "fontpkg_fira_sans"
_SPELLED = {
    "\u202f": "\u00a0",  # narrow no-break space
    "\u2009": " ",
    "\u2011": "-",
    "\u00ad": "",  # soft hyphen
    "\t": "    ",
    "⩽": "≤",
    "⩾": "≥",
    "⇒": "→",
    "☐": "[ ]",
    "☑": "[x]",
    "✓": "[x]",
    "\ufeff": "",
    "\u200b": "",
}
MISSING = "¿"
typesetting = threading.RLock()  # reportlab's faces are shared and keep their place while they are read


@cache
def register() -> frozenset[int]:
    """Makes the faces known to reportlab, once; the code points that all of them can draw."""
    drawable = []
    for name in (REGULAR, BOLD, ITALIC, BOLD_ITALIC):
        with as_file(files(_PACKAGE) / "files" / f"{name}.ttf") as path:
            font = TTFont(name, str(path))
        pdfmetrics.registerFont(font)
        drawable.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(REGULAR, REGULAR, BOLD, ITALIC, BOLD_ITALIC)
    return frozenset.intersection(*drawable)


def shown(text: str) -> str:
    """The text as the typeface can draw it: composed, and `¿` where a letter is missing, never an empty space."""
    drawable = register()
    spelled = "".join(_SPELLED.get(letter, letter) for letter in unicodedata.normalize("NFC", text))
    return "".join(_drawn(letter, drawable) for letter in spelled)


def _drawn(letter: str, drawable: frozenset[int]) -> str:
    if letter == "\n" or ord(letter) in drawable:
        return letter
    return " " if unicodedata.category(letter)[0] in "CZ" else MISSING


def width(text: str, font: str, size: float) -> float:
    """In points."""
    register()
    return float(pdfmetrics.stringWidth(text, font, size))


def fitting(text: str, font: str, sizes: tuple[float, ...], room: float) -> tuple[str, float]:
    """The text at the largest size that fits `room` points; at the smallest, cut with an ellipsis that shows it."""
    for size in sizes:
        if width(text, font, size) <= room:
            return text, size
    cut = text
    while cut and width(cut + "…", font, sizes[-1]) > room:
        cut = cut[:-1]
    return cut.rstrip() + "…", sizes[-1]
