"""How a value fits a key of a query: single value, list, wildcard, range, person name, number (PS3.4 C.2.2.2).

A key is made once for a query and asked for every row: it says exactly what fits. What the index can settle by itself
it takes from the key's parts (`values`, `prefix`, `low`…); a key always has the last word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final, Protocol

from core.model.names import SPELLED, phonetic_key

_STARS: Final = re.compile(r"\*{2,}")
_WILD: Final = re.compile(r"[*?]+")
_DAY: Final = re.compile(r"\d{8}")
_HOUR: Final = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")


class Key(Protocol):
    """One matching key of a query."""

    def fits(self, value: str) -> bool: ...


def is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def wildcard(pattern: str, value: str) -> bool:
    """`*` any run, `?` one character, everything else literal (PS3.4 C.2.2.2.4). Linear: two pointers, no regex."""
    return _two_pointers(_STARS.sub("*", pattern), value)


def _two_pointers(pattern: str, value: str) -> bool:
    """Back only to the last star, which takes one more character each time. `pattern` holds no run of stars."""
    p = v = 0
    star, mark, end, length = -1, 0, len(pattern), len(value)
    while v < length:
        letter = pattern[p] if p < end else ""
        if letter == "*":
            star, mark = p, v
            p += 1
        elif letter and letter in ("?", value[v]):
            p += 1
            v += 1
        elif star >= 0:
            p, mark = star + 1, mark + 1
            v = mark
        else:
            return False
    return p == end or (p == end - 1 and pattern[p] == "*")


def literals(pattern: str) -> list[str]:
    """What a value must hold to fit a pattern: the runs between its wildcards."""
    return [run for run in _WILD.split(pattern) if run]


def prefix_of(pattern: str) -> str:
    """What a value must begin with."""
    return _WILD.split(pattern, maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Single value, or any of a list of UIDs. Of a value with several parts, one must fit."""

    values: frozenset[str]

    def fits(self, value: str) -> bool:
        return value in self.values or ("\\" in value and not self.values.isdisjoint(value.split("\\")))


@dataclass(frozen=True, slots=True)
class Like:
    """A wildcard, case and accents as written."""

    pattern: str

    @staticmethod
    def of(text: str) -> Like:
        return Like(_STARS.sub("*", text))

    def fits(self, value: str) -> bool:
        if "\\" in value and any(_two_pointers(self.pattern, part) for part in value.split("\\")):
            return True
        return _two_pointers(self.pattern, value)


@dataclass(frozen=True, slots=True)
class Number:
    """IS: compared as a number, `002` is 2."""

    value: int

    def fits(self, value: str) -> bool:
        try:
            return int(value) == self.value
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Days:
    """DA: both days included, "" = open."""

    low: str = ""
    high: str = ""

    def fits(self, value: str) -> bool:
        day = value.replace(".", "")
        return bool(_DAY.fullmatch(day)) and self.low <= day and (not self.high or day <= self.high)


@dataclass(frozen=True, slots=True)
class Hours:
    """TM: bounds as DICOM spells them, "" = open; a bound covers all it does not say: `-08` ends at 08:59:59.999999."""

    low: str = ""
    high: str = ""

    def fits(self, value: str) -> bool:
        hour = _full(value)
        if not hour:
            return False
        return (not self.low or _full(self.low) <= hour) and (not self.high or hour <= _full(self.high, "9"))


@dataclass(frozen=True, slots=True)
class Moments:
    """A date and a time taken together: `YYYYMMDD` and a TM at both ends. A value is a date with a time behind it."""

    low_day: str = ""
    low_hour: str = ""
    high_day: str = ""
    high_hour: str = ""

    def fits(self, value: str) -> bool:
        day, hour = value[:8], _full(value[8:] or "0000")
        if not _DAY.fullmatch(day) or not hour:
            return False
        if self.low_day and day + hour < self.low_day + _full(self.low_hour or "00"):
            return False
        return not self.high_day or day + hour <= self.high_day + _full(self.high_hour or "2359", "9")


