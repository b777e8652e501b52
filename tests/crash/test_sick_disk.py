"""A disk that answers EIO or ENOSPC to one call: no promise is made, nothing is left behind, and health is enough."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.dicom import dimse, upper_layer
from core.errors import YelenError
from core.rpc.contract import PrintLabel, Status
from tests.crash.books import Books
from tests.crash.requests import Line
from tests.crash.traced import traced
from tests.crash.ward import admitted, child, image, ordered
from tests.days.site import Site
from tests.dicom.modality import Modality, request_command
from tests.people.images import CT_IMAGE, EXPLICIT
from tests.skips import needs_strace

pytestmark = needs_strace
OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3
STUDY = "1.9"
OF_THE_FILE = ["writev:error=ENOSPC", "fsync:error=EIO:when=1", "rename:error=EIO", "fsync:error=EIO:when=2"]
UNSYNCED = "fdatasync:error=EIO"  # the commit is in the log: after a crash it may be there
OF_THE_INDEX = ["pwrite64:error=EIO", "pwrite64:error=ENOSPC", UNSYNCED]


class Ward:
    """A box with one child, its order and one image; every further image and message is a new one."""

    def __init__(self, folder: Path) -> None:
        self.site = Site(folder).start().furnish()
        self.books = Books(self.site.data)
        self._serial = itertools.count()
        self.child = child(0)
        for letter in (admitted(self.child), ordered(self.child, 0, 10)):
            assert self.says(letter) == "AA"
        self._know_the_folder()

    def cut_and_start(self) -> None:
        """The power goes, if it has not gone yet; files and rows agree after the start."""
        if self.site.box.process.poll() is None:
            self.site.box.cut()
            self.site.box.process.wait(30)
        self.site.start()
        self.books.check_files()
        self._know_the_folder()

    def _know_the_folder(self) -> None:
        """From now on the first sync of an image is that of its file, the second that of its folder."""
        assert self.store(self.another_image()) == 0

    def another_image(self) -> tuple[str, bytes]:
        uid = f"{STUDY}.{next(self._serial)}"
        return uid, image(self.child, STUDY, uid)

    def another_letter(self) -> tuple[str, bytes]:
        return admitted(child(1 + next(self._serial)))

    def store(self, sent: tuple[str, bytes]) -> int | None:
        """The status that the machine is answered."""
        with Modality(("127.0.0.1", self.site.box.port("dicom"))) as machine:
            machine.associate(contexts=[(1, CT_IMAGE, [EXPLICIT])], calling=b"RADIO1")
            command = request_command(dimse.C_STORE_RQ, CT_IMAGE, 1, sent[0])
            machine.send(upper_layer.message(1, command, sent[1], 16_384))
            return machine.message()[0].status

    def says(self, letter: tuple[str, bytes]) -> str:
        """MSA-1 of what the HIS is answered."""
        line = Line(("127.0.0.1", self.site.box.port("hl7")))
        line.say(letter[1])
        verdict = line.verdict(letter[0])
        line.close()
        return verdict

    def kept(self, sent: tuple[str, bytes]) -> int:
        return int(self.books.one("SELECT COUNT(*) FROM instance WHERE sop_instance_uid = ?", sent[0]))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    ward = Ward(tmp_path_factory.mktemp("malade"))
    yield ward
    ward.site.close()


@pytest.mark.parametrize("fault", [*OF_THE_FILE, *OF_THE_INDEX[:-1]])
def test_an_image_that_the_disk_refuses_is_refused_and_leaves_nothing(ward: Ward, fault: str) -> None:
    sent = ward.another_image()
    with traced(ward.site.box.process.pid, "-e", f"inject={fault}"):
        assert ward.store(sent) == OUT_OF_RESOURCES
        ward.books.check_files()
        assert ward.kept(sent) == 0
    assert ward.store(sent) == 0, "the machine sends again, and nobody restarted the box"
    assert ward.kept(sent) == 1
    ward.books.check_files()


@pytest.mark.parametrize("fault", OF_THE_INDEX)
def test_a_message_that_the_index_cannot_keep_is_not_acknowledged(ward: Ward, fault: str) -> None:
    letter = ward.another_letter()
    with traced(ward.site.box.process.pid, "-e", f"inject={fault}"):
        assert ward.says(letter) == "AE", "the HIS keeps it and sends it again"
    assert ward.says(letter) == "AA"
    assert ward.books.messages(letter[0]) == 1


@pytest.mark.parametrize("fault", OF_THE_FILE)
def test_messages_go_on_when_only_files_are_refused(ward: Ward, fault: str) -> None:
    with traced(ward.site.box.process.pid, "-e", f"inject={fault}"):
        assert ward.says(ward.another_letter()) == "AA"


@pytest.mark.parametrize("fault", ["fsync:error=EIO", "rename:error=EIO", "pwrite64:error=EIO"])
def test_a_label_that_the_disk_refuses_is_not_said_to_be_in_the_queue(ward: Ward, fault: str) -> None:
    (step,) = (step for step, _study in ward.books.steps_of(ward.child))
    label = PrintLabel(step, "", fault)
    with traced(ward.site.box.process.pid, "-e", f"inject={fault}"), pytest.raises(YelenError, match=r"(?i)disque"):
        ward.site.ask(label)
    ward.books.check_files()
    ward.site.ask(label)
    assert ward.books.one("SELECT COUNT(*) FROM print_job WHERE idempotency_key = 'label:' || ?", fault) == 1


def test_a_file_whose_row_may_come_back_waits_for_the_next_start(ward: Ward) -> None:
    sent = ward.another_image()
    with traced(ward.site.box.process.pid, "-e", f"inject={UNSYNCED}"):
        assert ward.store(sent) == OUT_OF_RESOURCES
        assert ward.kept(sent) == 0
    assert ward.store(sent) == 0
    assert ward.kept(sent) == 1
    ward.cut_and_start()
    assert ward.kept(sent) == 1
    assert "1 copie en double effacée" in ward.site.ask(Status())["recovery"]


@pytest.mark.parametrize("fault", OF_THE_INDEX)
def test_a_box_that_dies_on_a_sick_disk_keeps_its_promises(ward: Ward, fault: str) -> None:
    """What SQLite wrote and could not sync may be there after the start, or not: never a row without its file."""
    sent = ward.another_image()
    with traced(ward.site.box.process.pid, "-e", f"inject={fault}"):
        assert ward.store(sent) == OUT_OF_RESOURCES
        ward.site.box.cut()
        ward.site.box.process.wait(30)
    ward.cut_and_start()
    assert ward.store(sent) == 0
    assert ward.kept(sent) == 1
    ward.books.check_files()
