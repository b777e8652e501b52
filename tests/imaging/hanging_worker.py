"""A worker that never ends its first job, as a codec may; started by the tests in place of the real one."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

from core.imaging.wire import Job
from core.imaging.worker import Answer, serve


def hang(_job: Job, _fd: int) -> Answer:
    Path(sys.argv[1]).write_text("started")
    while True:
        signal.pause()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[2])), hang, 600)
