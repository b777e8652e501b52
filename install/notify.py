"""Telling systemd that the box is ready, alive or leaving. Source: sd_notify(3)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send one state, such as `READY=1`; does nothing when systemd did not start us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as said, suppress(OSError):
        said.connect(address)
        said.sendall(state.encode())


def watchdog_seconds() -> float | None:
    """How often systemd wants a sign of life, halved as it advises; None when it wants none."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2_000_000 if microseconds.isdigit() and microseconds != "0" else None
