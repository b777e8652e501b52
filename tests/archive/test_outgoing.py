"""What leaves the archive: files as they lie, or with another identity in front, whatever their header looks like."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from core.archive.coercion import Changes, Provenance, changes, coerced, sent_values
from core.archive.elements import BadElements
from core.archive.outgoing import Body, Wardrobe
from core.archive.part10 import file_meta, read_file_meta
from core.errors import BadMessage, NotFound
from core.model.identifiers import Identifier
from core.model.outgoing import CurrentIdentity
from tests.dicom.dataset import CT, ct, element
from tests.skips import corpus, needs_corpus

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
IMPLICIT, EXPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99"))
REWRITTEN = {
    0x00080005, 0x00080050, 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040, 0x00101002, 0x00400275,
    0x04000561,
}  # fmt: skip


def somebody(name: str = "KABORE^Awa", **other: object) -> CurrentIdentity:
    said: dict[str, object] = {
        "number": "CDG0000077", "issuer": "CHUP", "name": name, "birth_date": "20200101", "sex": "F",
        "others": (Identifier("OLD-9", "X"),), "accession_number": "26-000077",
    }  # fmt: skip
    return CurrentIdentity(**{**said, **other})  # type: ignore[arg-type]


def files() -> Iterator[tuple[Path, str, bytes]]:
    """Path, transfer syntax and data set of every file of the corpus that the door would archive."""
    from core.dicom.header import walk
    from core.dicom.walk_fault import BadHeader

    folder = corpus()
    assert folder is not None
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if content[128:132] != b"DICM":
            continue
        try:
            meta = read_file_meta(content)
            walk(content[meta.dataset_offset :], meta.transfer_syntax)
        except (BadMessage, BadHeader):
            continue
        if meta.transfer_syntax != DEFLATED:
            yield path, meta.transfer_syntax, content[meta.dataset_offset :]


def sent(body: Body) -> bytes:
    try:
        return body.head + os.pread(body.descriptor, body.length, body.offset)
    finally:
        body.close()


def read(data: bytes, syntax: str) -> Dataset:
    return read_dataset(io.BytesIO(data), syntax == IMPLICIT, syntax != BIG)


def same(old: Dataset, new: Dataset, tag: int) -> bool:
    """Elements as read, or as pydicom converts them: it repairs what it reads."""
    return bool(old.get_item(tag).value == new.get_item(tag).value or old[tag].value == new[tag].value)


@needs_corpus
@pytest.mark.parametrize("name", ["KABORE^Awa", "KABORÉ^Awa", "ŊAMA^Ɛva"])
def test_real_files_leave_with_another_identity_and_nothing_else_changed(name: str) -> None:
    wardrobe = Wardrobe(lambda: NOW)
    rewritten = 0
    for path, syntax, before in files():
        data = sent(wardrobe.open(str(path), somebody(name)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old, new = read(before, syntax), read(data, syntax)
            assert (str(new.PatientName), new.PatientID, new.IssuerOfPatientID) == (name, "CDG0000077", "CHUP"), path
            assert (new.AccessionNumber, new.PatientBirthDate, new.PatientSex) == ("26-000077", "20200101", "F"), path
            previous = new.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
            assert previous.PatientID == old.get("PatientID", ""), path
            left = {int(tag) for tag in old.keys() if tag.element} - REWRITTEN  # noqa: SIM118
            assert left == {int(tag) for tag in new.keys() if tag.element} - REWRITTEN, path  # noqa: SIM118
            if new.get("SpecificCharacterSet") == old.get("SpecificCharacterSet"):
                assert all(same(old, new, tag) for tag in left), path
        rewritten += 1
    assert rewritten >= 100


@needs_corpus
def test_real_files_leave_as_they_lie_when_nothing_changed() -> None:
    wardrobe = Wardrobe(lambda: NOW)
    for path, _syntax, before in files():
        assert sent(wardrobe.open(str(path), None)) == before


def test_each_image_is_compared_for_itself(tmp_path: Path) -> None:
    """A later image of a study may say something else than the first one."""
    wardrobe = Wardrobe(lambda: NOW)
    now = somebody("DIALLO^Awa", number="P-0042", accession_number=None, birth_date=None)
    for name, rewritten in (("DIALLO^Awa", False), ("DIALLO^Eva", True), ("diallo awa", False)):
        path = tmp_path / name
        path.write_bytes(file_meta(CT, "1.2.3", EXPLICIT, "CT1") + ct(name=name))
        body = wardrobe.open(str(path), now)
        assert body.coerced is rewritten, name
        body.close()


def test_an_image_that_left_before_is_not_noted_twice(tmp_path: Path) -> None:
    identity = somebody("DIALLO^Eva", number="P-0042", accession_number=None, birth_date=None)
    first, rest = coerced(data := ct(), 0, len(data), EXPLICIT, _changed(data, identity), Provenance(NOW, "CT1"))
    again = first + data[rest:]
    assert changes(_said(again), identity) is None
    back = somebody("OUÉDRAOGO^Aïssata", number="P-0042", accession_number=None, birth_date=None)
    once, rest = coerced(again, 0, len(again), EXPLICIT, _changed(again, back), Provenance(NOW, "CT1"))
    twice = read(once + again[rest:], EXPLICIT)
    assert len(twice.OriginalAttributesSequence) == 2


def _said(data: bytes) -> tuple[bytes | None, ...]:
    said = sent_values(data, 0, len(data), EXPLICIT)
    assert said is not None
    return said


def _changed(data: bytes, identity: CurrentIdentity) -> Changes:
    new = changes(_said(data), identity)
    assert new is not None
    return new


def test_a_header_that_cannot_be_followed_leaves_only_when_nothing_was_corrected(tmp_path: Path) -> None:
    path = tmp_path / "odd.dcm"
    data = element(0x00080005, "CS", b"ISO_IR 192") + b"\x08\x00\x10\x00\x00\x00\x00\x00"
    path.write_bytes(file_meta(CT, "1.2.3", EXPLICIT, "CT1") + data)
    wardrobe = Wardrobe(lambda: NOW)
    assert sent(wardrobe.open(str(path), somebody(as_sent=True))) == data
    with pytest.raises(BadElements):
        wardrobe.open(str(path), somebody())


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="absent"):
        Wardrobe(lambda: NOW).open(str(tmp_path / "gone.dcm"), None)


@given(st.binary(max_size=200), st.integers(0, 700), st.sampled_from([IMPLICIT, EXPLICIT, BIG]))
def test_any_bytes_are_followed_or_refused(noise: bytes, at: int, syntax: str) -> None:
    data = ct(syntax)
    at = min(at, len(data))
    data = data[:at] + noise + data[at:]
    try:
        said = sent_values(data, 0, len(data), syntax)
        if said is not None and (new := changes(said, somebody("ŊAMA^Ɛva"))) is not None:
            coerced(data, 0, len(data), syntax, new, Provenance(NOW, "CT1"))
    except BadElements:
        pass
