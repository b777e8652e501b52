"""Every kind of object: received, found and given back as it came, whether we can draw it or not."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, _config

from core.archive.part10 import file_meta
from core.dicom import conformance
from core.dicom.conformance import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, STORAGE_SYNTAXES
from core.dicom.server import DicomServer
from core.index.tables import Instance
from tests.dicom.dataset import CT, ct
from tests.dicom.department import Department
from tests.dicom.stored import get, keys

PRIVATE, UNHEARD_OF = "1.3.12.2.1107.5.9.1", f"{conformance.STORAGE_PREFIX}999.42"
CLASSES = [str(context.abstract_syntax) for context in AllStoragePresentationContexts] + [PRIVATE, UNHEARD_OF]
OPAQUE = [syntax for syntax in STORAGE_SYNTAXES if syntax not in (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE)]


@pytest.fixture(autouse=True)
def as_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom sends the file, and does not write it anew."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)


def store(door: DicomServer, folder: Path, objects: list[tuple[str, str, str, bytes]]) -> None:
    """(class, instance, syntax, data set) each, over as many associations as their contexts need."""
    for some in chunks(objects, 120):
        entity = AE("CT1")
        for sop_class, syntax in {(sop_class, syntax) for sop_class, _uid, syntax, _data in some}:
            entity.add_requested_context(sop_class, syntax)
        association = entity.associate(*door.address, ae_title="YELEN")
        for sop_class, uid, syntax, data in some:
            path = folder / f"{uid}.dcm"
            path.write_bytes(file_meta(sop_class, uid, syntax, "CT1") + data)
            assert association.send_c_store(path).Status == 0, (sop_class, syntax)
        association.release()


def chunks(objects: list[tuple[str, str, str, bytes]], size: int) -> Iterator[list[tuple[str, str, str, bytes]]]:
    return (objects[at : at + size] for at in range(0, len(objects), size))


def images(door: DicomServer) -> dict[str, str]:
    """What a query at image level finds: instance -> class."""
    entity = AE("WS1")
    entity.add_requested_context(conformance.STUDY_ROOT_FIND, IMPLICIT_LE)
    association = entity.associate(*door.address, ae_title="YELEN")
    asked = keys("IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID="", SOPClassUID="")
    answers = [answer for _status, answer in association.send_c_find(asked, conformance.STUDY_ROOT_FIND)]
    association.release()
    return {str(answer.SOPInstanceUID): str(answer.SOPClassUID) for answer in answers if answer}


def test_every_storage_class_is_kept_found_and_given_back(
    department: Department, department_door: DicomServer, tmp_path: Path
) -> None:
    """Presentation states, key objects, reports, PDF, STL, waveforms, video, radiotherapy, private and unknown ones."""
    sent = {
        f"1.2.9.{n}": (sop_class, ct(sop_class=sop_class, sop_instance=f"1.2.9.{n}"))
        for n, sop_class in enumerate(CLASSES, 1)
    }
    store(department_door, tmp_path, [(each, uid, EXPLICIT_LE, data) for uid, (each, data) in sent.items()])
    assert images(department_door) == {uid: sop_class for uid, (sop_class, _data) in sent.items()}
    for some in range(0, len(CLASSES), 100):
        classes = CLASSES[some : some + 100]
        uids = [uid for uid, (sop_class, _data) in sent.items() if sop_class in classes]
        asked = keys("IMAGE", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", SOPInstanceUID=uids)
        fetched = get(department_door, asked, classes=classes, syntaxes=(EXPLICIT_LE,))
        assert fetched.objects == {uid: sent[uid][1] for uid in uids}


@pytest.mark.parametrize("syntax", OPAQUE)
def test_every_syntax_is_kept_and_given_back_untouched(
    department: Department, department_door: DicomServer, tmp_path: Path, syntax: str
) -> None:
    """Their pixels need not make sense to us: what is in them is not ours to change."""
    data = _encapsulated(syntax)
    store(department_door, tmp_path, [(CT, "1.2.9.1", syntax, data)])
    assert Instance.get().transfer_syntax == syntax
    asked = keys("STUDY", StudyInstanceUID="1.2.3")
    assert get(department_door, asked, syntaxes=(syntax,)).objects == {"1.2.9.1": data}


def _encapsulated(syntax: str) -> bytes:
    made: Dataset = dcmread(BytesIO(file_meta(CT, "1.2.9.1", EXPLICIT_LE, "CT1") + ct(sop_instance="1.2.9.1")))
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = (
        b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\x00\xe0\x08\x00\x00\x00codestr.\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    )
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    out = BytesIO()
    made.save_as(out, enforce_file_format=False)
    whole = out.getvalue()
    at = whole.index(b"\x08\x00\x05\x00CS")
    return whole[at:]


@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_BE])
def test_the_other_uncompressed_syntaxes_too(
    department: Department, department_door: DicomServer, tmp_path: Path, syntax: str
) -> None:
    data = ct(syntax, sop_instance="1.2.9.1")
    store(department_door, tmp_path, [(CT, "1.2.9.1", syntax, data)])
    asked = keys("STUDY", StudyInstanceUID="1.2.3")
    assert get(department_door, asked, syntaxes=(syntax,)).objects == {"1.2.9.1": data}
