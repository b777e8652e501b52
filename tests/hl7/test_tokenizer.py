"""Fields are found where the standard puts them, and what is absent is empty, never an error."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import hl7 as python_hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadMessage
from core.hl7 import prescan
from core.hl7.escapes import Separators, escape, unescape
from core.hl7.tokenizer import Message, order_groups, read
from tests import skips

MSH = "MSH|^~\\&|HIS|CDG|YELEN|RADIO|20260727||ADT^A04|7|P|2.5"


def message(*lines: str, header: str = MSH) -> Message:
    return read("\r".join([header, *lines]).encode())


def test_msh_is_numbered_from_its_separator() -> None:
    header = message().header
    assert [header.raw(n) for n in (1, 2, 3, 9, 10)] == ["|", "^~\\&", "HIS", "ADT^A04", "7"]
    assert (message().kind, message().event, message().control_id) == ("ADT", "A04", "7")


def test_what_is_absent_is_empty() -> None:
    adt = message("PID|||12^^^CDG~13")
    assert adt.first("PV1").at(19, 3, 2) == ""
    assert not adt.first("PV1")
    assert adt.first("PID").at(99) == ""
    assert adt.first("PID").at(3, 9) == ""
    assert adt.first("PID").repetitions(5) == []
    assert [r[1] for r in adt.first("PID").repetitions(3)] == ["12", "13"]


def test_subcomponents_are_reached() -> None:
    pid = message("PID|||12^^^CDG&1.2.3&ISO^PI").first("PID")
    assert [pid.at(3, 4, n) for n in (1, 2, 3, 4)] == ["CDG", "1.2.3", "ISO", ""]


def test_custom_separators_and_the_truncation_character() -> None:
    adt = message("PID###12@A$B", header="MSH#@!\\$#HIS#CDG###20260727##ADT@A04#7#P#2.5")
    assert adt.event == "A04"
    assert adt.first("PID").at(3, 2, 2) == "B"
    assert message("PID|||12", header=MSH.replace("^~\\&", "^~\\&#")).separators.truncation == "#"


@pytest.mark.parametrize("marks", ["^^\\&", "a~\\&", "0000", "^~\\&#!", "^ \\&"])
def test_unusable_separators_are_refused(marks: str) -> None:
    with pytest.raises(BadMessage) as caught:
        message(header=MSH.replace("^~\\&", marks))
    assert caught.value.reason == "separators MSH-1-2"


def test_missing_encoding_characters_take_the_usual_ones() -> None:
    assert message(header=MSH.replace("^~\\&", "^~")).separators == Separators()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Toux \\T\\ dyspnée", "Toux & dyspnée"),
        ("\\F\\\\S\\\\R\\\\E\\", "|^~\\"),
        ("\\E\\F\\E\\", "\\F\\"),
        ("un\\.br\\deux\\.sp3\\trois", "un\ndeux\ntrois"),
        ("\\H\\gras\\N\\ \\.in+4\\et", "gras et"),
        ("\\XC3A9\\", "é"),
        ("\\XC3\\\\XA9\\", "é"),
        ("\\X0D0A\\", "\n"),
        ("\\X00\\\\X1B\\", ""),
        ("caf\\XE9\\", "café"),
        ("\\C2842\\漢\\M2442\\", "漢"),
        ("C:\\dir", "C:\\dir"),
        ("C:\\dir\\F\\x", "C:\\dir|x"),
        ("\\Zlocal\\", "\\Zlocal\\"),
        ("\\X1\\", "\\X1\\"),
        ("fin\\", "fin\\"),
    ],
)
def test_escapes_are_read_once(written: str, meant: str) -> None:
    assert unescape(written, Separators(), "utf-8") == meant


def test_a_character_set_switch_makes_the_message_suspect() -> None:
    assert message("PID|||1||\\C2842\\A").suspect
    assert not message("PID|||1||C\\F\\M").suspect


@given(st.text())
def test_what_we_escape_is_read_back_and_opens_no_segment(text: str) -> None:
    written = escape(text)
    assert not re.search(r"[|^~&\r\n]", written)
    assert unescape(written, Separators(), "utf-8") == re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def test_each_orc_opens_an_order_else_each_obr() -> None:
    orm = message("PID|||1", "ORC|NW|1", "OBR|1", "OBX|1", "ORC|NW|2", "OBR|2", "NTE|1", "ZDS|1.2")
    assert [[s.name for s in g.members] for g in order_groups(orm)] == [["OBR", "OBX"], ["OBR", "NTE", "ZDS"]]
    assert [g.opener.raw(1) for g in order_groups(message("OBR|1", "OBX|1", "OBR|2"))] == ["1", "2"]


def test_z_segments_and_their_order_are_kept() -> None:
    assert [s.name for s in message("ZZA|1", "PID|||1", "ZDS|1.2.3", "AL1|1").segments] == [
        "MSH", "ZZA", "PID", "ZDS", "AL1",
    ]  # fmt: skip


HOSTILE = st.lists(
    st.sampled_from(
        [
            "MSH",
            "|",
            "^",
            "~",
            "\\",
            "&",
            "\r",
            "\n",
            "PID",
            "OBX",
            "\x0b",
            "\x00",
            "é",
            '""',
            "2.5",
            "ADT^A40",
            "\\X",
            "#",
        ]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)


@given(HOSTILE.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200), st.booleans())
@settings(max_examples=300)
def test_we_understand_it_or_raise_bad_message(data: bytes, headed: bool) -> None:
    payload = b"MSH|" + data if headed else data
    with contextlib.suppress(BadMessage):
        for raw in prescan.messages(payload):
            for segment in read(raw).segments:
                for number in range(len(segment) + 2):
                    assert all(field.components() for field in segment.repetitions(number))
                    assert isinstance(segment.text(number), str)


def _corpus_messages() -> list[tuple[str, bytes]]:
    folder = skips.corpus()
    found = []
    for path in sorted(folder.glob("hl7/*")) if folder else []:
        try:
            cut = prescan.messages(path.read_bytes())
        except BadMessage:
            continue
        found += [(f"{path.name}-{n}", raw) for n, raw in enumerate(cut)]
    return found


def _agrees(raw: bytes) -> int:
    """Compares every field with python-hl7, unescaped; returns how many fields were compared."""
    try:
        ours = read(raw)
    except BadMessage:
        return 0
    # python-hl7 knows only CR; continuation lines are our own rule, so both read the joined segments.
    lines = [line.replace("\n", " ") for line in ours.charset.segments]
    theirs = python_hl7.parse("\r".join(lines))
    assert [str(s[0]) for s in theirs] == [s.name for s in ours.segments]
    compared = 0
    for mine, other in zip(ours.segments, theirs, strict=True):
        for number in range(1, len(mine) + 1):
            assert mine.raw(number).replace("\n", " ") == str(other(number))
            compared += 1
            if mine.name == "MSH" and number <= 2:
                continue
            for nth, repetition in enumerate(mine.repetitions(number), 1):
                for c, subcomponents in enumerate(repetition.components(), 1):
                    for s, value in enumerate(subcomponents, 1):
                        wanted = other.extract_field(1, number, nth, c, s).replace("\n", " ")
                        assert " ".join(value.split()) == " ".join(wanted.split())
    return compared


@skips.needs_corpus
@pytest.mark.corpus
def test_every_field_of_the_corpus_agrees_with_python_hl7() -> None:
    compared = sum(_agrees(raw) for _name, raw in _corpus_messages())
    assert compared > 3000


@skips.needs_corpus
@pytest.mark.corpus
def test_messages_that_crashed_other_parsers_end_in_a_decision() -> None:
    folder = skips.corpus()
    assert folder is not None
    files = sorted(folder.glob("hl7-bad/*"))
    assert len(files) == 17
    for path in files:
        _decided(path)


def _decided(path: Path) -> None:
    with contextlib.suppress(BadMessage):
        for raw in prescan.messages(path.read_bytes()):
            assert read(raw).segments


VALUES = ["", "", "a", "OUÉDRAOGO", "N'Diaye", "|", "^~", "\\", "a\\b&c", "œ – “", '""', "漢字", "2026", "x  y"]
COMPONENT = st.sampled_from([escape(value) for value in VALUES])
FIELD = st.sampled_from(["%s", "%s^%s", "%s&%s^%s", "%s~%s", "%s^%s&%s~%s&%s", ""]).flatmap(
    lambda shape: st.tuples(*[COMPONENT] * shape.count("%s")).map(lambda values: shape % values)
)
SEGMENT = st.tuples(
    st.sampled_from(["PID", "PV1", "ORC", "OBR", "OBX", "NTE", "ZDS"]), st.lists(FIELD, max_size=8)
).map(lambda s: "|".join([s[0], *s[1]]))


@given(st.lists(SEGMENT, max_size=5))
@settings(max_examples=500, deadline=None)
def test_every_field_of_made_up_messages_agrees_with_python_hl7(lines: list[str]) -> None:
    _agrees("\r".join([MSH + "||||||UNICODE UTF-8", *lines]).encode())
