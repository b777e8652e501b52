"""Somebody else's archive beside ours: Orthanc and DCMTK's own, in both directions, as they come."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from core.archive.part10 import file_meta, read_file_meta
from core.clock import SetClock, SystemClock
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.peer_archive import PeerArchives
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.index.tables import Instance
from core.model.fetching import FetchState, StudyCriteria
from core.model.outgoing import Tally
from tests.dicom.dataset import CT, ct
from tests.dicom.department import RECEPTION, Department
from tests.dicom.modality import PATIENCE
from tests.dicom.stored import keep
from tests.dicom.test_peers import image, run, where
from tests.dicom.test_send import await_listener
from tests.peers.orthanc import Orthanc, orthanc
from tests.peers.ports import free_port
from tests.skips import needs_dcmtk, needs_orthanc


@pytest.fixture
def beside(tmp_path: Path, department: Department, department_door: DicomServer) -> Iterator[Orthanc]:
    """Orthanc as a second archive and as a workstation."""
    with orthanc(tmp_path, "ORTHANC", department_door.address[1], DicomAlwaysAllowStore=True) as made:
        department.machine("ORTHANC", role="workstation", host="127.0.0.1", port=made.dicom, all_rooms=True)
        yield made


@needs_orthanc
def test_orthanc_echoes_finds_and_fetches_from_us(beside: Orthanc, department: Department) -> None:
    sent = {f"1.2.9.{n}": keep(department, f"1.2.9.{n}", study="1.2.3") for n in range(1, 4)}
    beside.post("/modalities/YELEN/echo", {})
    query = beside.post(
        "/modalities/YELEN/query", {"Level": "Study", "Query": {"PatientID": "P-0042", "StudyDescription": ""}}
    )["ID"]
    [answer] = beside.get(f"/queries/{query}/answers")
    found = beside.get(f"/queries/{query}/answers/{answer}/content?simplify")
    assert (found["StudyInstanceUID"], found["StudyDescription"]) == ("1.2.3", "Scanner cérébral")
    beside.post(f"/queries/{query}/retrieve", b"ORTHANC")
    held = beside.get("/instances?expand")
    assert {instance["MainDicomTags"]["SOPInstanceUID"] for instance in held} == set(sent)


@needs_orthanc
def test_orthanc_reads_our_worklist(beside: Orthanc, department: Department, clock: SetClock) -> None:
    child = department.child("OUEDRAOGO", "Awa", "2019-05-04")
    line = department.order(child, "TDMCER", "SCAN", clock.now())
    asked = {"PatientName": "OUED*", "AccessionNumber": "", "ScheduledProcedureStepSequence": []}
    answers = beside.post("/modalities/YELEN/find-worklist", asked)
    assert [answer["AccessionNumber"] for answer in answers] == [line.accession_number]


@needs_orthanc
def test_orthanc_sends_to_us_and_we_send_to_orthanc(beside: Orthanc, department: Department) -> None:
    name = beside.post("/instances", file_meta(CT, "1.2.9.1", EXPLICIT_LE, "X") + ct(sop_instance="1.2.9.1"))["ID"]
    assert beside.post("/modalities/YELEN/store", [name])["FailedInstancesCount"] == 0
    kept = department.kit.archive.absolute(Instance.get().path).read_bytes()
    assert kept[read_file_meta(kept).dataset_offset :] == ct(sop_instance="1.2.9.1")
    keep(department, "1.2.9.2", study="1.2.5")
    sent = send(department, "1.2.9.2", "ORTHANC")
    assert (sent.completed, sent.failed) == (1, [])
    assert len(beside.get("/instances")) == 2


def send(department: Department, uid: str, to: str) -> Tally:
    """Our own sender, one image."""
    retrieval = department.services.retrieval
    objects = retrieval.of_study(Instance.get(Instance.sop_instance_uid == uid).series.study_id)
    device = department.devices.by_ae(to)
    assert device is not None
    tally = Tally(len(objects))
    DicomSender("YELEN", SystemClock()).store(device, objects, retrieval.dresser(), tally)
    return tally


@pytest.fixture
def dcmqrscp(tmp_path: Path, department: Department, department_door: DicomServer) -> Iterator[int]:
    """DCMTK's archive; its port. It knows our door as YELEN."""
    folder, port = tmp_path / "qr", free_port()
    folder.mkdir()
    (tmp_path / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nyelen = (YELEN, 127.0.0.1, {department_door.address[1]})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQR {folder} RW (1000, 1024mb) ANY\nAETable END\n"
    )
    program = shutil.which("dcmqrscp")
    assert program is not None
    process = subprocess.Popen([program, "-c", str(tmp_path / "dcmqrscp.cfg")])
    department.machine("DCMQR", role="archive", host="127.0.0.1", port=port)
    device = department.devices.by_ae("DCMQR")
    assert device is not None
    try:
        await_listener(DicomSender("YELEN", SystemClock()), device, process)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


@needs_dcmtk
def test_an_image_goes_to_dcmqrscp_and_comes_back_the_same(dcmqrscp: int, department: Department) -> None:
    keep(department, "1.2.9.2", study="1.2.5", pixels=bytes(300_000))
    assert send(department, "1.2.9.2", "DCMQR").completed == 1
    archives = PeerArchives(DicomSender("YELEN", SystemClock()), "YELEN")
    device = department.devices.by_ae("DCMQR")
    assert device is not None
    found = archives.studies(device, StudyCriteria(patient_id="P-0042"))
    assert [study.study_instance_uid for study in found] == ["1.2.5"]
    assert archives.move(device, "1.2.5").failed == 0, "the same bytes again are a success"
    assert Instance.select().count() == 1


@needs_dcmtk
def test_what_dcmqrscp_holds_comes_in(dcmqrscp: int, department: Department, tmp_path: Path) -> None:
    files = [str(image(tmp_path, f"1.2.3.{n}", 300_000)) for n in range(1, 4)]
    assert run("storescu", "-aet", "CT1", "-aec", "DCMQR", "127.0.0.1", str(dcmqrscp), *files).returncode == 0
    department.services.ports.archives = PeerArchives(DicomSender("YELEN", SystemClock()), "YELEN")
    fetching = department.services.fetching
    fetching.migrate(RECEPTION, "DCMQR", date(2026, 1, 1), date(2026, 12, 31))
    due = fetching.due()
    assert due is not None
    assert fetching.fetch(due).state is FetchState.DONE
    assert Instance.select().count() == 3


@needs_dcmtk
def test_dcmsend_reports_every_file_as_stored(
    department: Department, department_door: DicomServer, tmp_path: Path
) -> None:
    files = [str(image(tmp_path, f"1.2.3.{n}")) for n in range(1, 6)]
    report = tmp_path / "report"
    sent = run(
        "dcmsend", "-aet", "CT1", "-aec", "YELEN", "+ma", "+crf", str(report), *where(department_door), *files
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    assert "* with status SUCCESS  : 5" in report.read_text()
    assert Instance.select().count() == 5
