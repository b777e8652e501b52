"""Segments: whole and unaltered, or refused; whatever the bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadMessage
from core.replication.segment import Entry, Header, decode, encode

HEADER = Header(1, "a" * 16, 1, "small", 0, 2, 0)
GOOD_PATH = "archive/2026/11/24/" + "a" * 24 + "/" + "b" * 36 + ".dcm"


def entries(path: str | None = None) -> tuple[Entry, ...]:
    row = msgspec.Raw(b'{"id":1}')
    return (Entry(1, "patient", "put", 1, row), Entry(2, "instance", "put", 1, row, path, 3 if path else None, "00"))


def test_a_segment_comes_back_as_it_was() -> None:
    segment = decode(encode(HEADER, entries(GOOD_PATH)))
    assert segment.header == HEADER
    assert [e.seq for e in segment.entries] == [1, 2]
    assert list(segment.files()) == [(GOOD_PATH, 3, "00")]


def test_a_segment_cut_anywhere_is_refused() -> None:
    whole = encode(HEADER, entries()).removesuffix(b"\n")
    for cut in range(len(whole)):
        with pytest.raises(BadMessage):
            decode(whole[:cut])


@pytest.mark.parametrize("position", range(0, 300, 5))
def test_an_altered_segment_is_refused(position: int) -> None:
    content = bytearray(encode(HEADER, entries()))
    content[position] ^= 1
    with pytest.raises(BadMessage):
        decode(bytes(content))


@given(st.binary(max_size=2_000))
def test_any_bytes_are_understood_or_refused(content: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(content)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "archive/../x.dcm", "yelen.toml", "secrets/audit.key"]
)
def test_a_segment_never_names_a_file_outside_the_archive(path: str) -> None:
    with pytest.raises(BadMessage, match="chemin interdit"):
        decode(encode(HEADER, entries(path)))


def test_rows_out_of_order_are_refused() -> None:
    first, second = entries()
    with pytest.raises(BadMessage, match="désordonné"):
        decode(encode(HEADER, (second, first)))
