"""No matter what a query says, we answer it or refuse it with our one error; nothing else, and nothing in the index."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.dicom import dataset
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.dataset import element, sequence
from core.dicom.find_attributes import INSIDE, LEVEL, TAGS
from core.dicom.find_keys import Negotiated, read_question
from core.errors import YelenError
from core.index.finding import search
from core.index.opening import open_index
from core.index.tables import Study, database
from core.model.finding import Level
from tests.index.archive import fill

NASTY = (
    *(b"", b"*", b"?", b"**?*", b"-", b"--", b"20260101-", b"-20269999", b"%' OR 1=1--", b"[a-z]*", b"\\", b"^"),
    *(b"=", b"^^=*", b"\xff\xfe", "山*".encode(), "É*".encode(), "٢٠٢٦٠٣٠٢".encode(), b"1e999", b"0x10", b"9" * 5000),
    *(b"*a" * 400, b"?" * 300, b"\x1b$B", b"\0\0", b"NaN", b"1_0", b"00:00:99", b"2460", b"\\\\1.2"),
    b"'); DROP TABLE study; --",
)
WORDS = st.text("OUEDRA*?^=\\- 0129.[", max_size=20).map(str.encode)
VALUES = st.one_of(st.sampled_from(NASTY), st.binary(max_size=40), WORDS)
ELEMENTS = st.dictionaries(st.sampled_from(sorted(tag for tag, _vr in TAGS.values())), VALUES, max_size=5)
CHARSETS = st.sampled_from((b"", b"ISO_IR 192", b"ISO_IR 100", b"\\ISO 2022 IR 87", b"latin-9", b"\xff"))
LEVELS = st.sampled_from((*(level.name.encode() for level in Level), b"", b"FRAME", b"study "))


@pytest.fixture(scope="module", autouse=True)
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    index = open_index(Path(tmp_path_factory.mktemp("hostile")), SystemClock())
    index.writer.do(fill)
    yield
    index.close()


def identifier(level: bytes, charset: bytes, elements: dict[int, bytes], inside: bytes, syntax: str) -> bytes:
    named = {0x00080005: ("CS", charset), LEVEL: ("CS", level)}
    named |= {tag: ("UN" if len(value) > 60_000 else _vr(tag), value) for tag, value in elements.items()}
    spelled = {tag: element(tag, vr, value, syntax) for tag, (vr, value) in named.items()}
    for tag, attributes in INSIDE.items():
        item = b"".join(element(t, vr, inside, syntax) for t, vr in sorted(attributes.values()))
        spelled[tag] = sequence(tag, [item], syntax)
    return b"".join(spelled[tag] for tag in sorted(spelled))


def _vr(tag: int) -> str:
    return next(vr for known, vr in TAGS.values() if known == tag)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LEVELS, CHARSETS, ELEMENTS, VALUES, st.binary(max_size=4), st.sampled_from((EXPLICIT_LE, IMPLICIT_LE)))
@example(b"IMAGE", b"", {0x00280010: b"\1"}, b"", b"", EXPLICIT_LE)
@example(b"STUDY", b"ISO_IR 192", {0x00100010: "山*".encode()}, b"*", b"\1\1\1", EXPLICIT_LE)
def test_any_query_is_answered_or_refused(
    level: bytes, charset: bytes, elements: dict[int, bytes], inside: bytes, extended: bytes, syntax: str
) -> None:
    data = identifier(level, charset, elements, inside, syntax)
    for root in (Level.PATIENT, Level.STUDY):
        with contextlib.suppress(YelenError):
            keys = dataset.decode(data, syntax)
            question = read_question(keys, root, Negotiated.of(extended), overlay=True, limit=500, more=5000)
            for found in search(question.search):
                assert all(isinstance(text, str) for text in found.values())
    assert Study.select().count() == 70


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_query_or_refused(data: bytes) -> None:
    with contextlib.suppress(YelenError):
        keys = dataset.decode(data, EXPLICIT_LE)
        read_question(keys, Level.STUDY, Negotiated(), overlay=False, limit=500, more=5000)


def test_searching_writes_nothing(archive: None) -> None:
    before = database.execute_sql("SELECT count(*) FROM journal").fetchone()
    list(search(read_question(_all_empty(), Level.STUDY, Negotiated(), True, 500, 5000).search))
    assert database.execute_sql("SELECT count(*) FROM journal").fetchone() == before


def _all_empty() -> dataset.Item:
    return dataset.decode(identifier(b"STUDY", b"", {}, b"", EXPLICIT_LE), EXPLICIT_LE)
