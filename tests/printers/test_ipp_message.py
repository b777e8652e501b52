"""IPP messages: what we write is read back; whatever a printer sends, we understand it or raise `BadMessage`."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadMessage
from printers.ipp.message import (
    MAX_DEPTH,
    MAX_MESSAGE,
    MAX_VALUES,
    Attribute,
    GroupTag,
    Message,
    Range,
    Resolution,
    Tag,
    decode,
    encode,
    group,
)

# A collection by hand, RFC 8010 appendix A: media-col { media-size { x-dimension 21000 } }
MEDIA = (
    b"\x02\x00\x00\x00\x00\x00\x00\x01\x04"
    b"\x34\x00\x09media-col\x00\x00"
    b"\x4a\x00\x00\x00\x0amedia-size"
    b"\x34\x00\x00\x00\x00"
    b"\x4a\x00\x00\x00\x0bx-dimension"
    b"\x21\x00\x00\x00\x04\x00\x00\x52\x08"
    b"\x37\x00\x00\x00\x00"
    b"\x37\x00\x00\x00\x00"
    b"\x03"
)
ANSWER = Message(
    0x040B,
    7,
    (
        group(GroupTag.OPERATION, Attribute("attributes-charset", Tag.CHARSET, ("utf-8",))),
        group(
            GroupTag.PRINTER,
            Attribute("printer-state", Tag.ENUM, (3,)),
            Attribute("printer-is-accepting-jobs", Tag.BOOLEAN, (True,)),
            Attribute("printer-info", Tag.TEXT, ("Étage 2",)),
            Attribute("media-ready", Tag.KEYWORD, ("iso_a4_210x297mm", "iso_a5_148x210mm")),
            Attribute("printer-resolution-default", Tag.RESOLUTION, (Resolution(600, 600, 3),)),
            Attribute("copies-supported", Tag.RANGE, (Range(1, 99),)),
        ),
    ),
)


def test_an_answer_is_read_back_as_it_was_written() -> None:
    assert decode(encode(ANSWER)) == ANSWER


def test_a_document_behind_the_message_is_left_alone() -> None:
    assert decode(encode(ANSWER) + b"%PDF-1.4") == ANSWER


def test_collections_nest() -> None:
    printer = decode(MEDIA).group(GroupTag.PRINTER)
    assert printer.all("media-col") == ({"media-size": ({"x-dimension": (21000,)},)},)


def test_a_text_with_its_language_gives_the_text() -> None:
    octets = struct.pack(">H", 2) + b"fr" + struct.pack(">H", 8) + "occupé".encode() + b" "
    answer = group(GroupTag.JOB, Attribute("job-state-message", Tag.TEXT_WITH_LANGUAGE, (octets,)))
    assert decode(encode(Message(0, 1, (answer,)))).group(GroupTag.JOB).words("job-state-message") == ("occupé ",)


def test_latin_1_under_the_name_of_utf_8_is_still_understood() -> None:
    answer = group(GroupTag.JOB, Attribute("job-name", Tag.NAME, (b"KABOR\xe9",)))
    assert decode(encode(Message(0, 1, (answer,)))).group(GroupTag.JOB).words("job-name") == ("KABOR\ufffd",)


@pytest.mark.parametrize("cut", range(len(MEDIA)))
def test_an_answer_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(BadMessage):
        decode(MEDIA[:cut])


def test_collections_without_end_are_refused_before_they_cost_anything() -> None:
    deep = b"\x4a\x00\x00\x00\x01m\x34\x00\x00\x00\x00" * (MAX_DEPTH + 1)
    with pytest.raises(BadMessage) as refused:
        decode(MEDIA[:9] + b"\x34\x00\x01c\x00\x00" + deep)
    assert refused.value.reason == "collections too deep"


def test_too_many_values_are_refused() -> None:
    many = b"\x21\x00\x01n\x00\x04\x00\x00\x00\x01" + b"\x21\x00\x00\x00\x04\x00\x00\x00\x01" * MAX_VALUES
    with pytest.raises(BadMessage, match="illisible"):
        decode(MEDIA[:9] + many + b"\x03")


def test_too_long_an_answer_is_refused() -> None:
    with pytest.raises(BadMessage):
        decode(b"\x00" * (MAX_MESSAGE + 1))


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_understood_or_refused(data: bytes) -> None:
    _understood_or_refused(data)
    _understood_or_refused(MEDIA[:9] + data)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_answer_is_understood_or_refused(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([MEDIA, encode(ANSWER)])))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
        whole[place] = data.draw(st.integers(0, 255))
    _understood_or_refused(bytes(whole))


def _understood_or_refused(data: bytes) -> None:
    """Any other exception fails the test."""
    with suppress(BadMessage):
        assert isinstance(decode(data), Message)
