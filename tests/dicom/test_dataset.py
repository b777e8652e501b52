"""Small data sets: read as pydicom writes them, written as pydicom reads them, and never another error."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from core.dicom import dataset
from core.dicom.conformance import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from core.errors import BadMessage

SYNTAXES = [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE]


def query() -> Dataset:
    keys = Dataset()
    keys.SpecificCharacterSet = "ISO_IR 100"
    keys.PatientName = "OUÉDRAOGO^A*"
    keys.PatientID = ""
    keys.StudyInstanceUID = "1.2.3"
    step = Dataset()
    step.Modality = "CT"
    step.ScheduledProcedureStepStartDate = "20260302-"
    step.ScheduledProtocolCodeSequence = []
    keys.ScheduledProcedureStepSequence = [step]
    return keys


def written(keys: Dataset, syntax: str, undefined: bool = False) -> bytes:
    for element in keys.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax == IMPLICIT_LE, syntax != EXPLICIT_BE
    write_dataset(out, keys)
    return out.getvalue()


def read(data: bytes, syntax: str) -> Dataset:
    return read_dataset(io.BytesIO(data), syntax == IMPLICIT_LE, syntax != EXPLICIT_BE)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_a_query_of_pydicom_is_read(syntax: str, undefined: bool) -> None:
    item = dataset.decode(written(query(), syntax, undefined), syntax)
    assert item.text(0x00100010) == "OUÉDRAOGO^A*"
    assert item.text(0x0020000D) == "1.2.3"
    assert 0x00100020 in item
    assert item.text(0x00100020) == ""
    assert item.first(0x00400100).text(0x00080060) == "CT"
    assert item.first(0x00400100).text(0x00400002) == "20260302-"
    assert item.tags == [0x00080005, 0x00100010, 0x00100020, 0x0020000D, 0x00400100]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pydicom_reads_what_we_write(syntax: str) -> None:
    step = dataset.element(0x00080060, "CS", b"CT", syntax) + dataset.element(0x00400007, "LO", b"TDM", syntax)
    data = (
        dataset.element(0x00100010, "PN", b"DIALLO^Awa", syntax)
        + dataset.element(0x0020000D, "UI", b"1.2.3", syntax)
        + dataset.sequence(0x00400100, [step], syntax)
        + dataset.sequence(0x00401001, [], syntax)
    )
    keys = read(data, syntax)
    assert keys.PatientName == "DIALLO^Awa"
    assert keys.StudyInstanceUID == "1.2.3"
    assert keys.ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription == "TDM"


def test_an_empty_item_and_an_empty_sequence_are_told_apart_from_absence() -> None:
    keys = Dataset()
    keys.ScheduledProcedureStepSequence = [Dataset()]
    item = dataset.decode(written(keys, EXPLICIT_LE), EXPLICIT_LE)
    assert len(item.items(0x00400100)) == 1
    assert item.first(0x00400100).tags == []
    keys.ScheduledProcedureStepSequence = []
    assert dataset.decode(written(keys, EXPLICIT_LE), EXPLICIT_LE).items(0x00400100) == []


def test_an_item_may_have_its_own_charset() -> None:
    data = dataset.element(0x00080005, "CS", b"ISO_IR 100", EXPLICIT_LE) + dataset.sequence(
        0x00400100,
        [
            dataset.element(0x00080005, "CS", b"ISO_IR 192", EXPLICIT_LE)
            + dataset.element(0x00400007, "LO", "é".encode(), EXPLICIT_LE),
            dataset.element(0x00400007, "LO", b"\xe9", EXPLICIT_LE),
        ],
        EXPLICIT_LE,
    )
    items = dataset.decode(data, EXPLICIT_LE).items(0x00400100)
    assert [item.text(0x00400007) for item in items] == ["é", "é"]


ITEM = bytes.fromhex("feff00e0")


@pytest.mark.parametrize("vr", ["OB", "OW", "UT", "LO"])
def test_bytes_of_a_said_vr_are_never_a_sequence(vr: str) -> None:
    """An icon or a private blob may begin like an item."""
    value = ITEM + bytes((4, 0, 0, 0)) + b"abcd"
    data = dataset.element(0x00420011, vr, value, EXPLICIT_LE) + dataset.element(0x00420012, "LO", b"pdf", EXPLICIT_LE)
    item = dataset.decode(data, EXPLICIT_LE)
    assert item.values[0x00420011] == value
    assert item.text(0x00420012) == "pdf"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_bytes_that_only_begin_like_an_item_are_a_value(syntax: str) -> None:
    """A VR that nobody says: read as items if it can be, kept as it is if not."""
    value = ITEM + bytes((0, 1, 0, 0)) + b"abcdefgh"
    data = dataset.element(0x00091010, "UN", value, syntax) + dataset.element(0x00100020, "LO", b"P-42", syntax)
    item = dataset.decode(data, syntax)
    assert item.values[0x00091010] == value
    assert item.text(0x00100020) == "P-42"


@pytest.mark.parametrize("undefined", [False, True])
def test_a_sequence_that_lost_its_vr_is_implicit_inside(undefined: bool) -> None:
    """PS3.5 6.2.2: what a gateway writes that does not know the attribute."""
    keys = Dataset()
    inner = Dataset()
    inner.Modality, inner.StationName = "CT", "SCAN1"
    keys.ScheduledProcedureStepSequence = [inner]
    items = written(keys, IMPLICIT_LE, undefined)[8:]
    data = dataset.element(0x00400100, "UN", items, EXPLICIT_LE)
    if undefined:
        data = data[:8] + b"\xff\xff\xff\xff" + items
    step = dataset.decode(data, EXPLICIT_LE).first(0x00400100)
    assert (step.text(0x00080060), step.text(0x00081010)) == ("CT", "SCAN1")


def test_an_undefined_length_is_for_sequences() -> None:
    with pytest.raises(BadMessage):
        dataset.decode(bytes.fromhex("42001100") + b"OB\0\0\xff\xff\xff\xff" + ITEM + bytes(4), EXPLICIT_LE)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_cut_anywhere_it_is_bad_or_shorter(syntax: str) -> None:
    whole = written(query(), syntax, undefined=True)
    for size in range(len(whole)):
        try:
            item = dataset.decode(whole[:size], syntax)
        except BadMessage:
            continue
        assert len(item.tags) <= 5


@pytest.mark.parametrize("levels", [33, 5000])
def test_too_many_levels_are_refused(levels: int) -> None:
    from tests.dicom.dataset import nested

    with pytest.raises(BadMessage):
        dataset.decode(nested(levels), EXPLICIT_LE)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_anywhere_it_is_read_or_bad(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(SYNTAXES))
    damaged = bytearray(written(query(), syntax, data.draw(st.booleans())))
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=6)
    ):
        damaged[at] = byte
    try:
        item = dataset.decode(bytes(damaged), syntax)
    except BadMessage:
        return
    for tag in item.tags:
        item.text(tag)
