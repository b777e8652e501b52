"""What a machine sent comes back with every value after the archive has made it smaller, and may be sent again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE

from core.clock import SetClock, SystemClock
from core.config import Archive
from core.dicom.door import open_door
from core.dicom.limits import Limits
from core.dicom.send import DicomSender
from core.imaging.imaging import Imaging
from core.index.tables import Instance, Quarantine, Study
from core.model.device import Device
from core.model.people import Actor
from core.services import Ports, Services
from core.services.compression import LATER_S, TARGETS
from tests.dicom.test_send import await_listener
from tests.peers.ports import free_port
from tests.people.hospital import ADMIN, MORNING, hospital, site_config
from tests.people.images import read_header
from tests.skips import corpus, needs_corpus, needs_dcmtk

REAL = (
    "pydicom__CT_small.dcm",
    "pydicom__MR_small.dcm",
    "pydicom__examples_rgb_color.dcm",
    "pydicom-data__color-pl.dcm",
)

pytestmark = [pytest.mark.corpus, pytest.mark.peer, needs_corpus, needs_dcmtk]


SENDER = DicomSender("YELEN", SystemClock())


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Services]:
    folder, imaging = tmp_path / "box", Imaging(deadline_s=120)
    config = site_config(folder, archive=Archive("always"))
    ports = Ports(read_header=read_header, store=SENDER.store)
    night = SetClock(MORNING + timedelta(hours=14))
    with hospital(folder, night, ports, config, imaging=imaging) as services:
        yield services
    imaging.close()


@contextmanager
def workstation(folder: Path, *options: str) -> Iterator[Device]:
    """DCMTK's storescp, which takes what its options say."""
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(["storescp", "-aet", "WS1", *options, "-od", str(folder), str(port)])
    device = Device("WS1", "127.0.0.1", port, role="workstation")
    try:
        await_listener(SENDER, device, process)
        yield device
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def modality(box: Services) -> Iterator[Any]:
    """Sends data sets to the box; their statuses."""
    zone, spool = box.config.site.timezone, box.kit.archive.data / "spool"
    door = open_door(box, box.config.dicom, zone, spool, SystemClock(), box.release_thread, Limits(tick=0.05))
    door.start()

    def send(objects: list[Dataset]) -> list[int]:
        machine = AE("SCANNER1")
        for each in objects:
            machine.add_requested_context(each.SOPClassUID, each.file_meta.TransferSyntaxUID)
        association = machine.associate("127.0.0.1", door.address[1], ae_title="YELEN")
        assert association.is_established
        statuses = [int(association.send_c_store(each).Status) for each in objects]
        association.release()
        return statuses

    yield send
    door.stop(2.0)


def rest(box: Services) -> None:
    """A person has settled whose they are; two hours later the archive has done its work."""
    settled = Study.update(match="unscheduled", suspect_step_id=None)
    box.kit.index.writer.do(lambda unit: settled.execute())
    box.clock.advance(7200)  # type: ignore[attr-defined]
    box.acquisition.settle(Actor.system("timer"))
    while box.compression.turn() < LATER_S:
        pass


def test_real_images_come_back_with_every_value_and_a_resend_is_a_success(
    box: Services, modality: Any, tmp_path: Path
) -> None:
    root = corpus()
    assert root is not None
    sent = [dcmread(root / "transfer-syntax" / name) for name in REAL]
    assert modality(sent) == [0x0000] * len(REAL)
    rest(box)
    kept = {i.sop_instance_uid: i for i in Instance.select()}
    assert {i.transfer_syntax for i in kept.values()} == set(TARGETS)
    there = sorted((tmp_path / "box" / "archive").rglob("*.dcm"))
    assert modality(sent) == [0x0000] * len(REAL)
    assert sorted((tmp_path / "box" / "archive").rglob("*.dcm")) == there
    assert Quarantine.select().count() == 0
    for name, options, as_kept in (("modern", ("+xa",), True), ("old", (), False)):
        with workstation(tmp_path / name, *options) as device:
            studies = [study.id for study in Study.select()]
            assert sum(box.studies.send(ADMIN, study, device) for study in studies) == len(REAL)
        back = {each.SOPInstanceUID: each for each in map(dcmread, (tmp_path / name).iterdir())}
        for each in sent:
            copy = back[each.SOPInstanceUID]
            assert (copy.file_meta.TransferSyntaxUID == kept[each.SOPInstanceUID].transfer_syntax) is as_kept
            assert np.array_equal(copy.pixel_array, each.pixel_array)
            assert as_kept or copy.PhotometricInterpretation == each.PhotometricInterpretation
