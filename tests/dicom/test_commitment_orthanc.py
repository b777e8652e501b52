"""Orthanc as a modality that asks us to answer for what it sent."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from core.archive.part10 import file_meta
from core.clock import SetClock
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.server import DicomServer
from core.index.tables import CommitmentRow
from tests.dicom.dataset import CT, ct
from tests.dicom.department import Department
from tests.dicom.modality import PATIENCE
from tests.dicom.test_send import free_port
from tests.skips import needs_orthanc

pytestmark = needs_orthanc


class Orthanc:
    """Its REST interface."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self._url + path, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: bytes | dict[str, Any] | list[Any]) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self._url + path, content), timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def commitment(self, name: str) -> dict[str, Any]:
        """The report of a transaction, once it is there."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found: dict[str, Any] = self.get(f"/storage-commitment/{name}")
            if found["Status"] != "Pending":
                return found
        raise AssertionError("no report")


@pytest.fixture
def orthanc(tmp_path: Path, department: Department, reporting_door: DicomServer) -> Iterator[Orthanc]:
    http, dicom = free_port(), free_port()
    settings = {
        "Name": "CT1", "StorageDirectory": str(tmp_path / "db"), "IndexDirectory": str(tmp_path / "db"),
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "HttpPort": http, "DicomPort": dicom,
        "DicomAet": "CT1", "Plugins": [],
        "DicomModalities": {"YELEN": {"AET": "YELEN", "Host": "127.0.0.1", "Port": reporting_door.address[1],
                                      "AllowStorageCommitment": True}},
    }  # fmt: skip
    (tmp_path / "peer.json").write_text(json.dumps(settings))
    program = shutil.which("Orthanc")
    assert program is not None
    log = (tmp_path / "orthanc.log").open("w")
    process = subprocess.Popen([program, str(tmp_path / "peer.json")], stdout=log, stderr=log)
    department.machine("CT1", room="SCAN", modality="CT", host="127.0.0.1", port=dicom)
    made = Orthanc(http)
    try:
        _await(made, process)
        yield made
    finally:
        process.terminate()
        process.wait(PATIENCE)
        log.close()


def _await(made: Orthanc, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            made.get("/system")
            return
        except URLError:
            continue
    raise AssertionError("Orthanc does not answer")


def sent(orthanc: Orthanc, *uids: str) -> None:
    """Images of Orthanc that it stores with us."""
    names = []
    for uid in uids:
        image = file_meta(CT, uid, EXPLICIT_LE, "CT1") + ct(sop_instance=uid)
        names.append(orthanc.post("/instances", image)["ID"])
    answer = orthanc.post("/modalities/YELEN/store", names)
    assert answer["FailedInstancesCount"] == 0


def test_orthanc_hears_that_its_images_are_safe(orthanc: Orthanc, department: Department) -> None:
    sent(orthanc, "1.2.3.1", "1.2.3.2")
    asked = orthanc.post("/modalities/YELEN/storage-commitment", {"DicomInstances": [[CT, "1.2.3.1"], [CT, "1.2.3.2"]]})
    report = orthanc.commitment(asked["ID"])
    assert report["Status"] == "Success"
    assert {item["SOPInstanceUID"] for item in report["Success"]} == {"1.2.3.1", "1.2.3.2"}
    department.until(lambda: bool(CommitmentRow.get().state == "REPORTED"))


def test_orthanc_hears_which_image_is_missing(
    orthanc: Orthanc,
    department: Department,
    clock: SetClock,
) -> None:
    sent(orthanc, "1.2.3.1")
    asked = orthanc.post("/modalities/YELEN/storage-commitment", {"DicomInstances": [[CT, "1.2.3.1"], [CT, "1.2.3.9"]]})
    department.until(lambda: CommitmentRow.select().count() == 1)
    clock.advance(601)
    report = orthanc.commitment(asked["ID"])
    assert report["Status"] == "Failure"
    [missing] = report["Failures"]
    assert (missing["SOPInstanceUID"], missing["FailureReason"]) == ("1.2.3.9", 0x0112)
