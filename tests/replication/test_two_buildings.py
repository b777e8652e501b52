"""The second building follows, survives cuts, and the proof of equality fails for one altered byte."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.dicom.rejection_note import write
from core.errors import Conflict
from core.index.tables import REPLICATED, Journal
from core.replication.inventory import inventory
from core.replication.service import run_replica
from core.replication.verify import Verdict, prove
from core.services import Ports, Services
from printers.pages.press import Press
from tests.people.hospital import hospital, site_config
from tests.people.images import arrival, read_header
from tests.replication.buildings import SecondBuilding, caught_up, hashes, linked, second_building, until
from tests.replication.every_verb import everything, never_called, watched
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


def images(services: Services, first: int, count: int) -> None:
    """A CT of a child whom nobody announced."""
    for n in range(first, first + count):
        services.ingest.store(arrival(f"1.9.{n}", study="1.9", patient_id="EXT-1", name="BARRY^Salif", number=n))


def proof(here: Path, there: Path) -> Verdict:
    return prove(here, inventory(there))


def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """The test's own comparison: every replicated table, straight from SQL."""
    with sqlite3.connect(f"file:{folder / 'index.sqlite'}?mode=ro", uri=True) as index:
        names = [t._meta.table_name for t in REPLICATED]
        return {name: index.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}


def test_every_row_and_file_of_every_verb_is_in_both_buildings(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    ports = Ports(pages=Press(site_config(here).site), read_header=read_header, write_note=write)
    with hospital(here, SystemClock(), ports, accounts=True) as services, second_building(there):
        with linked(services, str(there)) as link:
            day = watched(services)
            everything(day)
            assert never_called(day) == set(), "a verb that no copy was ever proved for"
            until(lambda: caught_up(link), "the second building has everything")
        ours = tables(here)
        assert [name for name, rows in ours.items() if not rows] == [], "a table that no copy was ever proved for"
        assert ours == tables(there)
        assert proof(here, there).ok, proof(here, there).lines
        assert hashes(here) == hashes(there)
        assert len(hashes(here)) == 13 + len(ours["original"])


def test_one_altered_byte_and_one_altered_row_are_each_named(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    with hospital(here, SystemClock()) as services, second_building(there) as second:
        with linked(services, str(there)) as link:
            images(services, 0, 3)
            until(lambda: caught_up(link), "the second building has everything")
        second.stop()
        assert proof(here, there).ok
        victim = sorted((there / "archive").rglob("*.dcm"))[1]
        whole = victim.read_bytes()
        victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        found = proof(here, there)
        assert not found.ok
        assert any(str(victim.relative_to(there)) in line and "là-bas" in line for line in found.lines)
        assert hashes(here) != hashes(there)
        victim.write_bytes(whole)
        with sqlite3.connect(there / "index.sqlite") as forger:
            forger.execute("UPDATE patient SET given_names = 'Autre' WHERE id = 1")
        forger.close()
        found = proof(here, there)
        assert not found.ok
        assert any("patient 1" in line for line in found.lines)
        assert tables(here) != tables(there)


def test_a_killed_second_building_goes_on_where_it_was(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    with (
        hospital(here, SystemClock()) as services,
        second_building(there) as second,
        linked(services, str(there)) as link,
    ):
        for round_number in range(4):
            images(services, 10 * round_number, 10)
            second.stop(signal.SIGKILL)
            images(services, 100 + 10 * round_number, 5)
            second.start()
        until(lambda: caught_up(link), "the second building has everything")
        second.stop()
        assert proof(here, there).ok
        assert len(hashes(there)) == 60


def test_a_target_that_is_gone_is_said_and_caught_up_later(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    with hospital(here, SystemClock()) as services, linked(services, str(there)) as link:
        images(services, 0, 2)
        until(lambda: bool(link.status()["error"]), "the link says that it is down")
        status = link.status()
        assert "n'existe pas" in status["error"]
        assert status["up"] is False
        assert status["lag_seq"] > 0
        with second_building(there):
            until(lambda: caught_up(link), "the second building has everything")
            assert link.status()["up"] is True
        assert proof(here, there).ok


def test_an_altered_segment_is_refused_and_sent_again(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    second = SecondBuilding(there)
    second.start()
    second.stop()
    with hospital(here, SystemClock()) as services:
        with linked(services, str(there)):
            images(services, 0, 2)
            until(lambda: any((there / "inbox").glob("seg-*")), "a segment arrived")
        segment = next((there / "inbox").glob("seg-*"))
        segment.write_bytes(segment.read_bytes().replace(b"BARRY", b"HARRY"))
        second.start()
        until(lambda: any((there / "inbox" / "refused").iterdir()), "the altered segment was set aside")
        with linked(services, str(there)) as link:
            until(lambda: caught_up(link), "the second building has everything")
        second.stop()
        assert proof(here, there).ok


def test_an_empty_second_building_gets_everything_again(tmp_path: Path) -> None:
    here, first, again = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    with hospital(here, SystemClock()) as services:
        with second_building(first), linked(services, str(first)) as link:
            images(services, 0, 3)
            until(lambda: caught_up(link), "the second building has everything")
        assert Journal.select().count() <= 2, "what is acknowledged leaves the journal"
        with second_building(again), linked(services, str(again)) as link:
            until(lambda: caught_up(link), "the new second building has everything")
        assert proof(here, again).ok, proof(here, again).lines
        assert hashes(here) == hashes(again)


def test_a_site_with_patients_of_its_own_never_becomes_a_copy(tmp_path: Path) -> None:
    with hospital(tmp_path):
        pass
    with pytest.raises(Conflict, match="site principal"):
        run_replica(site_config(tmp_path), SystemClock(), lambda applier: applier.stop())
