"""A TCP port for a program that must be told its own before it starts."""

from __future__ import annotations

import random
import socket

OUR_OWN = range(15_000, 32_000)
"""Below the ephemeral ports: no client of anybody takes one of these between the look and the start."""


def free_port() -> int:
    """One that nobody listens on."""
    while True:
        port = random.choice(OUR_OWN)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
