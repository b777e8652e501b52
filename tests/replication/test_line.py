"""The primary's end: what it says of the line, when it waits, and which copies it does not trust."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.clock import SetClock, SystemClock
from core.config import Replica
from core.errors import Conflict, Unreachable
from core.index.journal import LANES, forget, forgotten, newest
from core.index.tables import Journal
from core.replication import lane as lane_module
from core.replication.inventory import Inventories, Opening, Thing, inventory, read
from core.replication.lane import Ahead, EmptyCopy, Refused
from core.replication.sender import Replicator
from core.replication.service import reset
from core.replication.verify import prove
from core.services import Services
from tests.people.hospital import ADMIN, MORNING, ROOMS, hospital
from tests.people.images import arrival
from tests.replication.buildings import apply_once, caught_up, linked, second_building, segments, ship, until
from tests.replication.once import findings
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


@pytest.fixture
def clock() -> SetClock:
    return SetClock(MORNING)


@pytest.fixture
def here(tmp_path: Path, clock: SetClock) -> Iterator[Services]:
    with hospital(tmp_path / "a", clock) as services:
        yield services


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A second building that was started once, and is not running."""
    apply_once(tmp_path / "b")
    return tmp_path / "b"


def paint(services: Services, label: str) -> None:
    services.orders.save_room(ADMIN, replace(ROOMS[0], label=label))


def image(services: Services, n: int) -> None:
    services.ingest.store(arrival(f"1.9.{n}", study="1.9", patient_id="EXT-1", name="BARRY^Salif", number=n))


