"""What we say to other machines, heard by DCMTK."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from core.archive.part10 import file_meta
from core.clock import SystemClock
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.errors import NotAllowed, Unreachable
from core.model.device import Device
from tests.dicom.dataset import CT, ct
from tests.dicom.modality import PATIENCE
from tests.skips import needs_dcmtk


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def sender() -> DicomSender:
    return DicomSender("YELEN", SystemClock())


@pytest.fixture
def workstation(tmp_path: Path, sender: DicomSender) -> Iterator[tuple[Device, Path]]:
    """DCMTK's storescp, and the folder where it puts what it receives."""
    received = tmp_path / "received"
    received.mkdir()
    port = free_port()
    program = shutil.which("storescp")
    assert program is not None
    process = subprocess.Popen([program, "-aet", "WS1", "+xa", "+B", "-od", str(received), str(port)])
    device = Device("WS1", "127.0.0.1", port, role="workstation")
    try:
        await_listener(sender, device, process)
        yield device, received
    finally:
        process.terminate()
        process.wait(10)


def await_listener(sender: DicomSender, device: Device, process: subprocess.Popen[bytes]) -> None:
    """Until the program has opened its port."""
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            sender.echo(device)
            return
        except Unreachable:
            continue
    raise AssertionError("storescp does not listen")


def archived(folder: Path, uid: str, syntax: str = EXPLICIT_LE) -> Path:
    path = folder / f"{uid}.dcm"
    path.write_bytes(file_meta(CT, uid, syntax, "CT1") + ct(syntax, sop_instance=uid))
    return path


def test_our_own_door_answers_our_echo(door: DicomServer) -> None:
    host, port = door.address
    assert DicomSender("CT1", SystemClock()).echo(Device("YELEN", host, port)) >= 0


def test_a_door_that_rejects_us_says_what_to_do(door: DicomServer) -> None:
    host, port = door.address
    with pytest.raises(Unreachable, match="à déclarer"):
        DicomSender("STRANGER", SystemClock()).echo(Device("YELEN", host, port))


def test_a_machine_that_is_off_is_unreachable(sender: DicomSender) -> None:
    with pytest.raises(Unreachable, match="ne répond pas"):
        sender.echo(Device("CT9", "127.0.0.1", free_port()))
    with pytest.raises(Unreachable, match="n'écoute pas"):
        sender.echo(Device("CT9"))


@needs_dcmtk
def test_a_workstation_receives_the_stored_bytes(
    sender: DicomSender, workstation: tuple[Device, Path], tmp_path: Path
) -> None:
    device, received = workstation
    files = [archived(tmp_path, "1.2.3.4.5.1"), archived(tmp_path, "1.2.3.4.5.2", IMPLICIT_LE)]
    assert sender.send_files(device, files) == 2
    arrived = {str(dcmread(path).SOPInstanceUID): path for path in received.iterdir()}
    for path, syntax in zip(files, (EXPLICIT_LE, IMPLICIT_LE), strict=True):
        copy = arrived[path.stem]
        assert dcmread(copy).file_meta.TransferSyntaxUID == syntax
        assert copy.read_bytes().endswith(ct(syntax, sop_instance=path.stem))


@needs_dcmtk
def test_what_the_machine_does_not_take_is_not_counted(
    sender: DicomSender, workstation: tuple[Device, Path], tmp_path: Path
) -> None:
    device, _ = workstation
    odd = archived(tmp_path, "1.2.3.4.5.3", "1.2.840.10008.1.2.4.999")
    assert sender.send_files(device, [odd, archived(tmp_path, "1.2.3.4.5.4")]) == 1


def test_a_film_printer_receives_no_file(sender: DicomSender) -> None:
    with pytest.raises(NotAllowed):
        sender.send_files(replace(Device("FILM", "127.0.0.1", 4), role="film"), [])
