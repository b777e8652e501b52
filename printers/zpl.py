"""Labels in ZPL II, written by us, 8 dots a millimetre (203 dpi).

No byte of a field can start a command: everything but plain letters, digits and a few marks is written `_XX`
under `^FH`, control characters become spaces first.

Source: Zebra ZPL II programming guide: ^CI28 (UTF-8), ^FH (field hexadecimal), ^BC (Code 128), ^BQ (QR), ^A0.
"""

from __future__ import annotations

import re
import unicodedata

from core.model.worklist import ExamLine
from printers.pages.codes import for_code_128
from printers.pages.label import birth_and_sex

DOTS_PER_MM = 8
WIDE, HIGH = 50 * DOTS_PER_MM, 25 * DOTS_PER_MM
EDGE = 10
_DIGITS = re.compile(r"[0-9]{4,}")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .-/")


def label(exam: ExamLine) -> bytes:
    """50 x 25 mm: name, birth, sex and exam, the numbers of patient and request, then both as bar codes."""
    room, right = WIDE - 2 * EDGE, 256
    side, left = WIDE - right - EDGE, right - EDGE - 6
    fields = [
        fitted(EDGE, 6, exam.family_name.upper(), (30, 27, 24, 20, 16), room),
        fitted(EDGE, 36, exam.given_names, (27, 24, 20, 16), room),
        fitted(EDGE, 64, birth_and_sex(exam), (21, 19, 17), left),
        fitted(right, 64, exam.patient_number, (21, 19, 17, 14, 12), side),
        fitted(EDGE, 86, exam.exam_label, (21, 19, 17), left),
        fitted(right, 86, exam.accession_number, (21, 19, 17, 14, 12), side),
        code_128(EDGE + 12, 110, exam.patient_number, 38),
        code_128(EDGE + 12, 156, exam.accession_number, 38),
    ]
    return form(WIDE, HIGH, fields)


def form(wide: int, high: int, fields: list[bytes]) -> bytes:
    """A whole label, in dots."""
    head = f"^XA^CI28^PW{wide}^LL{high}^LH0,0\n".encode()
    return head + b"\n".join(fields) + b"\n^XZ\n"


def text(x: int, y: int, content: str, size: int) -> bytes:
    """One line of font 0, `size` dots high."""
    return f"^FO{x},{y}^A0N,{size},{size}".encode() + field(content)


def fitted(x: int, y: int, content: str, sizes: tuple[int, ...], room: int) -> bytes:
    """At the largest size that fits `room` dots; at the smallest, cut with an ellipsis that shows it."""
    shown = clean(content)
    size = next((size for size in sizes if _width(shown, size) <= room), sizes[-1])
    while _width(shown, size) > room:
        shown = shown.removesuffix("…")[:-1] + "…"
    return text(x, y, shown, size)


def code_128(x: int, y: int, content: str, high: int, room: int = WIDE - 40) -> bytes:
    """Automatic subsets, no text under the bars; 2 dots a module, 1 when it must. Raises `BadInput` if impossible."""
    module = 2 if 2 * modules(content) <= room else 1
    return f"^FO{x},{y}^BY{module}^BCN,{high},N,N,N,A".encode() + field(for_code_128(content))


def qr(x: int, y: int, content: str, module: int = 4) -> bytes:
    """Model 2, correction M, automatic input (`MA,` before the data)."""
    return f"^FO{x},{y}^BQN,2,{module}".encode() + field(content, prefix=b"MA,")


def field(content: str, prefix: bytes = b"") -> bytes:
    """^FD data that is only data."""
    return b"^FH_^FD" + prefix + escape(content) + b"^FS"


def escape(content: str) -> bytes:
    octets = clean(content).encode("utf-8")
    return b"".join(bytes([octet]) if octet in _PLAIN else b"_%02X" % octet for octet in octets)


def clean(content: str) -> str:
    """Composed letters; control, format and lone surrogate characters become spaces."""
    composed = unicodedata.normalize("NFC", content)
    return "".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in composed)


def modules(content: str) -> int:
    """Width of a Code 128 at most: 11 a symbol, digits in pairs when there are four or more, 35 around."""
    packed = _DIGITS.sub(lambda run: "C" + "P" * (len(run[0]) // 2) + "B" * (1 + len(run[0]) % 2), content)
    return 11 * len(packed) + 35


def _width(content: str, size: int) -> int:
    """An upper estimate for font 0, which is proportional: capitals and digits 0.58 of the height, the rest 0.48."""
    wide = sum(1 for letter in content if letter.isupper() or letter.isdigit())
    return int(size * (0.58 * wide + 0.48 * (len(content) - wide)))
