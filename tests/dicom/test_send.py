"""What we say to other machines, heard by DCMTK."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom.sop_class import _STORAGE_CLASSES

from core.archive.outgoing import Wardrobe
from core.archive.part10 import file_meta
from core.clock import SetClock, SystemClock
from core.dicom import associate, conformance, upper_layer
from core.dicom.conformance import EXPLICIT_LE, IMPLICIT_LE
from core.dicom.negotiation import Agreement, Caller, negotiate
from core.dicom.send import DicomSender
from core.dicom.server import DicomServer
from core.dicom.store_scu import Patience
from core.errors import NotAllowed, Unreachable
from core.model.device import Device
from core.model.outgoing import Outgoing, Tally
from core.services.retrieval import Dresser
from tests.dicom.dataset import CT, ct
from tests.dicom.modality import PATIENCE
from tests.dicom.stored import sink
from tests.peers.ports import free_port
from tests.skips import needs_dcmtk


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


def archived(folder: Path, uid: str, syntax: str = EXPLICIT_LE, sop_class: str = CT) -> Outgoing:
    path = folder / f"{uid}.dcm"
    path.write_bytes(file_meta(sop_class, uid, syntax, "CT1") + ct(syntax, sop_instance=uid, sop_class=sop_class))
    return Outgoing(sop_class, uid, syntax, str(path))


def stored(sender: DicomSender, device: Device, objects: list[Outgoing]) -> Tally:
    """What became of objects that we sent, without an imaging worker."""
    tally = Tally(len(objects))
    sender.store(device, objects, Dresser(Wardrobe(SystemClock().now), None), tally)
    return tally


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
    assert stored(sender, device, files).counters == (0, 2, 0, 0)
    arrived = {str(dcmread(path).SOPInstanceUID): path for path in received.iterdir()}
    for path, syntax in zip(files, (EXPLICIT_LE, IMPLICIT_LE), strict=True):
        copy = arrived[path.sop_instance_uid]
        assert dcmread(copy).file_meta.TransferSyntaxUID == syntax
        assert copy.read_bytes().endswith(ct(syntax, sop_instance=path.sop_instance_uid))


@needs_dcmtk
def test_what_the_machine_does_not_take_fails_alone(
    sender: DicomSender, workstation: tuple[Device, Path], tmp_path: Path
) -> None:
    device, _ = workstation
    odd = archived(tmp_path, "1.2.3.4.5.3", "1.2.840.10008.1.2.4.999")
    tally = stored(sender, device, [odd, archived(tmp_path, "1.2.3.4.5.4")])
    assert (tally.completed, tally.failed) == (1, ["1.2.3.4.5.3"])


def test_a_machine_that_takes_no_context_is_not_said_to_be_silent(sender: DicomSender, tmp_path: Path) -> None:
    with sink(classes=("1.2.840.10008.5.1.4.1.1.4",)) as (port, _fetched):
        tally = stored(sender, Device("SINK", "127.0.0.1", port), [archived(tmp_path, "1.2.3.4.5.3")])
    assert tally.failed == ["1.2.3.4.5.3"]


def test_a_film_printer_receives_no_file(sender: DicomSender) -> None:
    with pytest.raises(NotAllowed):
        stored(sender, replace(Device("FILM", "127.0.0.1", 4), role="film"), [])


def test_a_machine_that_is_off_gets_nothing(sender: DicomSender, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="ne répond pas"):
        stored(sender, Device("WS9", "127.0.0.1", free_port()), [archived(tmp_path, "1.2.3.4.5.3")])


def test_more_classes_than_one_association_can_negotiate_all_arrive(sender: DicomSender, tmp_path: Path) -> None:
    classes = [uid for uid in _STORAGE_CLASSES.values() if uid.startswith(conformance.STORAGE_PREFIX)][:70]
    objects = [archived(tmp_path, f"1.2.9.{place}", sop_class=each) for place, each in enumerate(classes)]
    with sink(classes=classes) as (port, fetched):
        tally = stored(sender, Device("SINK", "127.0.0.1", port), objects)
    assert (tally.completed, tally.failed) == (70, [])
    assert len(fetched.objects) == 70


def test_a_machine_that_leaves_on_one_object_still_gets_the_others(sender: DicomSender, tmp_path: Path) -> None:
    taken: list[str] = []

    def take(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if uid == "1.2.9.2":
            event.assoc.abort()
        else:
            taken.append(uid)
        return 0

    with sink(take=take) as (port, _fetched):
        objects = [archived(tmp_path, f"1.2.9.{number}") for number in range(1, 5)]
        tally = stored(sender, Device("SINK", "127.0.0.1", port), objects)
    assert (taken, tally.failed) == (["1.2.9.1", "1.2.9.3", "1.2.9.4"], ["1.2.9.2"])


def test_a_machine_that_answers_nothing_is_given_up_by_the_clock(tmp_path: Path) -> None:
    clock = SetClock(datetime(2026, 3, 2, 8, tzinfo=UTC))
    sender = DicomSender("YELEN", clock, Patience(tick=0.01))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        device = Device("WS9", "127.0.0.1", silent.getsockname()[1])
        tally = Tally(1)
        with pytest.raises(Unreachable, match="ne répond pas"):
            sender.store(
                device,
                [archived(tmp_path, "1.2.9.1")],
                Dresser(Wardrobe(clock.now), None),
                tally,
                watch=lambda: clock.advance(1.0),
            )
    assert clock.monotonic() < 20


class Liar:
    """A machine that claims a PDU of gigabytes and sends for as long as it is listened to. accepts: a request first."""

    def __init__(self, accepts: bool, kind: int) -> None:
        self._accepts, self._kind = accepts, kind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.device = Device("LIAR", *self._listener.getsockname())
        self.sent = 0
        self._thread = threading.Thread(target=self._lie, daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self._listener.close()

    def _lie(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            request = connection.recv(65_536)
            if self._accepts:
                read = associate.decode(request[6:])
                agreement = negotiate(read, "127.0.0.1", "LIAR", Everybody(), lambda *_: (IMPLICIT_LE,), 16_384)
                assert isinstance(agreement, Agreement)
                connection.sendall(associate.encode(agreement.acceptance))
                connection.recv(65_536)
            connection.sendall(upper_layer.HEADER.pack(self._kind, 300_000_000))
            while self.sent < 300_000_000:
                self.sent += connection.send(bytes(1 << 20))


class Everybody:
    def admit(self, ae_title: str, address: str, line: object = None) -> Caller:
        return Caller(ae_title, address)


@pytest.mark.parametrize(
    ("accepts", "kind"), [(False, upper_layer.ASSOCIATE_AC), (True, upper_layer.P_DATA_TF)], ids=["accept", "data"]
)
def test_row_37_a_machine_that_claims_300_megabytes_is_left(sender: DicomSender, accepts: bool, kind: int) -> None:
    liar = Liar(accepts, kind)
    with pytest.raises(Unreachable):
        sender.echo(liar.device)
    liar.join()
    assert liar.sent < 32 << 20  # what the sockets hold, and not what it wanted us to
