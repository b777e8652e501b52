"""Bar codes drawn as rectangles, so that they stay sharp at any resolution."""

from __future__ import annotations

import re
from typing import Any

import segno
from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.units import mm

from core.errors import BadInput
from core.i18n import _

MODULE = 0.3 * mm
_CODE_128 = re.compile(r"[ -~]{1,32}")


def report_qr(accession_number: str, sha256: str) -> str:
    """What the code of a report says: capitals only, for the alphanumeric mode that makes it small."""
    return f"YELEN:{accession_number}:{sha256}".upper()


def draw_qr(canvas: Any, content: str, x: float, y: float, side: float) -> None:
    """A QR code with its quiet zone of 4 modules (ISO/IEC 18004), lower left corner at (x, y), in points."""
    matrix = list(segno.make(content, micro=False, error="m").matrix_iter(border=4))
    module = side / len(matrix)
    path = canvas.beginPath()
    for row, line in enumerate(matrix):
        for column, dark in enumerate(line):
            if dark:
                path.rect(x + column * module, y + side - (row + 1) * module, module, module)
    canvas.drawPath(path, stroke=0, fill=1)


def for_code_128(content: str) -> str:
    """The content, when it can be a bar code: 1 to 32 printable ASCII characters. Raises `BadInput`."""
    if not _CODE_128.fullmatch(content):
        raise BadInput(_("« %s » ne peut pas devenir un code-barres.") % content, "barcode")
    return content


def draw_code_128(canvas: Any, content: str, x: float, y: float, room: float, height: float) -> float:
    """Code 128 (ISO/IEC 15417) without its text, modules of 0.3 mm or less to fit `room`; its width in points.

    The caller leaves 10 modules of white on both sides.
    """
    natural = Code128(for_code_128(content), quiet=0, barWidth=1).width
    width = min(room, natural * MODULE)
    Code128(content, quiet=0, barWidth=width / natural, barHeight=height).drawOn(canvas, x, y)
    return float(width)
