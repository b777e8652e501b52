"""Orthanc as a modality that asks us to answer for what it sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.archive.part10 import file_meta
from core.clock import SetClock
from core.dicom.conformance import EXPLICIT_LE
from core.dicom.server import DicomServer
from core.index.tables import CommitmentRow
from tests.dicom.dataset import CT, ct
from tests.dicom.department import Department
from tests.peers.orthanc import Orthanc
from tests.peers.orthanc import orthanc as started
from tests.skips import needs_orthanc

pytestmark = needs_orthanc


@pytest.fixture
def orthanc(tmp_path: Path, department: Department, reporting_door: DicomServer) -> Iterator[Orthanc]:
    with started(tmp_path, "CT1", reporting_door.address[1]) as made:
        department.machine("CT1", room="SCAN", modality="CT", host="127.0.0.1", port=made.dicom)
        yield made


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
