"""The header of a file as it must leave: with the identity of today, and a note of what it said before.

The file itself is never changed. Identity elements and the accession number are rewritten in the file's own transfer
syntax, one item is added to the Original Attributes Sequence, everything else is the file's own bytes. UIDs never
change. Source: PS3.3 C.12.1.1.9.2 (Original Attributes Sequence), PS3.5 section 7.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from core.archive.elements import IMPLICIT, ITEM, BadElements, Bytes, Element, Spelling, elements
from core.archive.recharset import UTF_8, rewritten
from core.model.charset import Charset, Encoder, charset_of
from core.model.names import clean, to_ascii
from core.model.outgoing import CurrentIdentity

CHARSET: Final = 0x00080005
ACCESSION: Final = 0x00080050
NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
ISSUER: Final = 0x00100021
BIRTH_DATE: Final = 0x00100030
SEX: Final = 0x00100040
TYPE_OF_ID: Final = 0x00100022
OTHER_IDS: Final = 0x00101002
REQUEST_ATTRIBUTES: Final = 0x00400275
STEP_ID: Final = 0x00400009
PROCEDURE_ID: Final = 0x00401001
ORIGINAL: Final = 0x04000561
PIXELS: Final = 0x7FE00000
WATCHED: Final = (CHARSET, ACCESSION, NAME, PATIENT_ID, ISSUER, BIRTH_DATE, SEX)
_VR: Final = {ACCESSION: b"SH", NAME: b"PN", PATIENT_ID: b"LO", ISSUER: b"LO", BIRTH_DATE: b"DA", SEX: b"CS"}
SYSTEM: Final = b"YELEN"

Sent = tuple[bytes | None, ...]
"""The raw values of `WATCHED` in a file; None where the element is absent."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a header must say instead. wrong: it named somebody else, rather than being spelled otherwise."""

    values: Mapping[int, str]
    others: tuple[tuple[str, str], ...] | None = None  # numbers and issuers of (0010,1002)
    wrong: bool = False
    order: tuple[str, str] | None = None  # step and procedure of (0040,0275), where the file has one


def sent_values(data: Bytes, at: int, end: int, syntax: str) -> Sent | None:
    """What the file says about its patient; None when `end` comes before the last of it.

    Raises `BadElements` for a header that cannot be followed.
    """
    found: dict[int, bytes] = {}
    for element in elements(data, at, end, Spelling.of(syntax)):
        if element.tag > SEX:
            return tuple(found.get(tag) for tag in WATCHED)
        if element.tag in _WATCHED:
            if element.stop > end:
                return None
            found[element.tag] = data[element.start : element.stop]
    return None


_WATCHED = frozenset(WATCHED)


def changes(sent: Sent, identity: CurrentIdentity) -> Changes | None:
    """What differs from the identity of today; None when the file may leave as it is."""
    return differences(_texts(sent), identity)


def differences(texts: Mapping[int, str], identity: CurrentIdentity) -> Changes | None:
    """As `changes`, for texts by tag: number, issuer, name, birth date, sex and accession number."""
    new: dict[int, str] = {}
    wrong = texts[PATIENT_ID] != identity.number
    others = None
    if wrong:
        new |= {PATIENT_ID: identity.number, ISSUER: identity.issuer}
        others = tuple((other.value, other.authority) for other in identity.others if other.value != identity.number)
    if wrong or not identity.provisional:
        if not _same_name(texts[NAME], identity.name):
            new[NAME] = identity.name
        if identity.birth_date is not None and texts[BIRTH_DATE].replace(".", "") != identity.birth_date:
            new[BIRTH_DATE] = identity.birth_date
        if identity.sex and texts[SEX] != identity.sex:
            new[SEX] = identity.sex
    ordered = identity.accession_number
    if ordered and texts[ACCESSION] not in (ordered, identity.foreign_accession or ordered):
        new[ACCESSION] = ordered
    order = (identity.step_id, identity.procedure_id) if ACCESSION in new else None
    return Changes(new, others, wrong, order) if new else None