def _full(time: str, rest: str = "0") -> str:
    """A TM as `HHMMSS.ffffff`, what it does not say filled up; "" when it is none."""
    digits = time.replace(":", "")
    if not _HOUR.fullmatch(digits):
        return ""
    whole, _dot, fraction = digits.partition(".")
    return f"{whole + ('5959' if rest == '9' else '0000')[len(whole) - 2 :]}.{fraction.ljust(6, rest)}"


def spelled(key: Key) -> list[Any]:
    """A key as a JSON value: what kind it is, and its parts."""
    parts = [getattr(key, part.name) for part in fields(key)]  # type: ignore[arg-type]
    return [type(key).__name__, *(sorted(part) if isinstance(part, frozenset) else part for part in parts)]


def unspelled(parts: list[Any]) -> Key:
    kind, *values = parts
    if kind == "OneOf":
        return OneOf(frozenset(values[0]))
    if kind == "Name":
        return Name(tuple(values[0]), tuple((sound, begun) for sound, begun in values[1]))
    plain_keys: dict[str, Callable[..., Key]] = {k.__name__: k for k in (Like, Number, Days, Hours, Moments)}
    return plain_keys[kind](*values)


@dataclass(frozen=True, slots=True)
class Name:
    """PN: without case and accents, any component group, trailing `^` ignored, an empty component before a filled one
    says nothing (`^Awa` is any Awa). fuzzy: also the same sound, in any order of the words (`sounds`).
    """

    patterns: tuple[str, ...]
    sounds: tuple[tuple[str, bool], ...] = field(default=())  # sound of a word; whether only its beginning is given

    @staticmethod
    def of(text: str, fuzzy: bool = False) -> Name:
        patterns = tuple(_pattern(group) for group in text.split("=") if group.strip("^ "))
        return Name(patterns or ("",), tuple(_sounds(text)) if fuzzy else ())

    def fits(self, value: str) -> bool:
        groups = [plain(group) for group in value.split("=") if group]
        if any(_two_pointers(pattern, group) for pattern in self.patterns for group in groups):
            return True
        return bool(self.sounds) and self._sounds_like(value)

    def _sounds_like(self, value: str) -> bool:
        heard = phonetic_key(value.replace("^", " ").replace("=", " ")).split()
        return all(any(w.startswith(sound) if begun else w == sound for w in heard) for sound, begun in self.sounds)


def _pattern(group: str) -> str:
    """`ouédraogo^` is `OUEDRAOGO`, `^Awa*` is `*^AWA*`."""
    parts = [plain(part, wild=True) for part in group.split("^")]
    while parts and not parts[-1]:
        del parts[-1]
    return _STARS.sub("*", "^".join(part or "*" for part in parts))


def _sounds(text: str) -> list[tuple[str, bool]]:
    """`oued* aissata`: the beginning of one word, the whole of another."""
    found = []
    for word in re.split(r"[\^= ]+", text):
        begun = is_pattern(word)
        sound = phonetic_key(_WILD.split(word, maxsplit=1)[0])
        if sound and " " not in sound:
            found.append((sound, begun))
    return found


@lru_cache(maxsize=4096)
def plain(text: str, wild: bool = False) -> str:
    """Upper case without accents and apostrophes, words separated by one space; `^` stays, and so do other scripts.

    wild: `*` and `?` stay too. For Latin letters the same as `names.fold`.
    """
    spelled = "".join(SPELLED.get(letter, letter) for letter in unicodedata.normalize("NFC", text))
    letters = []
    for letter in unicodedata.normalize("NFKD", spelled).upper():
        if letter.isalnum() or letter == "^" or (wild and letter in "*?"):
            letters.append(letter)
        elif letter != "'" and not unicodedata.combining(letter):
            letters.append(" ")
    words = (" ".join(part.split()) for part in "".join(letters).split("^"))
    return "^".join(words).rstrip("^")
