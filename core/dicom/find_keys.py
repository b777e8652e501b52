"""The identifier of a Query/Retrieve C-FIND as a search: which keys restrict, what is asked, what is not supported.

Quirks taken as they are meant: `*` in a date, number or UID key is universal, ACR-NEMA dates, trailing spaces, empty
sequences and empty items. Source: PS3.4 C.2.2.2, C.4.1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.dicom import dataset
from core.dicom.dataset import Item
from core.dicom.find_attributes import (
    AVAILABILITY,
    INSIDE,
    KIND_OF_TAG,
    LEVEL,
    QUERY_VIEW,
    RETRIEVE_AE,
    TAGS,
    TIMEZONE,
    asked,
)
from core.dicom.key_ranges import date_range, time_range
from core.errors import BadInput
from core.i18n import _
from core.model.finding import KINDS, LEVELS, UNIQUE_KEYS, Kind, Level, Search
from core.model.matching import Days, Hours, Key, Like, Moments, Name, Number, OneOf, is_pattern

_NOT_KEYS: Final = frozenset({LEVEL, RETRIEVE_AE, AVAILABILITY, QUERY_VIEW, TIMEZONE, dataset.SPECIFIC_CHARACTER_SET})


@dataclass(frozen=True, slots=True)
class Negotiated:
    """SOP class extended negotiation, as far as both sides went (PS3.4 C.5.1.1)."""

    combined: bool = False  # date and time as one moment
    fuzzy: bool = False  # names by their sound

    @staticmethod
    def of(information: bytes) -> Negotiated:
        return Negotiated(information[1:2] == b"\1", information[2:3] == b"\1")


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked. supported: whether we know every key; else answers say so (0xFF01)."""

    search: Search
    supported: bool


def read_question(keys: Item, root: Level, negotiated: Negotiated, overlay: bool, limit: int, more: int) -> Question:
    """root: the widest level of the model. limit: of an open question; more: of one with a selective key.

    Raises `BadInput` (0xA900).
    """
    level = read_level(keys, root)
    found = dict(_read(keys, level, negotiated))
    moments = _moments(found) if negotiated.combined else None
    search = Search(level, found, asked(level, keys.tags), moments, overlay)
    _check_upper(search, root)
    chosen = max(limit, more) if search.is_selective else limit
    supported = all(_is_known(tag, level) for tag in keys.tags)
    return Question(Search(level, found, search.asked, moments, overlay, chosen), supported)


def read_level(keys: Item, root: Level) -> Level:
    """(0008,0052)."""
    text = keys.text(LEVEL).upper()
    if text not in Level.__members__ or Level[text] < root:
        raise BadInput(_("Niveau de recherche non pris en charge : %s") % (text[:16] or "-"), "QueryRetrieveLevel")
    return Level[text]


def _check_upper(search: Search, root: Level) -> None:
    """Without the unique key of an upper level a question is relational, and must be selective otherwise."""
    upper = [UNIQUE_KEYS[level] for level in Level if root <= level < search.level]
    if not all(isinstance(search.keys.get(name), OneOf) for name in upper) and not search.is_selective:
        missing = next(name for name in upper if not isinstance(search.keys.get(name), OneOf))
        raise BadInput(_("Recherche trop large : %s est demandé.") % missing, missing)


def _is_known(tag: int, level: Level) -> bool:
    if tag in _NOT_KEYS or not tag & 0xFFFF:  # group lengths of old machines
        return True
    if tag in INSIDE:
        return all(LEVELS[name] <= level for name in INSIDE[tag])
    return tag in KIND_OF_TAG and LEVELS[KIND_OF_TAG[tag][0]] <= level


def _read(keys: Item, level: Level, negotiated: Negotiated) -> Iterator[tuple[str, Key]]:
    for name, (tag, _vr) in TAGS.items():
        if LEVELS[name] <= level and (key := read_key(KINDS[name], _value(keys, tag), negotiated.fuzzy)) is not None:
            yield name, key
    for sequence, inside in INSIDE.items():
        item = keys.first(sequence)
        for name, (tag, _vr) in inside.items():
            if LEVELS[name] <= level and (key := read_key(KINDS[name], item.text(tag), False)) is not None:
                yield name, key


def _value(keys: Item, tag: int) -> str:
    """A text, or the two bytes of a US as a text."""
    if tag in (TAGS["rows"][0], TAGS["columns"][0]):
        raw = keys.values.get(tag, b"")
        return str(int.from_bytes(raw, "little")) if len(raw) == 2 else ""
    return keys.text(tag)


def read_key(kind: Kind, text: str, fuzzy: bool = False) -> Key | None:
    """None: universal. Raises `BadInput` for a date, time or number that is none."""
    text = text.strip()
    if not text.strip("* "):
        return None
    if kind is Kind.NAME:
        return Name.of(text, fuzzy) if text.strip("*^= ") else None
    if kind in (Kind.TEXT, Kind.CODES):
        if is_pattern(text):
            return Like.of(text)
        return OneOf(frozenset(part.strip() for part in text.split("\\")) if kind is Kind.CODES else frozenset({text}))
    if is_pattern(text):
        return None  # a wildcard has no meaning here
    if kind is Kind.UID:
        uids = frozenset(uid for part in text.split("\\") if (uid := part.strip(" \0")))
        return OneOf(uids) if uids else None
    if kind is Kind.NUMBER:
        return _number(text)
    bounds = date_range(text) if kind is Kind.DATE else time_range(text)
    if not bounds:
        return None
    return Days(bounds.low, bounds.high) if kind is Kind.DATE else Hours(bounds.low, bounds.high)


def _number(text: str) -> Number:
    try:
        value = int(text)
    except ValueError:
        raise BadInput(_("Nombre illisible : %s") % text[:40], "IS") from None
    if abs(value) >= 2**31:
        raise BadInput(_("Nombre illisible : %s") % text[:40], "IS")
    return Number(value)


def _moments(found: dict[str, Key]) -> Moments | None:
    """Date and time of the study as one key; both are taken out of `found`. None unless both restrict."""
    days, hours = found.get("study_date"), found.get("study_time")
    if not (isinstance(days, Days) and isinstance(hours, Hours)):
        return None
    del found["study_date"], found["study_time"]
    return Moments(days.low, hours.low, days.high, hours.high)