def _texts(sent: Sent) -> dict[int, str]:
    raw = dict(zip(WATCHED, sent, strict=True))
    charset = charset_of((raw[CHARSET] or b"").strip(b" \0"))
    return {tag: charset.decode((value or b"").strip(b" \0"))[0] for tag, value in raw.items()}


def _same_name(sent: str, current: str) -> bool:
    """The same letters, whatever their case and separators; a machine of ASCII alone could not write our accents."""
    group = next((group for group in sent.split("=") if group.strip("^ ")), "")
    one, other = _letters(group), _letters(current)
    return one == other or (one.isascii() and one == _letters(to_ascii(current)))


def _letters(name: str) -> str:
    return clean(unicodedata.normalize("NFC", name).replace("^", " ")).casefold()


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the note of the Original Attributes Sequence says. source: who sent the previous values."""

    when: datetime
    source: str


Encode = Callable[[str], bytes]


def coerced(
    data: Bytes, at: int, end: int, syntax: str, new: Changes | None, note: Provenance, encoder: Encoder | None = None
) -> tuple[bytes, int]:
    """The beginning of the data set as it must leave, and where the untouched rest begins in `data`.

    encoder: the character set that the receiver asks for; None keeps the file's own, or UTF-8 when that is too small.
    Raises `BadElements` for a header that cannot be followed.
    """
    charset = _charset(data, at, end, syntax)
    if new is not None and encoder is None and all(_fits(text, charset) for text in _written(new)):
        return _spliced(data, at, end, syntax, new, note, _own(charset))
    wanted = encoder or UTF_8
    header, rest = rewritten(data, at, end, Spelling.of(syntax), charset, wanted)
    if new is None:
        return header, rest
    head, stop = _spliced(header, 0, len(header), syntax, new, note, wanted.encode)
    return head + header[stop:], rest


def another_charset(sent: Sent, encoder: Encoder) -> bool:
    """Whether the file declares another character set than the one its receiver asks for. ASCII fits everywhere."""
    declared = (sent[WATCHED.index(CHARSET)] or b"").strip(b" \0")
    return bool(declared) and declared != encoder.declared.encode()


def _written(new: Changes) -> list[str]:
    return [*new.values.values(), *(text for pair in new.others or () for text in pair)]


def _own(charset: Charset) -> Encode:
    return lambda text: text.encode("ascii" if text.isascii() else charset.first)


def _charset(data: Bytes, at: int, end: int, syntax: str) -> Charset:
    for element in elements(data, at, end, Spelling.of(syntax)):
        if element.tag == CHARSET:
            return charset_of(data[element.start : element.stop].strip(b" \0"))
        if element.tag > CHARSET:
            break
    return Charset()


def _fits(text: str, charset: Charset) -> bool:
    """Whether the text can be written in what the file declares."""
    if text.isascii():
        return True
    if charset.extensions or charset.unknown:
        return False
    try:
        text.encode(charset.first)
    except UnicodeEncodeError:
        return False
    return True


def _spliced(
    data: Bytes, at: int, end: int, syntax: str, new: Changes, note: Provenance, encode: Encode
) -> tuple[bytes, int]:
    spelling = Spelling.of(syntax)
    replaced = _replacements(new, spelling, encode)
    head, rest = _head(data, at, end, spelling)
    if new.order and any(element.tag == REQUEST_ATTRIBUTES for element in head):
        replaced[REQUEST_ATTRIBUTES] = _request(new.values[ACCESSION], *new.order, spelling)
    before = [element for element in head if element.tag in replaced]
    present = next((element for element in head if element.tag == ORIGINAL), None)
    note_of = _noted(data, present, before, spelling, sorted(replaced), new, note)
    groups = {tag >> 16 for tag in (*replaced, ORIGINAL)}
    pieces = [(tag, piece) for tag, piece in (*replaced.items(), (ORIGINAL, note_of)) if piece]
    for element in head:
        stale = element.tag & 0xFFFF == 0 and element.tag >> 16 in groups  # a group length that is no longer true
        if element.tag not in replaced and element.tag != ORIGINAL and not stale:
            pieces.append((element.tag, data[element.at : element.stop]))
    return b"".join(piece for _tag, piece in sorted(pieces, key=lambda pair: pair[0])), rest


def _head(data: Bytes, at: int, end: int, spelling: Spelling) -> tuple[list[Element], int]:
    """The elements up to the last one that may be rewritten, and where the others begin.

    All are looked at: in a file whose tags are not in order an identity may come late.
    """
    found: list[Element] = []
    wanted, rest = 0, at
    for element in elements(data, at, end, spelling):
        if element.tag >= PIXELS:
            break
        if element.stop > end:
            raise BadElements("cut short", element.at)
        found.append(element)
        if element.tag <= ORIGINAL:
            wanted, rest = len(found), element.stop
    return found[:wanted], rest


def _replacements(new: Changes, spelling: Spelling, encode: Encode) -> dict[int, bytes]:
    """What each rewritten element becomes; b"" for one that goes."""

    encoded = {tag: spelling.element(tag, _VR[tag], encode(value)) for tag, value in new.values.items()}
    if new.values.get(ISSUER) == "":
        encoded[ISSUER] = b""
    if new.others is not None:
        items = [
            spelling.element(PATIENT_ID, b"LO", encode(number))
            + spelling.element(ISSUER, b"LO", encode(issuer))
            + spelling.element(TYPE_OF_ID, b"CS", b"TEXT")
            for number, issuer in new.others
        ]
        written = b"".join(spelling.element(ITEM, b"", item) for item in items)
        encoded[OTHER_IDS] = spelling.element(OTHER_IDS, b"SQ", written) if items else b""
    return encoded


def _request(accession: str, step_id: str, procedure_id: str, spelling: Spelling) -> bytes:
    """(0040,0275) of the order that the images are of; its numbers are ours, hence ASCII. PS3.3 table 10-9."""
    item = b"".join(
        spelling.element(tag, b"SH", value.encode("ascii", "replace"))
        for tag, value in ((ACCESSION, accession), (STEP_ID, step_id), (PROCEDURE_ID, procedure_id))
    )
    return spelling.element(REQUEST_ATTRIBUTES, b"SQ", spelling.element(ITEM, b"", item))


def _noted(
    data: Bytes,
    present: Element | None,
    before: list[Element],
    spelling: Spelling,
    tags: list[int],
    new: Changes,
    note: Provenance,
) -> bytes:
    """(0400,0561) with one item more: the previous value of each rewritten element, empty where there was none."""
    inside = IMPLICIT if present is not None and present.vr == b"UN" else spelling
    previous = {tag: inside.element(tag, _VR.get(tag, b"SQ"), b"") for tag in tags}
    for element in before:
        value = data[element.start : element.stop]
        same = inside == spelling and element.defined
        previous[element.tag] = (
            data[element.at : element.stop]
            if same
            else inside.element(
                element.tag, element.vr or _VR.get(element.tag, b"SQ"), value[: None if element.defined else -8]
            )
        )
    modified = inside.element(0x04000550, b"SQ", inside.element(ITEM, b"", b"".join(previous[tag] for tag in tags)))
    moment = note.when.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000").encode()
    item = (
        modified
        + inside.element(0x04000562, b"DT", moment)
        + inside.element(0x04000563, b"LO", SYSTEM)
        + inside.element(0x04000564, b"LO", note.source.encode("ascii", "replace")[:64])
        + inside.element(0x04000565, b"CS", b"CORRECT" if new.wrong else b"COERCE")
    )
    there = data[present.start : present.stop - (0 if present.defined else 8)] if present is not None else b""
    vr = b"SQ" if inside == spelling else b"UN"
    if modified in there and SYSTEM in there:  # noted already, when this file left us before
        return spelling.element(ORIGINAL, vr, there)
    return spelling.element(ORIGINAL, vr, there + inside.element(ITEM, b"", item))
