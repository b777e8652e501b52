"""What a start says, in French, of what a kill left: after each call of storing an image, and after a full ingest."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from core.dicom import dimse, upper_layer
from core.rpc.contract import Status
from tests.crash.books import Books
from tests.crash.requests import Dead, Store
from tests.crash.traced import traced
from tests.crash.ward import child, image
from tests.days.site import Site
from tests.dicom.modality import Closed, Modality, request_command
from tests.install.boxes import yelen
from tests.people.images import CT_IMAGE, EXPLICIT
from tests.replication.buildings import until
from tests.skips import needs_strace

HALF, WHOLE = ["1 fichier partiel effacé"], ["1 image retrouvée"]
DEATHS = {  # at this call, which is then never made
    "writev": HALF,
    "fsync:when=1": HALF,
    "rename": HALF,
    "fsync:when=2": WHOLE,
    "pwrite64": WHOLE,
    "fdatasync": [],  # the row is in the journal of the index already: for a killed process that is enough
}
MACHINES, ENOUGH = 4, 60  # images acknowledged before the kill


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("coupures")).start().furnish()
    until(lambda: bool(printer_seen(site)), "the printer is looked at")
    yield site
    site.close()


def printer_seen(site: Site) -> str:
    return str(Books(site.data).one("SELECT COALESCE(MAX(state_at), '') FROM printer"))


def started(site: Site) -> list[str]:
    """What a new start says it found; it has looked at its printer when this returns, and writes nothing by itself."""
    before = printer_seen(site)
    site.start()
    until(lambda: printer_seen(site) != before, "the printer is looked at")
    return said(site)


def said(site: Site) -> list[str]:
    """What `status` tells of the last start."""
    lines = site.ask(Status())["recovery"]
    assert all(any(f"reprise : {line}" in logged for logged in site.box.said) for line in lines)
    return list(lines)


def sent(site: Site, uid: str) -> Store:
    """An image on its way, whole or cut: nobody waits for the answer yet."""
    store = Store(uid, ("127.0.0.1", site.box.port("dicom")), "RADIO1", uid, image(child(1), "1.9", uid))
    store.send()
    return store


@needs_strace
@pytest.mark.parametrize("death", DEATHS)
def test_a_start_says_what_a_death_at_this_call_has_left(site: Site, death: str) -> None:
    number = list(DEATHS).index(death)
    first, last = f"1.9.{number}.1", f"1.9.{number}.2"
    for known in (f"1.9.{number}.0", first):  # the folder of the study is known, and so is the machine once both are in
        sent(site, known).answer()
    call, _, when = death.partition(":")
    with traced(site.box.process.pid, "-e", f"inject={call}:signal=SIGKILL{when and ':' + when}"):
        with pytest.raises(Dead):
            sent(site, last).answer()
        site.box.process.wait(30)
    assert started(site) == DEATHS[death]
    books = Books(site.data)
    books.check_files()
    digest = hashlib.sha256(image(child(1), "1.9", last)).hexdigest()
    assert books.images(last, digest) == (0 if DEATHS[death] == HALF else 1)
    sent(site, last).answer()
    assert books.images(last, digest) == 1
    books.check_files()


@dataclass
class Machine:
    """Sends one image after the other on one association until the box is gone."""

    site: Site
    number: int
    answered: dict[str, str] = field(default_factory=dict)  # SOP Instance UID: SHA-256

    def run(self) -> None:
        with Modality(("127.0.0.1", self.site.box.port("dicom"))) as line:
            line.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=b"RADIO1")
            for n in range(1_000_000):
                uid = f"1.8.{self.number}.{n}"
                content = image(child(2), f"1.8.{self.number}", uid)
                command = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, uid)
                try:
                    line.send(upper_layer.message(1, command, content, 16_384))
                    if line.message()[0].status != 0:
                        return
                except (Closed, OSError):
                    return
                self.answered[uid] = hashlib.sha256(content).hexdigest()


def test_a_start_after_a_kill_in_full_ingest_keeps_every_image_and_says_what_it_found(site: Site) -> None:
    machines = [Machine(site, n) for n in range(MACHINES)]
    senders = [threading.Thread(target=machine.run) for machine in machines]
    for sender in senders:
        sender.start()
    big = Store("1.7", ("127.0.0.1", site.box.port("dicom")), "RADIO1", "1.7", image(child(2), "1.7", "1.7", big=True))
    big.send_half()
    until(lambda: sum(len(m.answered) for m in machines) >= ENOUGH, "images are acknowledged")
    until(lambda: any((site.data / "spool").glob("*.spool")), "a big image is half received")
    site.box.cut()
    site.box.process.wait(30)
    for sender in senders:
        sender.join(30)
    lines, books = started(site), Books(site.data)
    assert "effacé" in lines[0], lines
    [shown] = [row for row in yelen("status", data=site.data).stdout.splitlines() if "Au dernier démarrage" in row]
    assert shown.endswith(" ; ".join(lines))
    books.check_files()
    for machine in machines:
        for uid, digest in machine.answered.items():
            assert books.images(uid, digest) == 1
