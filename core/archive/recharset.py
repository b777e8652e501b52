"""A header whose texts are all written in another character set: a new value does not fit its own, or a machine asks.

Sequences included; values that are not text are the file's own bytes. In implicit VR the dictionary says what is text;
a private element whose VR nobody knows is left as it is.
"""

from __future__ import annotations

from typing import Final

from core.archive.elements import BadElements, Bytes, Element, Spelling, elements, items
from core.model.charset import Charset, Encoder, charset_of

UTF_8: Final = Encoder("ISO_IR 192")
_CHARSET: Final = 0x00080005
_TEXT: Final = frozenset({b"LO", b"LT", b"PN", b"SH", b"ST", b"UC", b"UT"})
_SEVERAL: Final = frozenset({b"LO", b"PN", b"SH", b"UC"})
_PIXELS: Final = 0x7FE00000


def rewritten(
    data: Bytes, at: int, end: int, spelling: Spelling, charset: Charset, encoder: Encoder
) -> tuple[bytes, int]:
    """The header up to the pixel data, and where the pixel data begins. Raises `BadElements`."""
    written: list[bytes] = []
    declared = False
    rest = end
    for element in elements(data, at, end, spelling):
        if element.tag >= _PIXELS:
            rest = element.at
            break
        if element.stop > end:
            raise BadElements("cut short", element.at)
        if not declared and element.tag >= _CHARSET:
            declared = True
            if encoder.declared:
                written.append(spelling.element(_CHARSET, b"CS", encoder.declared.encode()))
        if element.tag != _CHARSET and element.tag & 0xFFFF:  # group lengths are no longer true
            written.append(_element(data, element, spelling, charset, encoder))
    return b"".join(written), rest


def _element(data: Bytes, element: Element, spelling: Spelling, charset: Charset, encoder: Encoder) -> bytes:
    vr = element.vr or _known(element.tag)
    if element.vr == b"UN":
        return data[element.at : element.stop]
    if vr == b"SQ":
        return _sequence(data, element, spelling, charset, encoder)
    value = data[element.start : element.stop]
    if vr not in _TEXT or (value.isascii() and b"\x1b" not in value):
        return data[element.at : element.stop]
    if vr in _SEVERAL and not charset.extensions:
        pieces = [charset.decode(piece)[0] for piece in value.strip(b" \0").split(b"\\")]
        text = "\\".join(pieces)
    else:
        text = charset.decode(value)[0]
    return spelling.element(element.tag, vr, encoder.encode(text))


def _sequence(data: Bytes, element: Element, spelling: Spelling, charset: Charset, encoder: Encoder) -> bytes:
    content = b""
    for start, stop in items(data, element.start, element.stop, spelling):
        content += spelling.element(0xFFFEE000, b"", _item(data, start, stop, spelling, charset, encoder))
    return spelling.element(element.tag, b"SQ", content)


def _item(data: Bytes, start: int, stop: int, spelling: Spelling, charset: Charset, encoder: Encoder) -> bytes:
    """The item's elements; its own character set, if it has one, is in force inside it and then no longer needed."""
    inside = charset
    written = b""
    for element in elements(data, start, stop, spelling):
        if element.stop > stop:
            raise BadElements("value longer than its item", element.at)
        if element.tag == _CHARSET:
            inside = charset_of(data[element.start : element.stop].strip(b" \0"))
            continue
        if element.tag & 0xFFFF:
            written += _element(data, element, spelling, inside, encoder)
    return written


def _known(tag: int) -> bytes:
    """The VR that the dictionary gives, b"" for a private or unknown element."""
    from pydicom.datadict import dictionary_VR  # a large library, for this rare case alone

    try:
        return dictionary_VR(tag).encode()
    except KeyError:
        return b""
