"""Every DICOM file of the corpus goes into one box: kept unchanged or set aside for the right reason, shown or said.

The table of what became of each is printed with -s.
"""

from __future__ import annotations

import logging
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.dicom import conformance
from core.dicom.door import open_door
from core.dicom.limits import Limits
from core.dicom.server import DicomServer
from core.dicom.storage import quarantine_status
from core.imaging.imaging import Imaging
from core.imaging.not_displayable import NotDisplayable
from core.imaging.picture import RenderedFrame
from core.index.tables import Instance, Quarantine
from core.model.received import Reason
from core.services import Ports, Services
from tests.corpus.expected import ARCHIVED, IGNORED, expected
from tests.corpus.journey import CALLING, STORE, Arrived, Complaints, Journey, resident
from tests.corpus.manifest import Entry, conflicts, entries
from tests.dicom.modality import Modality
from tests.people.hospital import hospital
from tests.people.images import read_header
from tests.skips import corpus, needs_corpus

pytestmark = [
    pytest.mark.corpus,
    needs_corpus,
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),  # the sender's own opinion of the files
]

# Bytes by which this process may grow over the whole corpus, its sender included. Each file comes in a thread of its
# own: most of it is what malloc keeps for threads.
MEMORY_CAP = 96 << 20
# Files of which pydicom makes no picture and this box does: a second decoder for 12 bits, the rows that are there,
# frames whose window or rescale stands elsewhere, frames without an offset table, pixels without a file meta.
SHOWN_ALL_THE_SAME = frozenset(
    {
        "transfer-syntax/pylibjpeg-data__RG2_JPLY.dcm",
        "malformed/pydicom__MR_truncated.dcm",
        "objects/orthanc-tests__MultiframeWindowing.dcm",
        "objects/fo-dicom__CR-MONO1-10-chest",
        "objects/fo-dicom__multiframe.dcm",
    }
)


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the journey: where everything is, and what was seen on the way."""

    services: Services
    door: DicomServer
    journey: Journey
    arrived: dict[str, Arrived]
    grown: int
    said: list[str]

    def again(self, entry: Entry) -> Arrived:
        return self.journey.take(entry.path)


@pytest.fixture(scope="module")
def files() -> list[Entry]:
    return entries()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, files: list[Entry]) -> Iterator[Ended]:
    """The whole corpus, one file after the other."""
    data, complaints = tmp_path_factory.mktemp("corpus"), Complaints()
    logging.getLogger().addHandler(complaints)
    with hospital(data, ports=Ports(read_header=read_header)) as services:
        door = open_door(
            services,
            services.config.dicom,
            services.config.site.timezone,
            data / "spool",
            services.clock,
            services.release_thread,
            Limits(tick=0.05),
        )
        door.start()
        journey = Journey(services, door)
        first, *others = files
        arrived = {first.said: journey.take(first.path)}  # with what any first object loads
        before = highest = resident()
        for entry in others:
            arrived[entry.said] = journey.take(entry.path)
            highest = max(highest, resident())
        yield Ended(services, door, journey, arrived, highest - before, complaints.said)
        door.stop()
    logging.getLogger().removeHandler(complaints)


@pytest.fixture(scope="module")
def imaging() -> Iterator[Imaging]:
    room = Imaging()
    yield room
    room.close()


def seen(imaging: Imaging, path: Path) -> RenderedFrame | NotDisplayable:
    """The first frame, or why there is none."""
    imaging.describe(path)
    try:
        return imaging.frame(path, 1)
    except NotDisplayable as refusal:
        return refusal


def test_the_manifest_names_every_file_of_the_corpus(files: list[Entry]) -> None:
    folder = corpus()
    assert folder is not None
    kinds = {"hl7", "hl7-bad", "volumes"}
    there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    objects = {str(path) for path in there if len(path.parts) > 1 and path.parts[0] not in kinds}
    assert {name for name in objects if not name.endswith(".dump")} == {entry.said for entry in files}
    assert len(conflicts()) == 9


def test_each_file_is_archived_or_set_aside_for_the_reason_expected(ended: Ended, files: list[Entry]) -> None:
    assert {said: arrived.outcome for said, arrived in ended.arrived.items()} == expected(files)


def test_the_sender_is_told_what_became_of_its_object(ended: Ended) -> None:
    sent = {said: arrived for said, arrived in ended.arrived.items() if arrived.door == STORE}
    assert len(sent) > 150
    for said, arrived in sent.items():
        told = 0 if arrived.outcome == ARCHIVED else quarantine_status(Reason(arrived.outcome))
        assert arrived.status == told, said


def test_every_byte_of_every_object_is_kept_unchanged(ended: Ended) -> None:
    changed = [said for said, a in ended.arrived.items() if a.outcome != IGNORED and not a.unchanged]
    assert changed == []


def test_names_are_right_in_unicode(ended: Ended, files: list[Entry]) -> None:
    wrong = {
        entry.said: names
        for entry in files
        if (names := [name.rstrip("=^") for name in ended.arrived[entry.said].names])
        and entry.name.rstrip("=^") not in names
    }
    assert wrong == {}


def test_the_box_grows_by_less_than_its_bound_and_complains_of_nothing(ended: Ended) -> None:
    print(f"\nresident memory over the corpus: +{ended.grown / 1e6:.1f} MB")
    assert ended.grown < MEMORY_CAP
    assert ended.said == []
    with Modality(ended.door.address) as machine:
        machine.associate(contexts=[(1, conformance.VERIFICATION, [conformance.IMPLICIT_LE])], calling=CALLING)
        assert machine.echo() == 0


def test_every_kept_object_has_a_picture_or_a_sentence(ended: Ended, files: list[Entry], imaging: Imaging) -> None:
    table, otherwise = [], []
    for entry in files:
        arrived = ended.arrived[entry.said]
        found = seen(imaging, arrived.kept) if arrived.kept else None
        shown = isinstance(found, RenderedFrame)
        wanted = entry.decodes is True or entry.said in SHOWN_ALL_THE_SAME
        if arrived.kept and shown != wanted:
            otherwise.append((entry.said, found))
        if isinstance(found, RenderedFrame):
            said = f"{found.width} x {found.height}{', incomplet' if found.incomplete else ''}"
        else:
            said = str(found or "")
        table.append(f"{entry.said[:75]:<75} {arrived.door:<7} {arrived.outcome:<32} {said}")
    print("", *table, sep="\n")
    print(Counter((arrived.door, arrived.outcome) for arrived in ended.arrived.values()))
    assert otherwise == []
    assert imaging.interactive.starts == 1, "the worker never fell"


def test_sending_everything_again_changes_nothing(ended: Ended, files: list[Entry]) -> None:
    def rows() -> tuple[int, int]:
        return Instance.select().count(), Quarantine.select().count()

    before = rows()
    for entry in files:
        again, first = ended.again(entry), ended.arrived[entry.said]
        assert again.status == first.status, entry.said
    assert rows() == before


def test_every_slice_of_the_volumes_is_archived_and_shown(ended: Ended, imaging: Imaging, tmp_path: Path) -> None:
    folder = corpus()
    assert folder is not None
    outcomes: Counter[str] = Counter()
    for archive in sorted((folder / "volumes").glob("*.tar.xz")):
        with tarfile.open(archive) as packed:
            packed.extractall(tmp_path / archive.name, filter="data")
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        arrived = ended.journey.take(path)
        outcomes[arrived.outcome] += 1
        if arrived.kept:
            assert arrived.unchanged
            assert isinstance(seen(imaging, arrived.kept), RenderedFrame)
    print(outcomes)
    assert outcomes == {ARCHIVED: 28 + 140 + 384, IGNORED: 1}  # the one: a vendor's directory file
