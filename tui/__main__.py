"""`python -m tui SOCKET [POST]`: the terminal without the `yelen` command."""

from __future__ import annotations

import sys
from pathlib import Path

from tui import run

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("python -m tui SOCKET [POST]")
    sys.exit(run(Path(sys.argv[1]), *sys.argv[2:3]))
