"""Threads that come and go share two pools of the C library's memory."""

from __future__ import annotations

import subprocess
import sys

from tests.install.boxes import environment

# Sixteen threads hold memory at once; then the library says how many pools it has made for them.
PROGRAM = """
import ctypes, sys, threading
from install.memory import keep_few_pools
if sys.argv[1] == "few":
    keep_few_pools()
together = threading.Barrier(17)
def hold():
    held = [bytes(2000) for _ in range(100)]
    together.wait()
    together.wait()
for _ in range(16):
    threading.Thread(target=hold).start()
together.wait()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
together.wait()
"""


def pools(said: str) -> int:
    command = [sys.executable, "-c", PROGRAM, said]
    told = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=True)
    return told.stdout.count("<heap nr=")


def test_many_threads_share_two_pools() -> None:
    assert pools("many") > 2
    assert pools("few") <= 2
