"""An rsync daemon on loopback, with the configuration that the README gives."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.ports import free_port
from tests.replication.buildings import ROOT, until


def configuration(folder: Path, port: int) -> str:
    """The block of the README, for this folder, port and account."""
    readme = (ROOT / "core" / "replication" / "README.md").read_text("utf-8")
    (block,) = re.findall(r"```ini\n(.*?)```", readme, re.DOTALL)
    for key, value in {"port": port, "path": folder, "uid": os.getuid(), "gid": os.getgid()}.items():
        block, times = re.subn(rf"^{key} = .*$", f"{key} = {value}", block, flags=re.MULTILINE)
        assert times == 1, key
    log = folder.parent / "rsyncd.log"
    extra = (
        f"address = 127.0.0.1\nreverse lookup = no\nlog file = {log}\ntransfer logging = yes\nlog format = %o %b %f\n"
    )
    return extra + block


def bytes_received(folder: Path, name: str) -> list[int]:
    """What each transfer of a file cost, from the daemon's log."""
    log = (folder.parent / "rsyncd.log").read_text("utf-8")
    return [int(size) for size in re.findall(rf"recv (\d+) \S*{re.escape(name)}$", log, re.MULTILINE)]


class Daemon:
    """One module, `yelen`, on a folder. Ended by its process, with whatever serves a transfer."""

    def __init__(self, folder: Path, port: int) -> None:
        settings = folder.parent / "rsyncd.conf"
        settings.write_text(configuration(folder, port))
        self.url = f"rsync://127.0.0.1:{port}/yelen"
        self._port = port
        self._process = subprocess.Popen(
            ["rsync", "--daemon", "--no-detach", f"--config={settings}"], start_new_session=True
        )
        until(self._answers, "the rsync daemon listens")

    def receivers(self) -> list[int]:
        """The processes that serve transfers now."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(words[3]) == self._process.pid and int(status.parent.name) != self._process.pid:
                found.append(int(status.parent.name))
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


@contextmanager
def daemon(folder: Path, port: int = 0) -> Iterator[Daemon]:
    running = Daemon(folder, port or free_port())
    try:
        yield running
    finally:
        running.stop()
