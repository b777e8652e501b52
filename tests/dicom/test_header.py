"""The header walk: what the index needs, or one error with its reason."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from core.archive.part10 import read_file_meta
from core.dicom.conformance import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE
from core.dicom.header import BadHeader, walk
from core.errors import BadMessage
from core.model.received import Reason
from tests.dicom.dataset import CT, ct, ct_elements, dataset, element, nested
from tests.skips import corpus, needs_corpus

SYNTAXES = [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE]


def refusal(data: bytes, syntax: str = EXPLICIT_LE, total: int | None = None) -> BadHeader:
    with pytest.raises(BadHeader) as refused:
        walk(data, syntax, total)
    return refused.value


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_everything_the_index_needs_is_read(syntax: str) -> None:
    header = walk(ct(syntax), syntax)
    assert (header.sop_class_uid, header.sop_instance_uid) == (CT, "1.2.3.4.5")
    assert (header.study_instance_uid, header.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert (header.patient_name, header.patient_id) == ("OUÉDRAOGO^Aïssata", "P-0042")
    assert (header.patient_birth_date, header.patient_sex, header.patient_weight) == ("20190114", "F", 18.5)
    assert (header.accession_number, header.modality, header.body_part) == ("26-000123", "CT", "HEAD")
    assert (header.study_description, header.institution) == ("Scanner cérébral", "CHU pédiatrique")
    assert (header.study_date, header.study_time) == ("20260302", "083000.123")
    assert (header.series_number, header.instance_number, header.number_of_frames) == (2, 17, 1)
    assert (header.rows, header.columns) == (4, 2)
    assert not header.incomplete
    assert not header.charset_suspect
    assert header.conflicting == frozenset()


@needs_corpus
def test_pydicom_reads_the_same_in_real_files() -> None:
    folder = corpus()
    assert folder is not None
    for path in sorted((folder / "transfer-syntax").glob("pydicom__*.dcm")):
        data = path.read_bytes()
        try:
            meta = read_file_meta(data)
            header = walk(data[meta.dataset_offset :], meta.transfer_syntax)
        except BadMessage:
            continue
        read = dcmread(path, stop_before_pixels=True)
        assert header.sop_instance_uid == read.SOPInstanceUID, path.name
        assert header.study_instance_uid == read.StudyInstanceUID, path.name
        assert header.patient_id == str(read.get("PatientID", "")), path.name
        assert header.patient_name == str(read.get("PatientName", "")).rstrip("^="), path.name
        assert header.modality == read.get("Modality", ""), path.name
        assert header.rows == read.get("Rows"), path.name
        assert header.instance_number == read.get("InstanceNumber"), path.name


def outcome(data: bytes, syntax: str) -> set[str]:
    """Everything that is said against a data set."""
    try:
        header = walk(data, syntax)
    except BadHeader as error:
        return {error.why}
    said = {"incomplete"} if header.incomplete else set()
    return said | ({"no pixels"} if len(data) <= len(ct(syntax)) - 16 else set())


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_cut_anywhere_it_is_truncated_or_missing_something(syntax: str) -> None:
    whole = ct(syntax)
    for size in range(len(whole)):
        reasons = outcome(whole[:size], syntax)
        assert reasons <= {Reason.TRUNCATED, Reason.MISSING_UID, "incomplete", "no pixels"}
        assert reasons or size > len(whole) - 16


def test_only_the_beginning_is_needed_when_the_length_is_known() -> None:
    whole = ct(pixels=bytes(300_000))
    assert walk(whole[:65_536], EXPLICIT_LE, len(whole)) == walk(whole, EXPLICIT_LE)


def test_pixels_shorter_than_declared_are_flagged_and_not_refused() -> None:  # row 21
    assert walk(ct()[:-1], EXPLICIT_LE).incomplete
    assert walk(ct(IMPLICIT_LE)[:-1], IMPLICIT_LE).incomplete


def test_a_length_beyond_the_end_is_truncated() -> None:  # row 20
    data = dataset(ct_elements(pixels=None)) + element(0x00400280, "UT", b"ten bytes!", length=0xFFFFFFFE)
    assert refusal(data).why is Reason.TRUNCATED
    assert refusal(data).offset == len(data) - 22


def test_uids_behind_a_large_element_are_still_found() -> None:
    elements = ct_elements()
    large = (0x00091010, "OW", bytes(200_000))
    data = dataset([*elements[:4], large, *elements[4:]])
    assert walk(data, EXPLICIT_LE).study_instance_uid == "1.2.3"


@pytest.mark.parametrize("levels", [1, 32])
def test_32_levels_pass(levels: int) -> None:  # row 18
    data = dataset(ct_elements()[:3]) + nested(levels) + dataset(ct_elements()[3:])
    assert walk(data, EXPLICIT_LE).patient_id == "P-0042"


@pytest.mark.parametrize("levels", [33, 300, 20_000])
@pytest.mark.parametrize("defined", [False, True])
def test_33_levels_are_too_deep(levels: int, defined: bool) -> None:  # row 18
    if defined and levels > 300:
        levels = 1000  # nested defined lengths are quadratic to write
    data = dataset(ct_elements()[:3]) + nested(levels, defined) + dataset(ct_elements()[3:])
    assert refusal(data).why is Reason.TOO_DEEP


def test_a_fault_inside_a_sequence_of_defined_length_does_not_matter() -> None:
    broken = element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 9_000) + bytes(600))
    data = dataset(ct_elements()[:3]) + broken + dataset(ct_elements()[3:])
    assert walk(data, EXPLICIT_LE).patient_id == "P-0042"


@pytest.mark.parametrize(
    ("changes", "why", "mismatch"),
    [
        ({"study": None}, Reason.MISSING_UID, True),  # row 30
        ({"series": ""}, Reason.MISSING_UID, True),
        ({"sop_instance": None}, Reason.MISSING_UID, True),
        ({"sop_instance": "../../etc/passwd"}, Reason.UID_INVALID, False),  # row 12
        ({"study": "1." + "2" * 200}, Reason.UID_INVALID, False),  # row 13
        ({"rows": ("UL", 4)}, Reason.BAD_STRUCTURE, False),  # row 24
        ({"name": ("DA", "20200101")}, Reason.BAD_STRUCTURE, False),
    ],
)
def test_what_cannot_be_archived_says_why(changes: dict[str, object], why: Reason, mismatch: bool) -> None:
    error = refusal(ct(**changes))
    assert (error.why, error.mismatch) == (why, mismatch)
    assert error.reason == why.value


@pytest.mark.parametrize(
    "changes",
    [
        {"patient_id": None},  # row 30
        {"patient_id": "", "name": ""},
        {"weight": "NaN;rm -rf"},  # row 26
        {"instance_number": "99999999999999"},
        {"frames": "abcd"},  # row 23
        {"rows": 0},
        {"sop_instance": "1.2.003.4"},  # row 13: leading zeros are only a warning
        {"body_part": ("ZZ", b"opaque")},  # row 25
    ],
)
def test_what_is_only_odd_is_archived(changes: dict[str, object]) -> None:
    header = walk(ct(**changes), EXPLICIT_LE)
    assert header.study_instance_uid == "1.2.3"


def test_numbers_that_are_none_are_none() -> None:
    header = walk(ct(weight="NaN", instance_number="99999999999999", frames="-5", series_number="1.5"), EXPLICIT_LE)
    assert (header.patient_weight, header.instance_number, header.number_of_frames) == (None, None, -5)
    assert header.series_number is None


def test_an_unknown_vr_may_be_written_short() -> None:  # row 25
    short = struct.pack("<HH2sH", 0x0018, 0x9999, b"ZZ", 4) + b"abcd"
    data = dataset(ct_elements()[:16]) + short + dataset(ct_elements()[16:])
    assert walk(data, EXPLICIT_LE).study_instance_uid == "1.2.3"


def test_identity_twice_with_different_values_is_noted() -> None:  # row 28
    data = dataset([*ct_elements()[:-1], (0x00100020, "LO", "P-0043"), (0x00100010, "PN", "OUÉDRAOGO^Aïssata ")])
    header = walk(data, EXPLICIT_LE)
    assert header.conflicting == {"PatientID"}
    assert header.patient_id == "P-0043"


def test_a_uid_twice_with_different_values_is_a_mismatch() -> None:  # row 28
    error = refusal(dataset([*ct_elements()[:-1], (0x0020000D, "UI", "1.2.9")]))
    assert (error.why, error.mismatch) == (Reason.BAD_STRUCTURE, True)


def test_rows_of_four_bytes_are_refused_in_implicit_vr_too() -> None:  # row 24
    assert refusal(ct(IMPLICIT_LE, rows=("UL", 4)), IMPLICIT_LE).why is Reason.BAD_STRUCTURE


def test_the_step_id_of_the_request_attributes_is_read() -> None:
    for syntax in SYNTAXES:
        order = ">" if syntax == EXPLICIT_BE else "<"
        item = dataset([(0x00400007, "LO", "TDM"), (0x00400009, "SH", "SPS-7")], syntax)
        sequence = struct.pack(order + "HHI", 0xFFFE, 0xE000, len(item)) + item
        data = dataset([*ct_elements()[:-1], (0x00400275, "SQ", sequence), ct_elements()[-1]], syntax)
        assert walk(data, syntax).step_id == "SPS-7"


def test_un_of_undefined_length_is_implicit_inside() -> None:
    item = dataset([(0x00080100, "SH", "T1")], IMPLICIT_LE)
    inner = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    unknown = element(0x00091001, "UN", inner, length=0xFFFFFFFF)
    data = dataset(ct_elements()[:10]) + unknown + dataset(ct_elements()[10:])
    assert walk(data, EXPLICIT_LE).patient_id == "P-0042"


def test_control_characters_never_reach_the_index() -> None:
    header = walk(ct(patient_id="P\x1b[31m1\x07", modality="C\x00T"), EXPLICIT_LE)
    assert header.patient_id.isprintable()
    assert header.modality.isprintable()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_anywhere_it_is_read_or_refused_with_a_reason(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(SYNTAXES))
    damaged = bytearray(ct(syntax) if syntax != EXPLICIT_LE else ct() + nested(3))
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=6)
    ):
        damaged[at] = byte
    outcome(bytes(damaged), syntax)


@needs_corpus
def test_no_real_file_breaks_the_walk_wherever_it_is_cut() -> None:
    folder = corpus()
    assert folder is not None
    for path in sorted((folder / "malformed").glob("*.dcm")):
        data = path.read_bytes()[:20_000]
        for syntax in SYNTAXES:
            for start in (0, 132, 300, 331, 342, 344):
                for size in range(0, len(data), 997):
                    try:
                        walk(data[start:size], syntax)
                    except BadHeader:
                        continue