def test_a_disk_that_is_not_mounted_is_not_an_empty_copy(here: Services, there: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    ship(here, str(there))
    unmounted = there.with_name("mountpoint")
    unmounted.mkdir()
    with pytest.raises(Unreachable, match="Le disque est-il monté"):
        ship(here, str(unmounted))
    assert list(unmounted.iterdir()) == []


def test_a_copy_of_another_hospital_is_not_fed(here: Services, there: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    state = json.loads((there / "replica" / "state.json").read_text())
    (there / "replica" / "state.json").write_text(json.dumps(state | {"site": "0" * 16}))
    with pytest.raises(Conflict, match="autre hôpital"):
        ship(here, str(there))
    assert segments(there) == []


def test_a_copy_that_was_restored_from_long_ago_must_be_made_anew(here: Services, there: Path, tmp_path: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    backup = Path(shutil.copytree(there, tmp_path / "backup"))
    for n in range(3):
        paint(here, f"couleur {n}")
        link = Replicator(here, Replica(target=str(there)), kept=1)
        small = link.lanes["small"]
        small.remember()
        small.round()
        apply_once(there)
        small.round()
    assert forgotten("small") > 0
    with pytest.raises(Conflict, match="plus ancienne"):
        ship(here, str(backup))
    apply_once(tmp_path / "new")
    with pytest.raises(EmptyCopy):
        ship(here, str(tmp_path / "new"))


def test_what_the_copy_has_stays_in_the_journal_for_a_while(here: Services, there: Path) -> None:
    before = Journal.select().count()
    ship(here, str(there))
    apply_once(there)
    ship(here, str(there))
    assert Journal.select().count() == before


def test_without_a_second_building_old_rows_leave_the_journal_and_numbers_go_on(
    here: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.services.housekeeping.forget.__defaults__", (3,))
    last = newest()
    here.housekeeping.tidy()
    assert Journal.select().count() == 3
    assert newest() == last
    paint(here, "bleu")
    assert newest() > last


def test_two_sends_are_an_interval_apart_and_the_first_goes_at_once(
    here: Services, there: Path, clock: SetClock
) -> None:
    link = Replicator(here, Replica(target=str(there), interval_s=10))
    small = link.lanes["small"]
    small.round()
    assert len(segments(there)) == 1
    apply_once(there)
    paint(here, "bleu")
    turn = small.round()
    assert (turn.patient, round(turn.pause_s), segments(there)) == (True, 10, [])
    clock.advance(11)
    small.round()
    assert len(segments(there)) == 1


def test_a_segment_that_makes_no_progress_is_sent_again(here: Services, there: Path, clock: SetClock) -> None:
    link = ship(here, str(there), "small")
    (lost,) = segments(there)
    lost.unlink()
    link.lanes["small"].round()
    assert segments(there) == [], "not yet"
    clock.advance(lane_module.PATIENCE_S + 1)
    link.lanes["small"].round()
    assert segments(there) == [lost]


def test_a_second_building_that_stopped_taking_things_in_is_said(here: Services, there: Path, clock: SetClock) -> None:
    link = ship(here, str(there), "small")
    clock.advance(lane_module.SILENT_S + 1)
    with pytest.raises(Refused, match="y est arrêté"):
        link.lanes["small"].round()


def test_reports_do_not_wait_for_images_that_cannot_go(here: Services, there: Path) -> None:
    image(here, 0)
    paint(here, "bleu")
    lost = next((here.config.data / "archive").rglob("*.dcm"))
    lost.rename(lost.with_suffix(".away"))
    with pytest.raises(Conflict, match=lost.name):
        ship(here, str(there), "bulk")
    ship(here, str(there), "small")
    apply_once(there)
    assert findings(there)["files"] == 0
    lost.with_suffix(".away").rename(lost)
    ship(here, str(there), "bulk")
    apply_once(there)
    assert findings(there)["files"] == 1


def test_a_file_that_a_resend_replaced_does_not_stop_the_line(here: Services, there: Path, tmp_path: Path) -> None:
    image(here, 0)
    next((here.config.data / "archive").rglob("*.dcm")).unlink()
    image(here, 0)
    ship(here, str(there))
    apply_once(there)
    apply_once(there)
    assert findings(there)["files"] == 1
    assert prove(tmp_path / "a", inventory(there)).ok


def test_late_rows_are_on_their_way_not_different(here: Services, there: Path, tmp_path: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    ship(here, str(there))
    image(here, 0)
    paint(here, "bleu")
    verdict = prove(tmp_path / "a", inventory(there))
    assert verdict.ok
    assert verdict.under_way >= 4
    assert any("pas encore arrivés" in line for line in verdict.lines)


def test_what_is_written_during_the_proof_does_not_prolong_it(here: Services, there: Path, tmp_path: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    ship(here, str(there))

    def while_people_work() -> Iterator[Opening | Thing]:
        for number, thing in enumerate(inventory(there)):
            yield thing
            paint(here, f"couleur {number}")
            if number == 20:
                here.kit.index.writer.do(lambda unit: forget(unit, dict.fromkeys(LANES, newest()), 1, 1))

    verdict = prove(tmp_path / "a", while_people_work())
    assert verdict.lines[-1] == "Les deux bâtiments sont identiques."
    assert verdict.under_way == 0


def test_an_inventory_that_cannot_be_made_is_an_answer_too(tmp_path: Path) -> None:
    for folder in ("inbox", "replica"):
        (tmp_path / folder).mkdir()
    request = tmp_path / "inbox" / f"inventory-{'a' * 16}.request"
    request.touch()
    inventories = Inventories(tmp_path)
    inventories.answer()
    until(lambda: not request.exists(), "the request is answered")
    inventories.close()
    with pytest.raises(Unreachable, match="n'a pas pu faire son inventaire"):
        list(read(tmp_path / "replica" / f"inventory-{'a' * 16}.ndjson"))


def test_an_inventory_that_a_stop_interrupts_is_asked_for_again_by_itself(there: Path) -> None:
    request = there / "inbox" / f"inventory-{'b' * 16}.request"
    request.touch()
    stopped = Inventories(there)
    stopped.close()
    stopped.answer()
    stopped.close()
    assert request.exists()
    again = Inventories(there)
    again.answer()
    until(lambda: not request.exists(), "the request is answered")
    again.close()
    assert isinstance(next(read(there / "replica" / f"inventory-{'b' * 16}.ndjson")), Opening)


def restored(here_folder: Path, there: Path, aside: Path, after: int) -> None:
    """The first building is put back to what it was before its last acts, and goes on for `after` acts."""
    with hospital(here_folder) as services:
        ship(services, str(there))
        apply_once(there)
        ship(services, str(there))
    shutil.copytree(here_folder, aside)
    with hospital(here_folder) as services:
        for n in range(3):
            paint(services, f"perdu {n}")
        ship(services, str(there))
        apply_once(there)
    shutil.rmtree(here_folder)
    shutil.copytree(aside, here_folder)
    with hospital(here_folder, SetClock(MORNING + timedelta(hours=1))) as services:
        for n in range(after):
            paint(services, f"depuis {n}")


@pytest.mark.parametrize("after", [0, 1, 20])
def test_a_site_restored_from_a_backup_says_that_the_copy_is_ahead(there: Path, tmp_path: Path, after: int) -> None:
    restored(tmp_path / "a", there, tmp_path / "backup", after)
    with hospital(tmp_path / "a") as services:
        with pytest.raises(Ahead, match="en sait plus que ce site"):
            ship(services, str(there))
        assert segments(there) == []
        with linked(services, str(there)) as link:
            until(lambda: link.status()["alarm"] != "", "the alarm rings")
            status = link.status()
        assert status["up"] is False
        assert "« yelen replica reset »" in status["alarm"]
        assert status["error"] == status["alarm"]


def test_after_the_copy_is_made_anew_a_restored_site_is_copied_again(there: Path, tmp_path: Path) -> None:
    restored(tmp_path / "a", there, tmp_path / "backup", 1)
    reset(there)
    with hospital(tmp_path / "a") as services, second_building(there), linked(services, str(there)) as link:
        until(lambda: caught_up(link), "everything is there")
        assert link.status()["alarm"] == ""
    assert prove(tmp_path / "a", inventory(there)).ok


def test_an_internal_fault_of_the_line_is_a_line_that_is_down(
    here: Services, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with second_building(there), linked(here, str(there)) as link:
        until(lambda: caught_up(link), "everything is there")
        monkeypatch.setattr("core.replication.lane.next_load", lambda *_: 1 / 0)
        paint(here, "bleu")
        until(lambda: link.status()["up"] is False, "the line is down")
        assert link.status()["error"] == "Erreur interne de la réplication (voir le journal du serveur)."


def test_a_row_too_many_there_is_a_difference(here: Services, there: Path, tmp_path: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    with sqlite3.connect(there / "index.sqlite") as forger:
        forger.execute("INSERT INTO counter (name, value) VALUES ('zzz', 1)")
        forger.execute("DELETE FROM room WHERE code = 'RX1'")
    forger.close()
    verdict = prove(tmp_path / "a", inventory(there))
    assert not verdict.ok
    assert verdict.lines[-2:] == (
        "ligne counter zzz : seulement dans le second bâtiment",
        "ligne room RX1 : absente du second bâtiment",
    )


def test_the_status_tells_the_line_and_how_late_the_copy_is(tmp_path: Path) -> None:
    with hospital(tmp_path / "a", SystemClock()) as services, second_building(tmp_path / "b") as second:
        with linked(services, str(tmp_path / "b")) as link:
            until(lambda: caught_up(link), "the second building has everything")
            status = link.status()
            assert (status["up"], status["lag_s"], status["lag_files"], status["alarm"]) == (True, 0, 0, "")
            assert status["keys"] is False
            assert status["since"]
        second.stop()
        image(services, 0)
        status = link.status()
        assert status["lag_seq"] >= 4
        assert (status["lag_files"], status["lag_bytes"] > 500) == (1, True)


def test_a_quarter_of_an_hour_of_silence_and_a_day_of_delay_are_alarms(here: Services, clock: SetClock) -> None:
    with linked(here, "/nowhere") as link:
        until(lambda: link.status()["up"] is False, "the line is down")
        assert link.status()["alarm"] == ""
        clock.advance(16 * 60)
        assert link.status()["alarm"].startswith("Second bâtiment sans nouvelles : Second bâtiment : le dossier")
    late = Replicator(here, Replica(target="/nowhere"))
    clock.advance(24 * 3600)
    assert late.status()["alarm"] == "Second bâtiment en retard de plus d'un jour."
