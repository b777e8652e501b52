"""The order in which the box makes an image durable, as the kernel sees it: file, name, folder, index, answer."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.requests import Store
from tests.crash.ward import child, image
from tests.days.site import Site
from tests.replication.buildings import until
from tests.skips import NO_STRACE, needs_strace

CALL = re.compile(r"^(\d+) +(?:[\d.:]+ )?(\w+)\((.*?)\) += (-?\d+)")
TRACED = "trace=openat,fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg,write,writev,close"


def traced(site: Site, output: Path) -> subprocess.Popen[bytes]:
    """strace on every thread of the box; skips where the kernel does not allow it."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-yy", "-s", "0", "-e", TRACED, "-o", str(output), "-p", str(site.box.process.pid)],
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr is not None
    first = tracer.stderr.readline()
    if b"attached" not in first:
        tracer.wait(10)
        pytest.skip(NO_STRACE)
    return tracer


@needs_strace
def test_an_image_is_durable_before_it_is_acknowledged(tmp_path: Path) -> None:
    site = Site(tmp_path).start()
    try:
        site.furnish()
        output = tmp_path / "calls"
        tracer = traced(site, output)
        who = child(1)
        for n in range(4):
            store = Store(
                f"s{n}", ("127.0.0.1", site.box.port("dicom")), "RADIO1", f"1.9.{n}", image(who, "1.9", f"1.9.{n}")
            )
            store.send()
            store.answer()
        tracer.terminate()
        tracer.wait(20)
    finally:
        site.close()
    until(lambda: output.exists(), "the trace was written")
    calls = [m.groups() for line in output.read_text("utf-8", "replace").splitlines() if (m := CALL.match(line))]
    renames = [n for n, (_t, name, said, _r) in enumerate(calls) if name.startswith("rename") and ".dcm.part" in said]
    assert len(renames) == 4
    for at in renames:
        _check_one(calls, at)


def _check_one(calls: list[tuple[str, ...]], at: int) -> None:
    """What stands around one rename."""
    thread, _name, said, _result = calls[at]
    part = re.search(r'"([^"]*\.dcm\.part)"', said)
    assert part is not None
    folder = re.compile(rf"<[^>]*{re.escape(part[1].rpartition('/')[0])}>")
    assert any(c[1] == "fsync" and f"<{part[1]}>" in c[2] for c in calls[:at]), "the file is synced before its name"
    rest = calls[at + 1 :]
    folder_sync = _first(rest, lambda c: c[1] == "fsync" and folder.search(c[2]) is not None)
    index_sync = _first(rest, lambda c: c[1] in ("fsync", "fdatasync") and "index.sqlite-wal" in c[2])
    reply = _first(rest, lambda c: c[0] == thread and c[1] in ("sendto", "sendmsg", "write") and "TCP" in c[2])
    assert folder_sync < index_sync < reply, (folder_sync, index_sync, reply)


def _first(calls: list[tuple[str, ...]], wanted: Callable[[tuple[str, ...]], bool]) -> int:
    return next(n for n, call in enumerate(calls) if wanted(call))
