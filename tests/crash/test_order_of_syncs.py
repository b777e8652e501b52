"""The order in which the box makes an image durable, as the kernel sees it: file, name, folder, index, answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

from tests.crash.requests import Store
from tests.crash.traced import Call, calls_of, traced
from tests.crash.ward import child, image
from tests.days.site import Site
from tests.skips import needs_strace

TRACED = "trace=fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg"
MACHINES, IMAGES = 2, 3


@needs_strace
def test_an_image_is_durable_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Two machines at once: what one makes durable never answers for the other."""
    site, output = Site(tmp_path).start(), tmp_path / "calls"
    try:
        site.furnish()
        with traced(site.box.process.pid, "-e", TRACED, output=output):
            machines = [threading.Thread(target=_send, args=(site, machine)) for machine in range(MACHINES)]
            for machine in machines:
                machine.start()
            for machine in machines:
                machine.join()
    finally:
        site.close()
    calls = calls_of(output)
    renames = [c for c in calls if c.name.startswith("rename") and ".dcm.part" in c.said]
    assert len(renames) == MACHINES * IMAGES
    replies = [_check_one(calls, rename) for rename in renames]
    assert len(set(replies)) == len(replies), "each image has an answer of its own"


def _send(site: Site, machine: int) -> None:
    for n in range(IMAGES):
        uid = f"1.9.{machine}.{n}"
        address = ("127.0.0.1", site.box.port("dicom"))
        store = Store(uid, address, "RADIO1", uid, image(child(machine), f"1.9.{machine}", uid))
        store.send()
        store.answer()


def _check_one(calls: list[Call], rename: Call) -> int:
    """What stands around one rename; where its answer begins."""
    found = re.search(r'"([^"]*\.dcm\.part)"', rename.said)
    assert found is not None
    assert rename.result == 0
    part, folder = found[1], found[1].rpartition("/")[0]
    own = [c for c in calls if c.thread == rename.thread]
    file = _first(own, 0, lambda c: c.name == "fsync" and f"<{part}>" in c.said)
    assert file.ended < rename.begun, "the file is synced before it has its name"
    beside = _first(own, rename.ended, lambda c: c.name == "fsync" and f"<{folder}>" in c.said)
    index = _first(calls, beside.ended, lambda c: "sync" in c.name and "index.sqlite-wal>" in c.said)
    reply = _first(own, rename.ended, lambda c: c.name.startswith("send") and "<TCP" in c.said)
    assert index.ended < reply.begun, "the index is synced after the folder and before the answer"
    assert (file.result, beside.result, index.result) == (0, 0, 0)
    return reply.begun


def _first(calls: list[Call], after: int, wanted: Callable[[Call], bool]) -> Call:
    """The first such call that begins after that place."""
    found = next((c for c in calls if c.begun >= after and wanted(c)), None)
    assert found is not None, "a call is missing"
    return found
