"""Bytes in, events out: cut anywhere, the events are the same; broken anywhere, the error is one."""

from __future__ import annotations

import contextlib
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dicom import dimse, upper_layer
from core.dicom.upper_layer import (
    COMMAND,
    DATA_SET_COMPLETE,
    LAST,
    NEED_DATA,
    BadPdu,
    CommandReceived,
    Inbound,
    message,
    p_data,
)
from core.errors import BadMessage
from tests.dicom.modality import echo_command, request_command

STORE = request_command(dimse.C_STORE_RQ, "1.2.840.10008.5.1.4.1.1.2", 7, "1.2.3")
DATA = bytes(range(256)) * 40
CONVERSATION = (
    message(3, STORE, DATA, 1000)
    + message(1, echo_command(2), None, 0)
    + message(3, STORE, DATA[:10], 8)
    + upper_layer.RELEASE_REQUEST
)


class Basket:
    """A sink that remembers everything, and how much came at a time."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, piece: memoryview) -> None:
        self.data += bytes(piece)


def listen(pieces: list[bytes], max_pdu: int = 20_000, command_size: int = 65_536) -> list[object]:
    """Everything understood from a conversation cut into pieces."""
    stream = Inbound({1, 3}, max_pdu, command_size)
    heard: list[object] = []
    basket = Basket()
    for piece in pieces:
        stream.feed(piece)
        while (event := stream.next_event()) is not NEED_DATA:
            if isinstance(event, CommandReceived):
                heard.append((event.context_id, event.command))
                if dimse.decode(event.command).has_data_set:
                    basket = Basket()
                    stream.expect_data_set(basket)
            elif event is DATA_SET_COMPLETE:
                heard.append(basket.data)
            else:
                heard.append(event)
    return heard


EXPECTED = [
    (3, STORE),
    DATA,
    (1, echo_command(2)),
    (3, STORE),
    DATA[:10],
    upper_layer.RELEASE_REQUESTED,
]


def test_a_conversation_in_one_piece_is_understood() -> None:
    assert listen([CONVERSATION]) == EXPECTED


def test_a_conversation_byte_by_byte_is_the_same() -> None:
    assert listen([bytes((byte,)) for byte in CONVERSATION]) == EXPECTED


@pytest.mark.parametrize("size", [2, 3, 5, 6, 7, 11, 12, 13, 64, 997, 1000, 1006, 1007, 4096])
def test_a_conversation_cut_into_equal_pieces_is_the_same(size: int) -> None:
    assert listen([CONVERSATION[at : at + size] for at in range(0, len(CONVERSATION), size)]) == EXPECTED


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_a_conversation_cut_anywhere_is_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    assert listen([CONVERSATION[a:b] for a, b in itertools.pairwise(edges)]) == EXPECTED


def test_one_byte_per_fragment_is_the_same_message() -> None:
    stream = b"".join(
        p_data(3, STORE[at : at + 1], COMMAND | (LAST if at == len(STORE) - 1 else 0)) for at in range(len(STORE))
    ) + b"".join(p_data(3, DATA[at : at + 1], LAST if at == 29 else 0) for at in range(30))
    assert listen([stream]) == [(3, STORE), DATA[:30]]


def test_several_fragments_of_one_context_in_one_pdu_are_one_message() -> None:
    pieces = [(STORE[:50], COMMAND), (STORE[50:], COMMAND | LAST), (DATA[:99], 0), (b"", 0), (DATA[99:200], LAST)]
    body = b"".join(struct.pack(">IBB", len(part) + 2, 3, control) + part for part, control in pieces)
    assert listen([upper_layer.HEADER.pack(4, len(body)) + body]) == [(3, STORE), DATA[:200]]


def test_an_empty_last_fragment_ends_the_data_set() -> None:
    stream = p_data(3, STORE, COMMAND | LAST) + p_data(3, DATA[:50], 0) + p_data(3, b"", LAST)
    assert listen([stream]) == [(3, STORE), DATA[:50]]


def pdu(kind: int, body: bytes) -> bytes:
    return upper_layer.HEADER.pack(kind, len(body)) + body


BROKEN = {
    "a PDU longer than announced": (upper_layer.HEADER.pack(4, 300_000_000), 6),
    "a PDU without a fragment": (pdu(4, b"1234"), 6),
    "a fragment of one byte": (pdu(4, struct.pack(">IBB", 1, 1, 3) + b"x"), 6),
    "a fragment longer than its PDU": (pdu(4, struct.pack(">IBB", 99, 1, 3) + b"x"), 6),
    "a PDU whose rest is no fragment": (pdu(4, struct.pack(">IBB", 3, 1, 1) + b"x" + b"abc"), 6),
    "a context never accepted": (p_data(5, STORE, 3), 6),
    "data before a command": (p_data(1, b"data", 2), 6),
    "data before the end of the command": (p_data(3, STORE[:20], COMMAND) + p_data(3, b"data", 0), 6),
    "a command inside a data set": (p_data(3, STORE, 3) + p_data(3, b"data", 0) + p_data(3, STORE, 3), 6),
    "another context inside a message": (p_data(3, STORE, 3) + p_data(1, b"data", 2), 6),
    "a command set without end": (p_data(3, bytes(15_000), COMMAND) * 5, 6),
    "a release inside a data set": (p_data(3, STORE, 3) + p_data(3, b"data", 0) + upper_layer.RELEASE_REQUEST, 2),
    "a second association request": (pdu(1, bytes(68)), 2),
    "a PDU type that does not exist": (b"GET / HTTP/1.1\r\n\r\n", 1),
    "a release of the wrong length": (pdu(5, b"12"), 6),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_rules_is_refused_with_its_abort_reason(name: str) -> None:
    stream, reason = BROKEN[name]
    with pytest.raises(BadPdu) as refused:
        listen([stream] if len(stream) < 60_000 else [stream[at : at + 9000] for at in range(0, len(stream), 9000)])
    assert refused.value.abort_reason == reason


def test_a_length_nobody_may_claim_takes_no_memory() -> None:
    stream = Inbound({1}, 16_384 + 65_536, 65_536)
    before = len(stream.space())
    stream.feed(upper_layer.HEADER.pack(4, 0xFFFFFFFF))
    with pytest.raises(BadPdu):
        stream.next_event()
    assert len(stream.space()) <= before


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_damaged_we_understand_it_or_say_bad_message(data: st.DataObject) -> None:
    damaged = bytearray(CONVERSATION)
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=8)
    ):
        damaged[at] = byte
    with contextlib.suppress(BadMessage):
        listen([bytes(damaged)])


def test_work_grows_with_the_bytes_and_not_with_their_square() -> None:
    """Counted in events of the parser, ten thousand one-byte fragments cost ten times one thousand."""

    def steps(fragments: int) -> int:
        stream = Inbound({3}, 20_000, 65_536)
        count = 0

        class Counting:
            def write(self, piece: memoryview) -> None:
                nonlocal count
                count += 1 + len(piece)

        stream.feed(p_data(3, STORE, 3))
        stream.next_event()
        stream.expect_data_set(Counting())
        for _ in range(fragments):
            stream.feed(p_data(3, b"x", 0))
            assert stream.next_event() is NEED_DATA
        return count

    assert steps(10_000) == 10 * steps(1_000)


def test_a_message_is_cut_to_what_the_peer_takes() -> None:
    sent = message(3, STORE, DATA, 512)
    at, longest = 0, 0
    while at < len(sent):
        _, size = upper_layer.HEADER.unpack_from(sent, at)
        longest, at = max(longest, size), at + 6 + size
    assert longest == 512
    assert listen([sent]) == [(3, STORE), DATA]
