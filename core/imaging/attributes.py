"""Attributes of a hostile data set, read as numbers and texts or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

_BAD = (ValueError, TypeError, NotImplementedError, AttributeError, OverflowError, ArithmeticError)


def value(data: Dataset, keyword: str) -> Any:
    """The value as pydicom converts it, or None when it is absent, empty or cannot be converted."""
    try:
        found = data.get(keyword)
    except _BAD:
        return None
    return None if found is None or (isinstance(found, str) and not found) else found


def values(data: Dataset, keyword: str) -> list[Any]:
    """The values of a multi-valued attribute; a single value is a list of one."""
    found = value(data, keyword)
    if found is None:
        return []
    return list(found) if not isinstance(found, str | bytes) and isinstance(found, Sequence) else [found]


def number(data: Dataset, keyword: str) -> float | None:
    """The first value when it is a finite number."""
    found = numbers(data, keyword)
    return found[0] if found else None


def numbers(data: Dataset, keyword: str) -> list[float]:
    """All values, or none when one of them is not a finite number."""
    found = [_finite(each) for each in values(data, keyword)]
    return [each for each in found if each is not None] if None not in found else []


def whole(data: Dataset, keyword: str) -> int | None:
    """A whole number. Two values where one belongs are no number."""
    found = numbers(data, keyword)
    return int(found[0]) if len(found) == 1 and found[0] == int(found[0]) else None


def text(data: Dataset, keyword: str) -> str:
    """The value as text, empty when there is none; several values are joined by a backslash."""
    return "\\".join(str(each) for each in values(data, keyword)).strip()


def first_item(data: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence."""
    items = value(data, keyword)
    try:
        return items[0] if items else None
    except (TypeError, IndexError):
        return None


def _finite(found: Any) -> float | None:
    try:
        converted = float(found)
    except _BAD:
        return None
    return converted if math.isfinite(converted) else None


def is_empty(data: Dataset, keyword: str) -> bool:
    """The attribute is there with no value in it. Never true of a value that cannot be converted."""
    try:
        return data[keyword].is_empty if keyword in data else True
    except _BAD:
        return False


def items(data: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, none when it is absent or is no sequence."""
    return [each for each in values(data, keyword) if isinstance(each, Dataset)]
