"""Rejection notes of machines at the door, and ours as others read them."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset
from pynetdicom.dsutils import encode

from core.archive.part10 import file_meta
from core.dicom import dimse, rejection_note
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.server import DicomServer
from core.index.tables import Instance, Quarantine, Study
from core.model.people import Actor, Role
from core.model.rejection import KEY_OBJECT_SELECTION, NoteDraft, RejectedImage, RejectionNote, Title
from tests.dicom.conftest import MORNING
from tests.dicom.dataset import CT, ct
from tests.dicom.department import Department
from tests.dicom.modality import Modality, request_command
from tests.dicom.stored import get, keys
from tests.dicom.test_storage import Scanner
from tests.skips import needs_dcmtk

NOTE = "1.2.3.99"


def draft(*uids: str, title: Title = Title.QUALITY, reason: str = "") -> NoteDraft:
    images = tuple(RejectedImage("1.2.3", "1.2.3.4", CT, uid) for uid in uids)
    return NoteDraft(
        NOTE, "1.2.3.98", title, images, reason, MORNING, "P-0042", "", "OUÉDRAOGO^Aïssata", "20190114", "F",
        "1.2.3", "20260302", "083000", "S1", "26-000123", "SAWADOGO^Paul",
    )  # fmt: skip


def as_pydicom(content: bytes) -> Dataset:
    return read_dataset(io.BytesIO(content), False, True)


def send(door: DicomServer, note: Dataset, syntax: str = EXPLICIT_LE) -> int | None:
    """A machine stores a key object document."""
    content = encode(note, syntax == IMPLICIT_LE, True)
    assert content is not None
    with Modality(door.address) as machine:
        machine.associate(contexts=[(1, KEY_OBJECT_SELECTION, [syntax])])
        return machine.ask(1, request_command(dimse.C_STORE_RQ, KEY_OBJECT_SELECTION, 1, NOTE), content)


@pytest.fixture
def archived(department: Department, department_door: DicomServer) -> DicomServer:
    """Two slices of one child."""
    with Scanner(department_door) as ct1:
        for uid in ("1.2.3.4.5", "1.2.3.4.6"):
            assert ct1.store(ct(sop_instance=uid), uid) == 0
        ct1.release()
    return department_door


def found(door: DicomServer) -> list[str]:
    return sorted(get(door, keys("STUDY", StudyInstanceUID="1.2.3")).objects)


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
@pytest.mark.parametrize("title", list(Title))
def test_a_machines_note_hides_its_images_from_every_query_and_retrieve(
    archived: DicomServer, title: Title, syntax: str
) -> None:
    assert found(archived) == ["1.2.3.4.5", "1.2.3.4.6"]
    assert send(archived, as_pydicom(rejection_note.write(draft("1.2.3.4.5", title=title))), syntax) == 0
    assert found(archived) == ["1.2.3.4.6"]
    assert (Study.get().instances, Instance.select().count()) == (1, 3)


def test_a_study_without_images_is_found_no_more(archived: DicomServer) -> None:
    assert send(archived, as_pydicom(rejection_note.write(draft("1.2.3.4.5", "1.2.3.4.6")))) == 0
    assert found(archived) == []


@pytest.mark.parametrize(
    ("title", "status"), [(Title.QUALITY, 0), (Title.SAFETY, 0xC000), (Title.RETENTION_EXPIRED, 0)]
)
def test_a_machine_that_sends_it_again_is_told(archived: DicomServer, title: Title, status: int) -> None:
    assert send(archived, as_pydicom(rejection_note.write(draft("1.2.3.4.5", title=title)))) == 0
    with Scanner(archived) as ct1:
        assert ct1.store(ct()) == status
    assert [row.reason for row in Quarantine.select()] == (["rejected-again"] if status else [])
    assert ("1.2.3.4.5" in found(archived)) is (title is Title.RETENTION_EXPIRED)


def test_other_key_objects_are_documents_like_others(archived: DicomServer) -> None:
    interest = as_pydicom(rejection_note.write(draft("1.2.3.4.5")))
    interest.ConceptNameCodeSequence[0].CodeValue = "113000"  # Of Interest
    interest.ConceptNameCodeSequence[0].CodeMeaning = "Of Interest"
    assert send(archived, interest) == 0
    assert (Study.get().instances, Instance.get(Instance.sop_instance_uid == NOTE).series_id is None) == (3, False)


def test_a_code_of_another_scheme_rejects_nothing() -> None:
    local = as_pydicom(rejection_note.write(draft("1.2.3.4.5")))
    local.ConceptNameCodeSequence[0].CodingSchemeDesignator = "99LOCAL"
    content = encode(local, False, True)
    assert content is not None
    assert rejection_note.read(content, EXPLICIT_LE) is None


def test_a_note_that_cannot_be_read_is_set_aside_and_hides_nothing(archived: DicomServer) -> None:
    """Never a success for a rejection that did not take effect."""
    content = rejection_note.write(draft("1.2.3.4.5"))
    cut = content.index(bytes.fromhex("fe ff 00 e0"), len(content) // 2) + 4
    broken = content[:cut] + b"\xff\xff\xff\x7f" + content[cut + 4 :]
    with Modality(archived.address) as machine:
        machine.associate(contexts=[(1, KEY_OBJECT_SELECTION, [EXPLICIT_LE])])
        request = request_command(dimse.C_STORE_RQ, KEY_OBJECT_SELECTION, 1, NOTE)
        assert machine.ask(1, request, broken) == 0xC000
    assert [row.reason for row in Quarantine.select()] == ["bad-structure"]
    assert found(archived) == ["1.2.3.4.5", "1.2.3.4.6"]


def test_what_we_write_is_what_we_read() -> None:
    read = rejection_note.read(rejection_note.write(draft("1.2.3.4.5", "1.2.3.4.6", reason="flou")), EXPLICIT_LE)
    assert read == RejectionNote(NOTE, Title.QUALITY, draft("1.2.3.4.5", "1.2.3.4.6").images)


def test_pydicom_reads_ours_whole() -> None:
    note = as_pydicom(rejection_note.write(draft("1.2.3.4.5", title=Title.SAFETY, reason="mauvais côté")))
    assert (note.PatientName, note.Modality, note.StudyInstanceUID) == ("OUÉDRAOGO^Aïssata", "KO", "1.2.3")
    assert note.ConceptNameCodeSequence[0].CodeValue == "113037"
    [series] = note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"
    assert note.ContentSequence[0].TextValue == "mauvais côté"
    tags = [element.tag for element in note]
    assert tags == sorted(tags)


@needs_dcmtk
def test_dcmtk_takes_ours_for_a_key_object_document(tmp_path: Path) -> None:
    path = tmp_path / "note.dcm"
    content = rejection_note.write(draft("1.2.3.4.5", "1.2.3.4.6", reason="flou"))
    path.write_bytes(file_meta(KEY_OBJECT_SELECTION, NOTE, EXPLICIT_LE, "YELEN") + content)
    assert dcmread(path).SOPClassUID == KEY_OBJECT_SELECTION
    program = shutil.which("dsrdump")
    assert program is not None
    dump = subprocess.run([program, "-Ei", "+Pn", str(path)], capture_output=True, text=True, check=False)
    assert dump.returncode == 0, dump.stderr
    assert "Rejected for Quality Reasons" in dump.stdout
    assert dump.stdout.count("IMAGE") >= 2
    assert "E:" not in dump.stderr, dump.stderr


def test_a_technologist_rejects_and_a_workstation_no_longer_gets_it(
    department: Department, archived: DicomServer
) -> None:
    person = Actor("issa", frozenset({Role.TECHNOLOGIST}), origin="test")
    key = Instance.get(Instance.sop_instance_uid == "1.2.3.4.5").key
    number = department.services.rejections.reject(person, [key], Title.QUALITY, "flou")
    assert found(archived) == ["1.2.3.4.6"]
    lead = Actor("cadre", frozenset({Role.LEAD_TECHNOLOGIST}), origin="test")
    department.services.rejections.undo(lead, number, "lisible")
    assert found(archived) == ["1.2.3.4.5", "1.2.3.4.6"]
