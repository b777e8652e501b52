"""A box dies after it promised to answer for images: the answer comes all the same."""

from __future__ import annotations

from pathlib import Path

from pynetdicom import AE
from pynetdicom.sop_class import StorageCommitmentPushModel

from core.dicom.conformance import EXPLICIT_LE
from tests.dicom.dataset import CT, ct
from tests.dicom.modality import Modality, request_command
from tests.dicom.test_commitment import Told, ask, images, listening
from tests.install.boxes import Box, init, yelen


def store(box: Box, uid: str) -> None:
    with Modality(("127.0.0.1", box.port("dicom"))) as ct1:
        ct1.associate(contexts=[(1, CT, [EXPLICIT_LE])])
        assert ct1.ask(1, request_command(1, CT, 1, uid), ct(sop_instance=uid)) == 0
        ct1.release()


def request(box: Box, *uids: str) -> None:
    entity = AE("CT1")
    entity.add_requested_context(StorageCommitmentPushModel)
    association = entity.associate("127.0.0.1", box.port("dicom"), ae_title="YELEN")
    assert association.is_established
    assert ask(association, images(*uids)) == 0
    association.release()


def test_a_request_that_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """Killed while it waits for the last image; the machine hears of both once that one has come."""
    data, told = tmp_path / "data", Told()
    assert init(data).returncode == 0
    with listening(told) as port:
        added = yelen(
            "device", "add", "CT1", "--address", "127.0.0.1", "--commit-host", "127.0.0.1", "--commit-port", str(port),
            data=data,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        box = Box(data)
        store(box, "1.2.3.1")
        request(box, "1.2.3.1", "1.2.3.2")
        box.kill()
        assert told.nothing
        again = Box(data)
        store(again, "1.2.3.2")
        assert told.next() == (1, ["1.2.3.1", "1.2.3.2"], {})
        assert again.stop() == 0
