"""The same link through an rsync daemon, as over the VPN; a transfer that is cut goes on."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.config import Replica
from core.replication.verify import verify
from tests.people.hospital import hospital, site_config
from tests.people.images import arrival
from tests.replication.buildings import caught_up, hashes, linked, second_building, until
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


@contextmanager
def daemon(folder: Path, port: int = 0) -> Iterator[int]:
    """rsyncd on a free port of this machine, one module on `folder`; ended by its process."""
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    settings = folder.parent / "rsyncd.conf"
    settings.write_text(
        f"use chroot = no\nport = {port}\naddress = 127.0.0.1\nreverse lookup = no\n"
        f"[yelen]\npath = {folder}\nread only = no\nmunge symlinks = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n"
    )
    process = subprocess.Popen(["rsync", "--daemon", "--no-detach", f"--config={settings}"])
    try:
        until(lambda: _answers(port), "the rsync daemon listens")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_second_building_follows_through_a_daemon_and_proves_it(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    with hospital(here, SystemClock()) as services, second_building(there), daemon(there) as port:
        target = f"rsync://127.0.0.1:{port}/yelen"
        with linked(services, target) as link:
            for n in range(5):
                services.ingest.store(arrival(f"1.{n}", study="1.5", patient_id="E", name="BARRY^S", number=n))
            until(lambda: caught_up(link), "the second building has everything")
        config = site_config(here, replica=Replica(target=target))
        assert verify(config, SystemClock(), threading.Event().wait).ok
        victim = next((there / "archive").rglob("*.dcm"))
        victim.write_bytes(victim.read_bytes()[:-1] + b"x")
        assert not verify(config, SystemClock(), threading.Event().wait).ok


def test_a_daemon_that_goes_away_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    with hospital(here, SystemClock()) as services, second_building(there):
        with daemon(there) as port, linked(services, f"rsync://127.0.0.1:{port}/yelen") as link:
            services.ingest.store(arrival("1.0", study="1.5", patient_id="E", name="BARRY^S"))
            until(lambda: caught_up(link), "the first image is there")
        with linked(services, f"rsync://127.0.0.1:{port}/yelen") as link:
            for n in range(1, 30):
                services.ingest.store(arrival(f"1.{n}", study="1.5", patient_id="E", name="BARRY^S", number=n))
            until(lambda: bool(link.status()["error"]), "the link says that it is down")
            with daemon(there, port):
                until(lambda: caught_up(link), "the second building has everything")
        assert hashes(here) == hashes(there)
        assert len(hashes(there)) == 30
