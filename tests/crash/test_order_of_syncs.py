"""The order in which the box makes an image durable, as the kernel sees it: file, name, folder, index, answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.dicom.status import DUPLICATE_INSTANCE, SUCCESS
from tests.crash.requests import Store
from tests.crash.traced import Call, calls_of, traced
from tests.crash.ward import child, image
from tests.days.site import Site
from tests.people.images import dataset, encoded
from tests.skips import needs_strace

TRACED = "trace=fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg"
MACHINES, IMAGES = 2, 3


@dataclass(frozen=True, slots=True)
class Sent:
    """One object, what its sender is told, and the folder in which its file appears."""

    uid: str
    content: bytes
    status: int = SUCCESS
    folder: str = "archive"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("ordre")).start().furnish()
    yield site
    site.close()


def small(machine: int) -> list[Sent]:
    study = f"1.9.1.{machine}"
    return [Sent(uid, image(child(machine), study, uid)) for uid in (f"{study}.{n}" for n in range(IMAGES))]


def spooled(machine: int) -> list[Sent]:
    """Too big for memory: it passes through a file of its own."""
    study = f"1.9.2.{machine}"
    return [Sent(f"{study}.1", image(child(machine), study, f"{study}.1", big=True))]


def conflicting(machine: int) -> list[Sent]:
    """The same UID with other bytes goes to quarantine, and its sender is told so."""
    study = f"1.9.3.{machine}"
    first, second = (encoded(dataset(f"{study}.1", study, shade=shade)) for shade in (0, 1))
    return [Sent(f"{study}.1", first), Sent(f"{study}.1", second, DUPLICATE_INSTANCE, "quarantine")]


def conflicting_and_spooled(machine: int) -> list[Sent]:
    study = f"1.9.4.{machine}"
    uid, other = f"{study}.1", image(child(machine + 10), study, f"{study}.1", big=True)
    small_one = Sent(uid, image(child(machine), study, uid))
    return [small_one, Sent(uid, other, DUPLICATE_INSTANCE, "quarantine")]


@needs_strace
@pytest.mark.parametrize("sent", [small, spooled, conflicting, conflicting_and_spooled])
def test_an_object_is_durable_before_it_is_acknowledged(
    site: Site, tmp_path: Path, sent: Callable[[int], list[Sent]]
) -> None:
    """Two machines at once: what one makes durable never answers for the other."""
    output, objects = tmp_path / "calls", [sent(machine) for machine in range(MACHINES)]
    with traced(site.box.process.pid, "-e", TRACED, output=output):
        machines = [threading.Thread(target=_send, args=(site, own)) for own in objects]
        for machine in machines:
            machine.start()
        for machine in machines:
            machine.join()
    calls = calls_of(output)
    renames = [c for c in calls if c.name.startswith("rename") and ".dcm.part" in c.said]
    wanted = sorted(one.folder for own in objects for one in own)
    assert sorted(_folder(site, rename) for rename in renames) == wanted
    replies = [_check_one(calls, rename) for rename in renames]
    assert len(set(replies)) == len(replies), "each object has an answer of its own"


def _send(site: Site, objects: list[Sent]) -> None:
    for one in objects:
        store = Store(one.uid, ("127.0.0.1", site.box.port("dicom")), "RADIO1", one.uid, one.content, one.status)
        store.send()
        store.answer()


def _folder(site: Site, rename: Call) -> str:
    return str(Path(_part(rename)).relative_to(site.data).parts[0])


def _part(rename: Call) -> str:
    found = re.search(r'"([^"]*\.dcm\.part)"', rename.said)
    assert found is not None
    return found[1]


def _check_one(calls: list[Call], rename: Call) -> int:
    """What stands around one rename; where its answer begins."""
    assert rename.result == 0
    part = _part(rename)
    folder = part.rpartition("/")[0]
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
