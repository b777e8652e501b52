"""`yelen export` and `yelen import --export`, as an administrator types them."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tests.install.boxes import PASSWORD, YELEN, Box, environment, init, yelen

IMAGES = 30


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box with a disc in its archive."""
    folder = tmp_path_factory.mktemp("site")
    assert init(folder / "data", "site.hospital=CHU-CDG", "site.authority=CDG").returncode == 0
    (folder / "disc").mkdir()
    for number in range(1, IMAGES + 1):
        slice_of_a_head(number).save_as(folder / "disc" / f"{number}.dcm", enforce_file_format=True)
    done = yelen("import", str(folder / "disc"), data=folder / "data")
    assert done.returncode == 0, done.stdout
    yelen("room", "add", "SC1", "Scanner", "--modality", "CT", data=folder / "data")
    return folder / "data"


def slice_of_a_head(number: int) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, f"1.2.3.1.{number}"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.InstanceNumber = "1.2.3", "1.2.3.1", number
    image.PatientID, image.PatientName, image.Modality = "CDG0000001", "SANOU^Awa", "CT"
    image.Rows = image.Columns = 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.PixelData = 15, 0, bytes([number] * 128)
    return image


@pytest.fixture
def box(data: Path) -> Iterator[Box]:
    opened = Box(data)
    yield opened
    if opened.process.poll() is None:
        opened.stop()


def counts(data: Path) -> dict[str, int]:
    told = json.loads(yelen("status", "--json", data=data).stdout)
    return {name: told[name] for name in ("patients", "studies", "series", "instances", "quarantined")}


def test_a_running_box_is_exported_and_lives_again_elsewhere(box: Box, tmp_path: Path) -> None:
    done = yelen("export", "--all", "--to", str(tmp_path / "out"), data=box.data)
    assert done.returncode == 0, done.stderr
    assert "images : " in done.stderr
    assert "0 manquants" in done.stdout
    assert len(list((tmp_path / "out" / "DICOM").rglob("IM*"))) == IMAGES
    assert yelen("replica", "carry-keys", str(tmp_path / "keys.json"), data=box.data).returncode == 0
    there = counts(box.data)
    new = tmp_path / "new"
    init(new)
    done = yelen("import", "--export", str(tmp_path / "out"), "--keys", str(tmp_path / "keys.json"), data=new)
    assert done.returncode == 0, done.stderr
    again = Box(new)
    try:
        assert counts(new) == there
        assert yelen("room", "list", "--text", data=new).stdout.startswith("SC1\t")
        assert yelen("audit", "verify", data=new).returncode == 0
        assert yelen("verify", data=new).returncode == 0
        login = yelen("user", "add", "sana", "--roles", "RS", "--password-stdin", data=new, stdin=f"{PASSWORD}\n")
        assert login.returncode == 0, login.stderr
    finally:
        again.stop()


def test_an_export_whose_command_was_killed_is_completed_by_the_next_run(data: Path, tmp_path: Path) -> None:
    command = [*YELEN, "export", "--all", "--to", str(tmp_path / "out"), "--data", str(data)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "images" in process.stderr.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = yelen("export", "--all", "--to", str(tmp_path / "out"), data=data)
    assert done.returncode == 0, done.stderr
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.TXT"], cwd=tmp_path / "out", check=False)
    assert checked.returncode == 0


def test_what_is_asked_wrongly_is_one_sentence(data: Path, tmp_path: Path) -> None:
    for words, sentence in (
        (["export", "--to", str(tmp_path / "out")], "--all"),
        (["export", "--all", "--patient", "X", "--to", str(tmp_path / "out")], "Dire une chose"),
        (["export", "--patient", "CDG9", "--to", str(tmp_path / "out")], "Aucun patient"),
        (["export", "--all", "--to", str(data / "out")], "dossier des données"),
        (["import"], "des chemins, ou --export"),
        (["import", "--export", str(tmp_path)], "n'est pas un export complet"),
    ):
        done = yelen(*words, data=data)
        assert (done.returncode, sentence in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr


def test_an_export_is_not_brought_under_a_running_box(box: Box, tmp_path: Path) -> None:
    yelen("export", "--all", "--to", str(tmp_path / "out"), data=box.data)
    done = yelen("import", "--export", str(tmp_path / "out"), data=box.data)
    assert done.returncode == 1
    assert "tient déjà" in done.stderr


def test_an_export_is_in_the_audit(data: Path, tmp_path: Path) -> None:
    yelen("export", "--study", "1.2.3", "--to", str(tmp_path / "out"), data=data)
    with sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True) as index:
        told = index.execute("SELECT actor, action, object, detail FROM audit ORDER BY seq DESC LIMIT 2").fetchall()
    assert [line[1] for line in told] == ["export_done", "export"]
    assert told[0][0].startswith("uid:")
    assert "1.2.3" in told[1][3]
