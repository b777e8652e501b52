"""Is this machine well connected? Both ways, in French."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.config import Dicom
from core.dicom.door import open_door
from core.dicom.send import DicomSender
from core.model.device import Device
from core.services import Ports
from scanners.probe import probe
from tests.people.hospital import ADMIN, hospital
from tests.replication.buildings import until
from tests.skips import needs_dcmtk

pytestmark = [pytest.mark.peer, needs_dcmtk]


@contextmanager
def listening_machine() -> Iterator[int]:
    """dcmtk's storescp as the machine's own SCP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(["storescp", "--ignore", "-aet", "SCANNER1", str(port)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port), "the machine listens")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def test_a_probe_tells_both_ways_and_the_last_signs_of_life(tmp_path: Path) -> None:
    clock = SystemClock()
    ports = Ports(echo=DicomSender("YELEN", clock).echo)
    with hospital(tmp_path, clock, ports) as services, listening_machine() as port:
        services.devices.save(ADMIN, Device("SCANNER1", "127.0.0.1", port, addresses=("127.0.0.1",), room="SC1"))
        result, lines = probe(services, ADMIN, "scanner1")
        assert result.ok
        assert "répond en" in lines[0]
        assert "jamais" in lines[1], "the machine has not called us yet"
        zone = services.config.site.timezone
        server = open_door(services, Dicom(port=0), zone, tmp_path / "spool", clock, services.release_thread)
        server.start()
        try:
            call = ["echoscu", "-aet", "SCANNER1", "-aec", "YELEN", "127.0.0.1", str(server.address[1])]
            subprocess.run(call, check=True, timeout=30)
        finally:
            server.stop()
        _result, lines = probe(services, ADMIN, "SCANNER1")
        assert "jamais" not in lines[1]
        assert "jamais" in lines[2]


def test_a_machine_that_is_off_is_said_with_what_to_check(tmp_path: Path) -> None:
    ports = Ports(echo=DicomSender("YELEN", SystemClock()).echo)
    with hospital(tmp_path, SystemClock(), ports) as services:
        services.devices.save(ADMIN, Device("SCANNER1", "127.0.0.1", 1, addresses=("127.0.0.1",)))
        result, lines = probe(services, ADMIN, "SCANNER1")
        assert not result.ok
        assert lines[0] == result.sentence != ""
