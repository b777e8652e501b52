"""What a box writes in its log while it works: no patient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt

from tests.install.boxes import Box, init, yelen

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def answer(_event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    study = Dataset()
    study.QueryRetrieveLevel, study.StudyInstanceUID = "STUDY", "1.2.3"
    study.PatientID, study.PatientName, study.StudyDate = "SECRET-42", "SECRET^Aicha", "20240105"
    yield 0xFF00, study
    yield 0x0000, None


@pytest.fixture
def archive() -> Iterator[int]:
    """Another archive that knows one study of one child."""
    entity = AE("ANCIEN")
    entity.add_supported_context(STUDY_ROOT_FIND)
    server: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)])
    yield server.socket.getsockname()[1]
    server.shutdown()


def test_asking_another_archive_writes_no_patient_into_the_log(tmp_path: Path, archive: int) -> None:
    data = tmp_path / "data"
    assert init(data).returncode == 0
    box = Box(data)
    try:
        there = ("--address", "127.0.0.1", "--host", "127.0.0.1", "--port", str(archive), "--role", "archive")
        assert yelen("device", "add", "ANCIEN", *there, data=data).returncode == 0
        asked = yelen("migrate", "ANCIEN", "--from", "2024-01-01", "--to", "2024-01-31", data=data)
        assert "1 études à venir" in asked.stdout, asked.stdout + asked.stderr
    finally:
        box.stop()
    box._complaints.join()
    log = "".join(box.said)
    assert "SECRET" not in log
    assert "pynetdicom" not in log
