"""The MLLP framer: the same frames whatever the cuts, and caps that hold before anything is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadMessage
from core.hl7.framing import Deframer, Frame, frame
from core.hl7.limits import Limits

ADT = b"MSH|^~\\&|HIS|CDG|YELEN|RADIO|20260727||ADT^A04|1|P|2.5\rPID|||12\r"
ORU = b"MSH|^~\\&|HIS|CDG|YELEN|RADIO|20260727||ORU^R01|1|P|2.5\r"
SMALL = Limits(junk=64, message=256, report=1024)


def outcome(pieces: list[bytes], limits: Limits = SMALL) -> tuple[list[Frame], str]:
    """Everything a stream yields, and why it ended."""
    deframer, frames = Deframer(limits), []
    try:
        for piece in [*pieces, None]:
            deframer.receive(piece) if piece is not None else deframer.end()
            while (found := deframer.next_frame()) is not None:
                frames.append(found)
    except BadMessage as error:
        return frames, error.reason
    return frames, ""


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


PIECES = st.sampled_from(
    [b"\x0b", b"\x1c", b"\r", b"\n", b"\x1c\r", b"\x0b\x0b", ADT, ORU, b"x" * 70, b"y" * 300, b"z" * 1100, b"MSH|"]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12).map(b"".join), st.data())
def test_the_frames_do_not_depend_on_how_the_bytes_were_cut(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert outcome([data]) == outcome(one_by_one(data)) == outcome(pieces)


def test_three_frames_in_one_segment_come_out_in_order() -> None:
    frames, fault = outcome([frame(b"one") + frame(b"two") + frame(b"three")])
    assert [f.payload for f in frames] == [b"one", b"two", b"three"]
    assert fault == ""


def test_line_ends_and_spaces_between_frames_are_skipped() -> None:
    frames, _fault = outcome([b"\r\n " + frame(ADT) + b"\r\n\r\n" + frame(ADT) + b"\n"])
    assert [f.payload for f in frames] == [ADT, ADT]


def test_junk_without_a_start_ends_the_stream_at_its_cap() -> None:
    assert outcome([b"x" * 63]) == ([], "")
    assert outcome([b"x" * 64]) == ([], "junk")
    assert outcome([b"x" * 40 + frame(ADT) + b"x" * 40 + frame(ADT)])[1] == ""


def test_a_frame_before_the_junk_is_still_delivered() -> None:
    frames, fault = outcome([frame(ADT) + b"x" * 200])
    assert [f.payload for f in frames] == [ADT]
    assert fault == "junk"


def test_a_frame_longer_than_a_message_may_be_is_refused_with_its_head_in_hand() -> None:
    deframer = Deframer(SMALL)
    deframer.receive(b"\x0b" + ADT + b"x" * 300)
    with pytest.raises(BadMessage) as caught:
        deframer.next_frame()
    assert caught.value.reason == "frame-too-long"
    assert deframer.head.startswith(ADT)


def test_a_report_may_be_longer_up_to_its_own_cap() -> None:
    fits, too_long = ORU + b"x" * (1024 - len(ORU)), ORU + b"x" * (1025 - len(ORU))
    assert outcome([frame(fits)])[0][0].payload == fits
    assert outcome([frame(too_long)]) == ([], "frame-too-long")


def test_exactly_the_cap_fits_even_when_its_last_bytes_come_late() -> None:
    fits = ADT + b"x" * (256 - len(ADT))
    assert outcome(one_by_one(frame(fits)))[0][0].payload == fits


def test_an_end_without_carriage_return_is_accepted_before_the_next_frame_or_the_close() -> None:
    frames, _fault = outcome([b"\x0b" + ADT + b"\x1c" + frame(ADT)])
    assert [f.payload for f in frames] == [ADT, ADT]
    assert frames[0].warnings == ("fin de message sans 0x0D",)
    frames, _fault = outcome([b"\x0b" + ADT + b"\x1c"])
    assert frames[0].payload == ADT


def test_an_unfinished_frame_is_never_delivered() -> None:
    assert outcome([b"\x0b" + ADT]) == ([], "")


def test_a_start_inside_a_frame_is_dropped_with_a_warning_and_restarts_an_empty_one() -> None:
    frames, _fault = outcome([b"\x0b\x0b" + ADT[:20] + b"\x0b" + ADT[20:] + b"\x1c\r"])
    assert frames == [Frame(ADT, ("0x0B au milieu du message",))]


def test_each_byte_of_a_long_report_is_looked_at_once() -> None:
    """A cursor that started again at every chunk would look at 64 chunks 32 times each on average."""
    looked = 0

    class Counting(bytearray):
        def find(self, sub, start=0, *rest):  # type: ignore[no-untyped-def]
            nonlocal looked
            looked += len(self) - start
            return super().find(sub, start, *rest)

    deframer = Deframer()
    deframer._buffer = Counting()
    deframer.receive(b"\x0b" + ORU)
    for _ in range(64):
        deframer.receive(b"A" * 65536)
        assert deframer.next_frame() is None
    deframer.receive(b"\x1c\r")
    complete = deframer.next_frame()
    assert complete is not None
    assert len(complete.payload) == len(ORU) + 64 * 65536
    assert looked < 2 * len(complete.payload)
