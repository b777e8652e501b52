"""Answers of a C-FIND: columns of a table, the ones that a query asked for, encoded in its transfer syntax."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Literal, TypeVar

from core.dicom import dataset
from core.dicom.charset import Encoder
from core.dicom.sequences import Encoding

Row = TypeVar("Row")
_LONGEST = {"SH": 16, "LO": 64, "CS": 16, "AE": 16, "PN": 64, "LT": 10_240, "ST": 1024}
_REMEMBERED = 256  # values of a column, while one query is answered
_NO_BACKSLASH = frozenset({"SH", "LO", "PN"})


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One attribute of an answer. value: text, several values already separated by a backslash where VM allows it.

    always: sent even when it was not asked for. many: the VM allows several values.
    """

    tag: int
    vr: str
    value: Callable[[Row], str]
    always: bool = False
    many: bool = False

    def prepare(self, encoder: Encoder, syntax: str) -> Callable[[Row], bytes]:
        """How this column is written for one query: what does not depend on the row is done once."""
        head, length, pad = dataset.head(self.tag, self.vr, syntax)
        value, encode, fit, pack = self.value, self._encoding(encoder, syntax), self._fit, length.pack
        written = {"": head + pack(0)}  # rooms, exams, prescribers: most values of a list are few

        def write(row: Row) -> bytes:
            text = value(row)
            found = written.get(text)
            if found is None:
                raw = encode(fit(text))
                if len(raw) & 1:
                    raw += pad
                found = head + pack(len(raw)) + raw
                if len(written) < _REMEMBERED:
                    written[text] = found
            return found

        return write

    def _encoding(self, encoder: Encoder, syntax: str) -> Callable[[str], bytes]:
        if self.vr != "US":
            return encoder.encode
        order: Literal["little", "big"] = "little" if Encoding.of(syntax).little else "big"
        return lambda text: (int(text) & 0xFFFF).to_bytes(2, order)

    def _fit(self, text: str) -> str:
        """Within the VR's length, one value unless many are allowed."""
        if self.many:
            return text
        if self.vr in _NO_BACKSLASH and "\\" in text:
            text = text.replace("\\", "/")
        longest = _LONGEST.get(self.vr)
        return text[:longest] if longest is not None and len(text) > longest else text


@dataclass(frozen=True, slots=True)
class Nested(Generic[Row]):
    """A sequence of an answer. items: the encoded items for a row; none = an empty sequence, never one empty item."""

    tag: int
    items: Callable[[Row, Encoder, str], Iterable[bytes]]
    always: bool = False

    def prepare(self, encoder: Encoder, syntax: str) -> Callable[[Row], bytes]:
        tag, items = self.tag, self.items
        return lambda row: dataset.sequence(tag, items(row, encoder, syntax), syntax)


Answer = Column[Row] | Nested[Row]


def chosen(columns: Iterable[Answer[Row]], asked: Iterable[int]) -> list[Answer[Row]]:
    """The columns to send, in tag order: those asked for and those always sent."""
    wanted = set(asked)
    return sorted(
        (column for column in columns if column.always or column.tag in wanted), key=lambda column: column.tag
    )


def prepare(columns: Iterable[Answer[Row]], encoder: Encoder, syntax: str) -> Callable[[Row], bytes]:
    """The columns of one query as one function of a row."""
    writers = [column.prepare(encoder, syntax) for column in columns]
    return lambda row: b"".join([write(row) for write in writers])


@lru_cache(maxsize=512)
def code_item(value: str, scheme: str, meaning: str, encoder: Encoder, syntax: str) -> bytes:
    """A code: (0008,0100) to (0008,0104). PS3.3 section 8."""
    return (
        dataset.element(0x00080100, "SH", encoder.encode(value[:16]), syntax)
        + dataset.element(0x00080102, "SH", encoder.encode(scheme[:16]), syntax)
        + dataset.element(0x00080104, "LO", encoder.encode(meaning[:64]), syntax)
    )


def nothing(_row: object) -> str:
    """Type 2, not known: present and empty."""
    return ""
