"""Lines cut anywhere, rubbish, and lines without end: understood or `BadMessage`, never anything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.errors import BadMessage, YelenError
from core.rpc import wire
from core.rpc.problems import CODES, error_of, problem_of


@given(st.lists(st.binary(min_size=1).filter(lambda b: b"\n" not in b and b.strip())), st.integers(1, 7))
def test_lines_may_be_cut_anywhere(sent: list[bytes], portion: int) -> None:
    stream = b"".join(line + b"\n" for line in sent)
    lines = wire.Lines()
    seen = [line for i in range(0, len(stream), portion) for line in lines.feed(stream[i : i + portion])]
    assert seen == sent


def test_a_line_beyond_the_cap_is_refused_before_its_end_comes() -> None:
    lines = wire.Lines(cap=100)
    assert lines.feed(b"x" * 100) == []
    with pytest.raises(BadMessage):
        lines.feed(b"y")


@given(st.binary(max_size=200))
def test_whatever_a_peer_sends_is_a_request_or_a_bad_message(line: bytes) -> None:
    for read in (wire.request, wire.message):
        try:
            read(line)
        except BadMessage:
            continue


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[" * 100_000, "request"),
        (b'{"jsonrpc":"2.0","method":"a","params":' + b'{"a":' * 100_000, "parse"),
        (b'{"jsonrpc":"2.0","id":1}', "request"),
        (b'{"jsonrpc":"1.0","id":1,"method":"a"}', "request"),
        (b'[{"jsonrpc":"2.0","method":"a"}]', "request"),
        (b'{"jsonrpc":"2.0","method":"\xff"}', "parse"),
    ],
)
def test_broken_requests_are_named(line: bytes, reason: str) -> None:
    with pytest.raises(BadMessage) as refusal:
        wire.request(line)
    assert refusal.value.reason == reason


def test_what_is_sent_is_json_rpc_2_0() -> None:
    assert json.loads(wire.call(7, "say", {"word": "é"})) == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "say",
        "params": {"word": "é"},
    }
    assert wire.answer(7, [1]) == b'{"jsonrpc":"2.0","id":7,"result":[1]}\n'


@pytest.mark.parametrize("kind", sorted(CODES, key=lambda kind: kind.__name__))
def test_an_error_crosses_the_socket_as_itself(kind: type[YelenError]) -> None:
    sent = kind(["une faute"]) if kind is errors.BadConfig else kind("Une phrase.")  # type: ignore[arg-type]
    back = error_of(problem_of(sent))
    assert str(back) == str(sent)
    assert type(back) is (errors.PeerError if kind is errors.BadConfig else kind)


def test_the_facts_of_an_error_cross_too() -> None:
    typed = error_of(problem_of(errors.BadInput("Le nom manque.", "family_name")))
    assert isinstance(typed, errors.BadInput)
    assert typed.field == "family_name"
    late = error_of(problem_of(errors.IllegalTransition("Trop tard.", "COMPLETED", "CANCELED")))
    assert isinstance(late, errors.IllegalTransition)
    assert (late.status, late.event) == ("COMPLETED", "CANCELED")
