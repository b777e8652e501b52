"""strace on a running box: what it asks of the kernel, one call refused, or death at one call."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.skips import NO_STRACE

HANGING_S = 30
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
_RESULT = re.compile(r"\) += (-?\d+)(?:<.*>)?(?: .*)?$")
_NOT_SEEN = -2  # what the call gave: strace left, or the process died, before it ended


@dataclass(frozen=True, slots=True)
class Call:
    """One call. begun, ended: its places in the order of everything that was seen."""

    thread: int
    name: str
    said: str
    result: int
    begun: int
    ended: int


@contextmanager
def traced(process: int, *options: str, output: Path = Path("/dev/null")) -> Iterator[None]:
    """strace on every thread of a process while the block runs; skips the test where the kernel does not allow it."""
    command = ["strace", "-f", "-yy", "-s", "0", *options, "-o", str(output), "-p", str(process)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    try:
        if b"attached" not in tracer.stderr.readline():
            pytest.skip(NO_STRACE)
        yield
    finally:
        tracer.terminate()
        tracer.wait(HANGING_S)
        tracer.stderr.close()


def calls_of(output: Path) -> list[Call]:
    """The calls in the order in which they ended; one that others interrupted is put together again."""
    begun: dict[int, tuple[int, str]] = {}
    calls = []
    lines = output.read_text("utf-8", "replace").splitlines()
    for at, line in enumerate(lines):
        if (found := _LINE.match(line)) is None:
            continue
        thread, name, said = int(found[1]), found[2], found[3]
        start, first = begun.pop(thread, (at, ""))
        said = first + said
        if said.endswith(" <unfinished ...>"):
            begun[thread] = start, said.removesuffix(" <unfinished ...>")
            continue
        result = _RESULT.search(said)
        calls.append(Call(thread, name, said, int(result[1]) if result else _NOT_SEEN, start, at))
    return calls
