"""Objects that are no images have their own kind in the DICOMDIR; one that lacks its keys stays out, and is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from msgspec import structs
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.uid import ExplicitVRLittleEndian

from core.services.export_index import kind_of, write_dicomdir
from core.services.export_work import Image

CLASSES = "1.2.840.10008.5.1.4.1.1."
SR, PDF, KEYS, CT = CLASSES + "88.11", CLASSES + "104.1", CLASSES + "88.59", CLASSES + "2"


@dataclass
class Folder:
    """An export's folder, and the images of its work list."""

    path: Path

    def image(self, number: int, sop_class: str, patient: str = "P1", **facts: object) -> Image:
        """A file with this number, and its line; the keys of its kind by keyword."""
        study = 2 if patient == "P2" else 1
        line = Image(
            study, study, number, patient, "", "OUÉDRAOGO^Aïcha", "", "F", f"1.2.{study}", "", "", "", "", "",
            "2026-11-24T08:30:00.000Z", f"1.2.{study}.1", "CT", None, "", sop_class, f"1.2.3.1.{number}",
            str(ExplicitVRLittleEndian), None, 512, 512, "", 0, "",
        )  # fmt: skip
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID, ds.SpecificCharacterSet = sop_class, line.sop_instance_uid, "ISO_IR 100"
        for keyword, value in facts.items():
            setattr(ds, keyword, value)
        (self.path / line.target).parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(self.path / line.target, enforce_file_format=True)
        return line

    def records(self) -> dict[str, str]:
        return {i.SOPInstanceUID: i.node.record_type for i in FileSet(pydicom.dcmread(self.path / "DICOMDIR"))}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def code(meaning: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "11528-7", "LN", meaning
    return [item]


def test_a_report_a_document_and_a_picture_have_each_their_kind(folder: Folder) -> None:
    when = {"ContentDate": "20261124", "ContentTime": "0830", "InstanceNumber": 1}
    title = {"ConceptNameCodeSequence": code("Compte rendu médical")}
    images = [
        folder.image(1, CT),
        folder.image(2, SR, CompletionFlag="COMPLETE", VerificationFlag="VERIFIED", **when, **title),
        folder.image(3, KEYS, **when, **title),
        folder.image(4, PDF, DocumentTitle="Résumé", MIMETypeOfEncapsulatedDocument="application/pdf", **when, **title),
    ]
    assert write_dicomdir(folder.path, images) == []
    assert folder.records() == {
        "1.2.3.1.1": "IMAGE",
        "1.2.3.1.2": "SR DOCUMENT",
        "1.2.3.1.3": "KEY OBJECT DOC",
        "1.2.3.1.4": "ENCAP DOC",
    }
    told = pydicom.dcmread(folder.path / "DICOMDIR").DirectoryRecordSequence
    assert str(told[0].PatientName) == "OUÉDRAOGO^Aïcha"
    assert told[-1].DocumentTitle == "Résumé"


def test_one_that_lacks_its_keys_is_a_line_and_the_others_are_there(folder: Folder) -> None:
    [fault] = write_dicomdir(folder.path, [folder.image(1, SR), folder.image(2, CT)])
    assert "ST000001/SE000001/IM000001" in fault
    assert folder.records() == {"1.2.3.1.2": "IMAGE"}


def test_a_document_without_a_number_has_a_running_one(folder: Folder) -> None:
    when = {"ContentDate": "20261124", "ContentTime": "0830", "DocumentTitle": "", "ConceptNameCodeSequence": code("x")}
    assert (
        write_dicomdir(folder.path, [folder.image(7, PDF, MIMETypeOfEncapsulatedDocument="application/pdf", **when)])
        == []
    )
    assert pydicom.dcmread(folder.path / "DICOMDIR").DirectoryRecordSequence[-1].InstanceNumber == 1


@pytest.mark.parametrize("name", ["É" * 70_000, "SANOU\r\n\0^Awa", "\\" * 70_000])
def test_a_name_without_end_or_with_controls_is_cut_and_the_directory_is_whole(folder: Folder, name: str) -> None:
    write_dicomdir(folder.path, [structs.replace(folder.image(1, CT), sent_name=name), folder.image(2, CT)])
    assert folder.records() == {"1.2.3.1.1": "IMAGE", "1.2.3.1.2": "IMAGE"}


def test_two_patients_have_each_their_record(folder: Folder) -> None:
    write_dicomdir(folder.path, [folder.image(1, CT), folder.image(2, CT), folder.image(3, CT, patient="P2")])
    kinds = [r.DirectoryRecordType for r in pydicom.dcmread(folder.path / "DICOMDIR").DirectoryRecordSequence]
    assert kinds == ["PATIENT", "STUDY", "SERIES", "IMAGE", "IMAGE", "PATIENT", "STUDY", "SERIES", "IMAGE"]
    assert len(FileSet(pydicom.dcmread(folder.path / "DICOMDIR"))) == 3


def test_a_department_without_images_has_an_empty_directory(folder: Folder) -> None:
    write_dicomdir(folder.path, [])
    directory = pydicom.dcmread(folder.path / "DICOMDIR")
    assert list(directory.DirectoryRecordSequence) == []
    assert directory.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity == 0


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        ("2", "IMAGE"),
        ("1.1.1", "IMAGE"),
        ("66.4", "IMAGE"),
        ("66", "RAW DATA"),
        ("66.1", "REGISTRATION"),
        ("88.11", "SR DOCUMENT"),
        ("88.59", "KEY OBJECT DOC"),
        ("9.1.1", "WAVEFORM"),
        ("104.1", "ENCAP DOC"),
    ],
)
def test_the_kind_follows_from_the_class(tail: str, kind: str) -> None:
    assert kind_of(CLASSES + tail) == kind
