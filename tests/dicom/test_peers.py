"""DCMTK and pynetdicom as they come, against our door."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless
from pynetdicom import AE, evt

from core.archive.part10 import file_meta
from core.dicom.conformance import EXPLICIT_LE, VERIFICATION
from core.dicom.server import DicomServer
from tests.dicom.conftest import OpenDoor, Shelf
from tests.dicom.dataset import CT, ct
from tests.dicom.modality import PATIENCE
from tests.skips import corpus, needs_corpus, needs_dcmtk


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program)
    assert found is not None
    return subprocess.run([found, *arguments], capture_output=True, text=True, timeout=60, check=False)


def where(door: DicomServer) -> list[str]:
    return [door.address[0], str(door.address[1])]


def image(folder: Path, uid: str, pixels: int = 16) -> Path:
    path = folder / f"{uid}.dcm"
    path.write_bytes(file_meta(CT, uid, EXPLICIT_LE, "CT1") + ct(sop_instance=uid, pixels=bytes(pixels)))
    return path


@needs_dcmtk
def test_echoscu_is_answered(door: DicomServer) -> None:
    assert run("echoscu", "-aet", "CT1", "-aec", "YELEN", *where(door)).returncode == 0


@needs_dcmtk
@pytest.mark.parametrize("titles", [("-aet", "EVIL", "-aec", "YELEN"), ("-aet", "CT1", "-aec", "OTHER")])
def test_echoscu_of_a_stranger_is_rejected(door: DicomServer, titles: tuple[str, ...]) -> None:
    refused = run("echoscu", *titles, *where(door))
    assert refused.returncode != 0
    assert "Association Rejected" in refused.stderr


@needs_dcmtk
@pytest.mark.parametrize("pdu", ["4096", "16384", "131072"])
def test_storescu_stores_small_and_large_objects(door: DicomServer, shelf: Shelf, tmp_path: Path, pdu: str) -> None:
    sizes = {"1.2.3.1": 16, "1.2.3.2": 524_288, "1.2.3.3": 9 << 20}
    files = [str(image(tmp_path, uid, size)) for uid, size in sizes.items()]
    sent = run(
        "storescu", "-aet", "CT1", "-aec", "YELEN", "-R", "-pdu", pdu, "--max-send-pdu", pdu, *where(door), *files
    )
    assert sent.returncode == 0, sent.stderr
    assert {uid: len(data) for uid, data in shelf.kept.items()} == {
        uid: len(ct(sop_instance=uid, pixels=bytes(size))) for uid, size in sizes.items()
    }
    assert shelf.leftovers() == []


@needs_dcmtk
def test_storescu_that_aborts_in_mid_association_keeps_what_was_answered(
    door: DicomServer, shelf: Shelf, tmp_path: Path
) -> None:
    run("storescu", "-aet", "CT1", "-aec", "YELEN", "-R", "--abort", *where(door), str(image(tmp_path, "1.2.3.9")))
    assert list(shelf.kept) == ["1.2.3.9"]
    assert run("echoscu", "-aet", "CT1", "-aec", "YELEN", *where(door)).returncode == 0


@needs_dcmtk
@needs_corpus
def test_storescu_sends_compressed_objects_as_they_are(door: DicomServer, shelf: Shelf) -> None:
    folder = corpus()
    assert folder is not None
    path = folder / "transfer-syntax" / "pylibjpeg-data__CT1_JLSN.dcm"
    sent = run("storescu", "-aet", "CT1", "-aec", "YELEN", "-R", "-xu", *where(door), str(path))
    assert sent.returncode == 0, sent.stderr
    [kept] = shelf.kept.values()
    assert list(shelf.syntaxes.values()) == [JPEGLSNearLossless]
    assert kept[-50_000:] == path.read_bytes()[-50_000:]  # storescu rewrites the header, not the fragments


def test_pynetdicom_stores_and_echoes_on_one_association(door: DicomServer, shelf: Shelf, tmp_path: Path) -> None:
    modality = AE("CT1")
    modality.add_requested_context(VERIFICATION)
    modality.add_requested_context(CT, [EXPLICIT_LE, JPEGLSLossless])
    association = modality.associate(*door.address, ae_title="YELEN")
    assert association.is_established
    assert [context.transfer_syntax[0] for context in association.accepted_contexts][1] == EXPLICIT_LE
    for number in range(5):
        status = association.send_c_store(dcmread(image(tmp_path, f"1.2.3.{number + 1}", 1000)))
        assert status.Status == 0
        assert association.send_c_echo().Status == 0
    association.release()
    assert association.is_released
    assert len(shelf.kept) == 5


def test_four_pynetdicom_modalities_at_once(open_door: OpenDoor, shelf: Shelf, tmp_path: Path) -> None:
    door = open_door()
    associations = []
    for _ in range(4):
        modality = AE("CT1")
        modality.add_requested_context(CT, EXPLICIT_LE)
        associations.append(modality.associate(*door.address, ae_title="YELEN"))
    for number, association in enumerate(associations):
        assert association.send_c_store(dcmread(image(tmp_path, f"1.2.3.{number + 1}", 1000))).Status == 0
    for association in associations:
        association.release()
    assert len(shelf.kept) == 4


def test_pynetdicom_sees_our_abort_when_we_stop(open_door: OpenDoor) -> None:
    import threading

    door = open_door()
    aborted = threading.Event()
    modality = AE("CT1")
    modality.add_requested_context(VERIFICATION)
    handlers = [(evt.EVT_ABORTED, lambda _event: aborted.set())]
    association = modality.associate(*door.address, ae_title="YELEN", evt_handlers=handlers)
    assert association.send_c_echo().Status == 0
    door.stop()
    assert aborted.wait(PATIENCE)
