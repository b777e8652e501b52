"""A worker that dies on every job, as a codec may make it; started by the tests in place of the real one."""

from __future__ import annotations

import os
import socket
import sys

from core.imaging.wire import Job
from core.imaging.worker import Answer, serve


def die(_job: Job, _fd: int) -> Answer:
    os._exit(139)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), die, 600)
