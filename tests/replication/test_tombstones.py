"""An image made smaller here is made smaller there: the new file first, the tombstone of the original after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.clock import SetClock
from core.config import Archive, Replica
from core.imaging.imaging import Imaging
from core.index.tables import Instance, Original
from core.model.people import Actor
from core.replication.inventory import Opening, Thing, inventory
from core.replication.verify import prove
from core.services import Ports, Services
from core.services.compression import LATER_S
from tests.people.hospital import MORNING, hospital, site_config
from tests.people.images import read_header, slice_of
from tests.replication.buildings import apply_once, hashes, segments, ship
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


@pytest.fixture(scope="module")
def imaging() -> Iterator[Imaging]:
    room = Imaging(deadline_s=120)
    yield room
    room.close()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    apply_once(tmp_path / "b")
    return tmp_path / "b"


@pytest.fixture
def here(tmp_path: Path, there: Path, imaging: Imaging) -> Iterator[Services]:
    """A site whose one study of two slices is at rest, and whose second building has it."""
    config = site_config(tmp_path / "a", archive=Archive("always"), replica=Replica(target=str(there)))
    with hospital(tmp_path / "a", SetClock(MORNING), Ports(read_header=read_header), config, imaging=imaging) as box:
        for n in range(2):
            box.ingest.store(slice_of(f"1.9.{n}", n, study="1.9", patient_id="EXT-1", name="BARRY^Salif"))
        box.clock.advance(7200)  # type: ignore[attr-defined]
        box.acquisition.settle(Actor.system("timer"))
        catch_up(box, there)
        yield box


def catch_up(box: Services, there: Path) -> None:
    """What there is goes, is applied, and its acknowledgement is read."""
    for lanes in (("small",), ("bulk",), ("small", "bulk")):
        ship(box, str(there), *lanes)
        apply_once(there)
    ship(box, str(there))


def work(box: Services) -> None:
    while box.compression.turn() < LATER_S:
        pass


def tomorrow(box: Services) -> None:
    box.clock.advance(86_401)  # type: ignore[attr-defined]


def originals_in(folder: Path) -> list[bool]:
    return [(folder / original.file).exists() for original in Original.select().order_by(Original.id)]


def test_the_original_goes_here_when_the_new_file_is_there_and_there_when_the_tombstone_comes(
    here: Services, there: Path, tmp_path: Path, imaging: Imaging
) -> None:
    work(here)
    tomorrow(here)
    work(here)
    assert originals_in(tmp_path / "a") == [True, True], "nobody there has the new files yet"
    catch_up(here, there)
    assert hashes(tmp_path / "a") == hashes(there)
    assert len(hashes(there)) == 4
    work(here)
    assert originals_in(tmp_path / "a") == [False, False]
    assert originals_in(there) == [True, True]
    catch_up(here, there)
    assert originals_in(there) == [False, False]
    assert hashes(tmp_path / "a") == hashes(there)
    assert prove(tmp_path / "a", inventory(there)).ok
    for image in Instance.select():
        assert np.array_equal(
            imaging.pixels(there / image.path).array(), imaging.pixels(tmp_path / "a" / image.path).array()
        )


def test_a_tombstone_never_removes_a_file_that_a_row_there_names(here: Services, there: Path, tmp_path: Path) -> None:
    work(here)
    named = Instance.get().path
    first = Original.select().order_by(Original.id).first()
    act = Original.update(file=named, removed_at=here.kit.now()).where(Original.id == first.id)
    here.kit.index.writer.do(lambda unit: act.execute())
    catch_up(here, there)
    assert (there / named).exists()


@pytest.mark.parametrize("file", ["secrets/audit.key", "../a/yelen.toml", "archive/../index.sqlite"])
def test_a_tombstone_for_anything_but_an_image_is_refused(
    here: Services, there: Path, tmp_path: Path, file: str
) -> None:
    work(here)
    act = Original.update(file=file, removed_at=here.kit.now()).where(Original.id == 1)
    here.kit.index.writer.do(lambda unit: act.execute())
    (tmp_path / "a" / "yelen.toml").touch()
    ship(here, str(there), "small")
    apply_once(there)
    ship(here, str(there), "bulk")
    apply_once(there)
    assert len(list((there / "inbox" / "refused").iterdir())) == 1
    assert segments(there) == []
    assert (there / "secrets" / "audit.key").exists()
    assert (there / "index.sqlite").exists()
    assert (tmp_path / "a" / "yelen.toml").exists()


def test_a_copy_made_anew_has_the_new_files_before_an_original_goes(
    here: Services, there: Path, tmp_path: Path
) -> None:
    work(here)
    catch_up(here, there)
    from core.replication.seeding import seed

    before = Original.select().order_by(Original.id.desc()).first().after_seq
    seed(here.kit.index.writer, lambda: True)
    assert Original.select().order_by(Original.id.desc()).first().after_seq > before
    tomorrow(here)
    work(here)
    assert originals_in(tmp_path / "a") == [True, True]
    catch_up(here, there)
    work(here)
    assert originals_in(tmp_path / "a") == [False, False]


def test_an_image_made_smaller_while_both_buildings_are_compared_is_no_difference(
    here: Services, there: Path, tmp_path: Path
) -> None:
    def meanwhile() -> Iterator[Opening | Thing]:
        for thing in inventory(there):
            yield thing
            if isinstance(thing, Thing) and thing.table == "audit":
                work(here)

    verdict = prove(tmp_path / "a", meanwhile())
    assert verdict.ok, verdict.lines
    assert verdict.under_way == 2
