"""The disk fills: images are refused with the code that says so, what was promised is kept, space heals it."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.dicom import dimse, upper_layer
from tests.crash.books import Books
from tests.crash.requests import Line
from tests.crash.ward import admitted, child, image, ordered
from tests.days.site import Site
from tests.dicom.modality import Modality, request_command
from tests.people.images import CT_IMAGE, EXPLICIT
from tests.replication.buildings import until
from tests.skips import NOT_ROOT, needs_root

OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3
MIB, PIECE = 1 << 20, 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MiB of our own."""
    place = tmp_path / "disque"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=False).returncode:
        pytest.skip(NOT_ROOT)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def store(site: Site, uid: str, sent: bytes) -> int | None:
    with Modality(("127.0.0.1", site.box.port("dicom"))) as modality:
        modality.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=b"RADIO1")
        command = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, uid)
        modality.send(upper_layer.message(1, command, sent, 16_384))
        return modality.message()[0].status


def fill(place: Path, leave: int) -> Path:
    """A file that leaves so many bytes free."""
    ballast = place / "ballast"
    free = int(subprocess.check_output(["df", "--output=avail", "-B1", str(place)]).split()[1])
    with suppress(OSError), ballast.open("wb", buffering=0) as file:  # other writers may take the last page
        for _piece in range(max(free - leave, 0) // PIECE):
            file.write(bytes(PIECE))
    return ballast


def until_taken(site: Site, uid: str, sent: bytes) -> None:
    """The free space is looked at once a second: ask until it is seen."""
    until(lambda: store(site, uid, sent) == 0, "images are taken again by themselves")


@needs_root
@pytest.mark.root
@pytest.mark.parametrize(("reserve", "leave"), [(5, 2 * MIB), (0, 0)])
def test_a_full_disk_refuses_images_outlives_a_power_cut_and_heals_by_itself(
    small_disk: Path, reserve: int, leave: int
) -> None:
    site = Site(small_disk, f"storage.reserve_percent={reserve}", "storage.warn_percent=15").start()
    try:
        site.furnish()
        books, who = Books(site.data), child(1)
        first, second = image(who, "1.9", "1.9.1"), image(who, "1.9", "1.9.2") + bytes(100_000)
        assert store(site, "1.9.1", first) == 0
        ballast = fill(small_disk, leave)
        until_refused(site, "1.9.2", second)
        assert not list(site.data.rglob("*.part"))
        assert books.images("1.9.1", hashlib.sha256(first).hexdigest()) == 1
        letters = [admitted(who), ordered(who, 0, 10)]
        accepted = [control_id for control_id, text in letters if _accepted(site, control_id, text)]
        if leave:
            assert len(accepted) == 2, "reception and the HIS go on below the reserve"
        site.box.cut()
        site.box.process.wait()
        site.start()
        assert [books.messages(control_id) for control_id in accepted] == [1] * len(accepted), "AA is a promise"
        books.check_files()
        until_refused(site, "1.9.2", second)
        ballast.unlink()
        until_taken(site, "1.9.2", second)
        for control_id, text in letters:
            assert _accepted(site, control_id, text)
            assert books.messages(control_id) == 1
        books.check_files()
        assert books.one("SELECT COUNT(*) FROM instance") == 2
    finally:
        site.close()


def until_refused(site: Site, uid: str, sent: bytes) -> None:
    until(lambda: store(site, uid, sent) == OUT_OF_RESOURCES, "images are refused")


def _accepted(site: Site, control_id: str, text: bytes) -> bool:
    line = Line(("127.0.0.1", site.box.port("hl7")))
    line.say(text)
    verdict = line.verdict(control_id)
    line.close()
    return verdict == "AA"
