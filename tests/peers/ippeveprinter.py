"""CUPS's `ippeveprinter`, a whole IPP Everywhere printer, in namespaces of its own.

It dies without DNS-SD, so it runs as root in private mount, net and pid namespaces with their own dbus and avahi;
killing the first process there ends them all. A forwarder carries 127.0.0.1 here to the printer's port there, and
can cut the line at will.

A script plays the mechanics: it keeps each document; the first sheet after `falls_ill` reports the reason and waits
for a hand; each ends with the exit status asked for.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests import skips

PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
PORT = 8632

_HOUSE = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon /run/cups /run/lock
ip link set lo up
ip link set lo multicast on
ip link add v0 type veth peer name v1
ip link set v0 up
ip link set v1 up
ip addr add 10.97.0.1/24 dev v0
ip route add 224.0.0.0/4 dev v0
dbus-daemon --system --fork --nopidfile
avahi-daemon -D --no-drop-root --no-chroot --no-rlimits
exec "$@"
"""

_MECHANICS = """#!/bin/sh
for document; do :; done
cp "$document" "{printed}/partial" && mv "{printed}/partial" "{printed}/$IPP_JOB_NAME"
ill=$(mv "{reasons}" "{reasons}.taken" && cat "{reasons}.taken")
for reason in $ill; do echo "STATE: +$reason" >&2; done
if [ -n "$ill" ]; then read hand < "{hand}"; fi
for reason in $ill; do echo "STATE: -$reason" >&2; done
exit $(cat "{status}")
"""


def skip_unless_possible() -> None:
    """Skips with one of the reasons everybody knows."""
    if os.geteuid() != 0:
        pytest.skip(skips.NOT_ROOT)
    if shutil.which("ippeveprinter") is None:
        pytest.skip(skips.NO_IPPEVEPRINTER)
    if shutil.which("avahi-daemon") is None or shutil.which("dbus-daemon") is None:
        pytest.skip(skips.NO_AVAHI)
    if subprocess.run(["unshare", "-m", "-n", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip(skips.NO_NAMESPACES)


class IppEvePrinter:
    """One printer; used as a context manager. `uri` is where it answers on this machine."""

    def __init__(self, folder: Path, formats: str = "application/pdf", conf: str = "") -> None:
        self.printed = folder / "printed"
        self._reasons, self._hand, self._status = folder / "reasons", folder / "hand", folder / "status"
        spool = folder / "spool"
        for made in (self.printed, spool):
            made.mkdir(parents=True)
        self._status.write_text("0")
        os.mkfifo(self._hand)
        paths = {"printed": self.printed, "reasons": self._reasons, "hand": self._hand, "status": self._status}
        script = folder / "mechanics.sh"
        script.write_text(_MECHANICS.format(**paths))
        script.chmod(0o755)
        self._command = ["ippeveprinter", "-v", "-p", str(PORT), "-n", "localhost", "-k", "-d", str(spool)]
        if conf:
            (folder / "printer.conf").write_text(conf)
            self._command += ["-a", str(folder / "printer.conf")]
        else:
            self._command += ["-c", str(script), "-f", formats, "-M", "Test", "-m", "A3Laser"]
        self._command.append("LASER1")
        self._is_up = threading.Event()
        self._said: list[bytes] = []

    def __enter__(self) -> IppEvePrinter:
        house = ["unshare", "-m", "-n", "--pid", "--fork", "--kill-child", "bash", "-c", _HOUSE, "house"]
        self._house = subprocess.Popen(
            house + self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_die_with_the_test
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        if not self._is_up.wait(30) or self._house.poll() is not None:
            raise RuntimeError(f"ippeveprinter did not start: {self._said!r}")
        self.line = Forwarder(self._house.pid, PORT)
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()
        os.kill(_first_child(self._house.pid), signal.SIGKILL)
        self._house.wait()
        self._listener.join()

    def _listen(self) -> None:
        """Its chatter, so that the pipe never fills; a death in the house also wakes the waiting test."""
        assert self._house.stdout is not None
        for line in self._house.stdout:
            self._said.append(line)
            if line.startswith(b"printer-uri-supported"):
                self._is_up.set()
        self._house.stdout.close()
        self._house.wait()
        self._is_up.set()

    @property
    def uri(self) -> str:
        return f"ipp://127.0.0.1:{self.line.port}/ipp/print"

    def falls_ill(self, *reasons: str) -> None:
        """The next sheet stops half-way with these printer-state-reasons."""
        written = self._reasons.with_suffix(".new")
        written.write_text(" ".join(reasons))
        written.rename(self._reasons)

    def is_cured(self) -> None:
        """Somebody comes with paper: the sheet under way ends."""
        with self._hand.open("w") as hand:
            hand.write("\n")

    def will_fail(self) -> None:
        self._status.write_text("1")


def _first_child(pid: int) -> int:
    """The first process of the pid namespace: with it, everything in there ends."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _die_with_the_test() -> None:
    """A test run that is killed leaves no printer behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Forwarder:
    """127.0.0.1:`port` here is 127.0.0.1:`there` in the net namespace of process `pid`."""

    def __init__(self, pid: int, there: int) -> None:
        self._namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        self._there = there
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self.swallow_answers = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _address = self._door.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        if ctypes.CDLL(None, use_errno=True).setns(self._namespace, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        with closing(near), suppress(OSError), socket.create_connection(("127.0.0.1", self._there)) as far:
            back = threading.Thread(target=self._answers, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()

    def _answers(self, far: socket.socket, near: socket.socket) -> None:
        """The printer's words, or a line that breaks as soon as it begins to speak."""
        if self.swallow_answers:
            far.recv(1)
            near.shutdown(socket.SHUT_RDWR)
            return
        _pump(far, near)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
