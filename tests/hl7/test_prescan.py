"""Counting before reading: batches are cut, line ends do not matter, too much is refused by name."""

from __future__ import annotations

import pytest

from core.errors import BadMessage
from core.hl7 import prescan
from core.hl7.limits import DEFAULT, Limits

MSH = b"MSH|^~\\&|HIS|CDG|YELEN|RADIO|20260727||ADT^A04|1|P|2.5"
ORU = MSH.replace(b"ADT^A04", b"ORU^R01")


def reason_of(message: bytes, limits: Limits = DEFAULT) -> str:
    with pytest.raises(BadMessage) as caught:
        prescan.check(prescan.segments(message, limits), limits)
    return f"{caught.value.reason}: {caught.value}"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r", b"\n\n", b"\r\n\r\n"])
def test_line_ends_and_blank_lines_do_not_matter(end: bytes) -> None:
    message = b"\xef\xbb\xbf" + end.join([MSH, b"EVN|A04", b"PID|||12"]) + end
    assert prescan.segments(message) == [MSH, b"EVN|A04", b"PID|||12"]


def test_a_single_return_at_the_end_of_lines_ended_by_line_feeds_changes_nothing() -> None:
    assert prescan.segments(MSH + b"\nPID|||12\n\r") == [MSH, b"PID|||12"]


def test_a_bare_line_feed_in_a_message_of_returns_is_a_break_in_the_text() -> None:
    assert prescan.segments(MSH + b"\rOBX|1|TX|||un\nPID|deux\r") == [MSH, b"OBX|1|TX|||un\nPID|deux"]


def test_a_line_that_is_no_segment_continues_the_one_before() -> None:
    message = MSH + b"\nOBX|1|TX|||Foie normal.\nRate normale.\nPV1|1"
    assert prescan.segments(message) == [MSH, b"OBX|1|TX|||Foie normal.\nRate normale.", b"PV1|1"]


def test_segments_with_odd_names_stand_alone_and_swallow_nothing() -> None:
    assert prescan.segments(MSH + b"\rpid|||9\rZZ|1\rPV1|1") == [MSH, b"pid|||9", b"ZZ|1", b"PV1|1"]


def test_several_messages_without_batch_header_are_cut_apart() -> None:
    other = MSH.replace(b"|1|P", b"|2|P") + b"\rPID|||13\r"
    found = prescan.messages(MSH + b"\rPID|||12\r" + other)
    assert [prescan.segments(m)[1] for m in found] == [b"PID|||12", b"PID|||13"]


def test_a_batch_loses_its_envelope_and_nothing_else() -> None:
    body = MSH + b"\nPID|||12\n"
    batch = b"FHS|^~\\&|X\nBHS|^~\\&|X\n" + body + body + b"BTS|2\nFTS|1\n"
    assert prescan.is_batch(batch)
    assert [prescan.segments(m) for m in prescan.messages(batch)] == [[MSH, b"PID|||12"]] * 2


def test_a_header_typed_inside_a_text_is_no_second_message() -> None:
    assert len(prescan.messages(MSH + b"\rNTE|1||texte\nMSH|^~\\&|EVIL\rPID|||1\r")) == 1


def test_without_header_there_is_nothing_to_read() -> None:
    for payload in (b"", b"PID|||12\r", b"MSHX~", b"\r\n"):
        with pytest.raises(BadMessage, match="MSH"):
            prescan.messages(payload)


def test_too_many_of_anything_is_refused_by_its_name() -> None:
    assert "trop de segments" in reason_of(MSH + b"\rOBX|1" * 5000)
    assert "trop de segments" in reason_of(MSH + b"\r" * 500_000 + b"PID")
    assert "trop de champs" in reason_of(MSH + b"\rPID" + b"|" * 1001)
    assert "trop de répétitions (PID-13)" in reason_of(MSH + b"\rPID|||||||||||||" + b"1~" * 10_000)
    assert "trop de répétitions" in reason_of(MSH + b"\rPID|||||||||||||" + b"~" * 100_000)
    assert "trop de composants (PID-5)" in reason_of(MSH + b"\rPID|||||" + b"a^" * 20_000)
    assert "trop de composants (PID-5)" in reason_of(MSH + b"\rPID|||||" + b"a&" * 20_000)
    assert "champ trop long (PID-5)" in reason_of(MSH + b"\rPID|||||" + b"a" * 70_000)


def test_the_caps_themselves_still_pass() -> None:
    limits = Limits()
    message = MSH + b"\rPID|||||||||||||" + b"~".join([b"1"] * limits.repetitions) + b"\rOBX|1" * 1998
    prescan.check(prescan.segments(message, limits), limits)


def test_only_the_value_of_an_observation_in_a_report_may_be_long() -> None:
    long = b"A" * 100_000
    prescan.check(prescan.segments(ORU + b"\rOBX|1|ED|||^application^pdf^Base64^" + long))
    assert "champ trop long (OBX-3)" in reason_of(ORU + b"\rOBX|1|ED|" + long)
    assert "champ trop long (OBX-5)" in reason_of(MSH + b"\rOBX|1|ED|||" + long)


def test_a_message_behind_a_report_in_one_frame_keeps_its_own_cap() -> None:
    assert "frame-too-long" in reason_of(MSH + (b"\rNTE|1||" + b"a" * 60_000) * 20)


def test_a_sender_may_be_allowed_more() -> None:
    prescan.check(prescan.segments(MSH + b"\rOBX|1" * 5000, Limits(segments=6000)))
