"""Where the terminals' socket is: a Unix socket's path holds about a hundred bytes, a data folder's may hold more."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

LONGEST = 100  # sockaddr_un.sun_path is 108 bytes with its terminating zero; some systems have 104


def socket_path(data: Path, configured: str = "") -> tuple[Path, bool]:
    """The path, and whether it is the short one that stands in for a path too long.

    The short one is always the same for the same folder, inside a folder that only this account can enter.
    """
    wanted = Path(configured) if configured else data.absolute() / "yelen.sock"
    if len(os.fsencode(wanted)) <= LONGEST:
        return wanted, False
    name = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"yelen-{os.getuid()}" / f"{name}.sock", True
