"""The second building's end, step by step: order, parents, files, deaths, and who may feed it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from core.clock import SystemClock
from core.config import Replica
from core.errors import Conflict, NotAllowed
from core.replication.inventory import inventory
from core.replication.lane import Refused
from core.replication.segment import Entry, Header, decode, encode, name_of
from core.replication.verify import prove
from core.services import Services, open_services
from tests.people.hospital import ADMIN, ROOMS, hospital, site_config
from tests.people.images import arrival
from tests.replication.buildings import ROOT, apply_once, linked, segments, ship, until
from tests.replication.once import findings
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Services]:
    with hospital(tmp_path / "a", SystemClock()) as services:
        yield services


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A second building that was started once, and is not running."""
    apply_once(tmp_path / "b")
    return tmp_path / "b"


def child(services: Services, first: int, count: int) -> None:
    """A CT of a child whom nobody announced."""
    for n in range(first, first + count):
        services.ingest.store(arrival(f"1.9.{n}", study="1.9", patient_id="EXT-1", name="BARRY^Salif", number=n))


def state(there: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads((there / "replica" / "state.json").read_text())
    return found


def test_a_death_before_any_disk_operation_breaks_no_promise(here: Services, there: Path, tmp_path: Path) -> None:
    child(here, 0, 2)
    ship(here, str(there))
    headers = [decode(path.read_bytes()).header for path in segments(there)]
    whole = {header.lane: header.last for header in headers}
    (tmp_path / "work").mkdir()
    call = [sys.executable, "-m", "tests.replication.once", str(there), str(tmp_path / "work")]
    done = subprocess.run(call, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    deaths = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(deaths) > 20
    assert deaths[-1]["cut"] == ""
    for death in deaths:
        then, again = death["then"], death["again"]
        assert then["broken"] == [], "R1: a row without its file"
        assert all(seq <= then["applied"].get(lane, 0) for lane, seq in then["told"].items()), "R3: said too early"
        assert again["told"] == again["applied"] == whole, "it goes on where it was"
        assert (again["broken"], again["files"]) == ([], 2)


def test_images_wait_for_their_study(here: Services, there: Path) -> None:
    child(here, 0, 2)
    ship(here, str(there), "bulk")
    apply_once(there)
    assert findings(there)["applied"] == {}
    ship(here, str(there), "small")
    apply_once(there)
    assert findings(there)["files"] == 2
    assert segments(there) == []


def test_a_segment_waits_for_the_one_before_it_and_counts_once(here: Services, there: Path, tmp_path: Path) -> None:
    child(here, 0, 1)
    ship(here, str(there))
    apply_once(there)
    here.orders.save_room(ADMIN, replace(ROOMS[0], label="un"))
    ship(here, str(there), "small")
    (first,) = segments(there)
    held, content = first.rename(tmp_path / first.name), first.name
    header = decode(held.read_bytes()).header
    here.orders.save_room(ADMIN, replace(ROOMS[0], label="deux"))
    later = ship(here, str(there), "small")
    (both,) = segments(there)
    parted = decode(both.read_bytes())
    tail = replace_header(parted.header, after=header.last)
    both.unlink()
    (there / "inbox" / name_of(tail)).write_bytes(encode(tail, [e for e in parted.entries if e.seq > header.last]))
    apply_once(there)
    assert findings(there)["applied"]["small"] == header.after, "R2: no row of the lane is skipped"
    held.rename(there / "inbox" / content)
    apply_once(there)
    assert findings(there)["applied"]["small"] == tail.last
    (there / "inbox" / name_of(parted.header)).write_bytes(encode(parted.header, parted.entries))
    apply_once(there)
    assert findings(there)["applied"]["small"] == tail.last
    assert later.lanes["small"].waiting
    assert segments(there) == []


def replace_header(header: Header, **changed: object) -> Header:
    return msgspec.structs.replace(header, **changed)  # type: ignore[arg-type]


def test_an_altered_file_is_refused_named_and_asked_for_again(here: Services, there: Path) -> None:
    child(here, 0, 2)
    link = ship(here, str(there))
    victim = sorted((there / "archive").rglob("*.dcm"))[0]
    times = victim.stat()
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))  # rsync itself would see no difference
    apply_once(there)
    assert state(there)["trouble"]["bulk"] == f"Fichier altéré en route, redemandé : {victim.relative_to(there)}"
    assert findings(there)["files"] == 0
    lane = link.lanes["bulk"]
    with pytest.raises(Refused, match="altéré"):
        lane.round()
    lane.forget_sent()
    lane.round()
    apply_once(there)
    assert findings(there) | {"applied": 0, "told": 0} == {"applied": 0, "told": 0, "broken": [], "files": 2}
    assert "bulk" not in state(there)["trouble"]


def test_a_file_that_vanished_on_the_way_is_asked_for_again(here: Services, there: Path) -> None:
    child(here, 0, 1)
    ship(here, str(there))
    next((there / "archive").rglob("*.dcm")).unlink()
    apply_once(there)
    assert "pas arrivé" in str(state(there)["trouble"]["bulk"])
    ship(here, str(there), "bulk")
    apply_once(there)
    assert findings(there)["files"] == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [({"epoch": 0}, "époque 0"), ({"epoch": 2}, "époque 2"), ({"site": "f" * 16}, "autre hôpital")],
)
def test_another_epoch_or_another_hospital_is_refused(
    here: Services, there: Path, change: dict[str, object], why: str
) -> None:
    ship(here, str(there))
    apply_once(there)
    before = findings(there)["applied"]
    here.orders.save_room(ADMIN, replace(ROOMS[0], label="autre"))
    ship(here, str(there), "small")
    (path,) = segments(there)
    segment = decode(path.read_bytes())
    forged = replace_header(segment.header, **change)
    path.unlink()
    (there / "inbox" / name_of(forged)).write_bytes(encode(forged, segment.entries))
    apply_once(there)
    assert findings(there)["applied"] == before
    assert why in str(state(there)["trouble"]["small"])


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (Entry(10**6, "secret", "put", 1, msgspec.Raw(b"{}")), "autre version"),
        (Entry(10**6, "patient", "put", 99, msgspec.Raw(b"{}")), "autre version"),
        (Entry(10**6, "patient", "put", 1, msgspec.Raw(b'{"id":1}')), "autre version"),
        (Entry(10**6, "patient", "put", 1, msgspec.Raw(b"[]")), "autre version"),
        (Entry(10**6, "study", "put", 1, msgspec.Raw(b'{"id":"x"}')), "illisible"),
    ],
)
def test_rows_of_another_version_are_refused_whole(here: Services, there: Path, entry: Entry, why: str) -> None:
    ship(here, str(there))
    apply_once(there)
    before = findings(there)["applied"]
    good = ship(here, str(there)).lanes["small"].applied
    header = Header(1, _site(there), 1, "small", before["small"], 10**6, 0)
    (there / "inbox" / name_of(header)).write_bytes(encode(header, [entry]))
    apply_once(there)
    assert findings(there)["applied"] == before
    assert why in str(state(there)["trouble"]["small"])
    assert good == before["small"]


def _site(there: Path) -> str:
    return str(state(there)["site"])


def test_what_nobody_may_rewrite_is_not_rewritten_by_the_line_either(here: Services, there: Path) -> None:
    ship(here, str(there))
    path = next(p for p in segments(there) if "small" in p.name)
    audit = next(e for e in decode(path.read_bytes()).entries if e.tbl == "audit")
    apply_once(there)
    before = findings(there)["applied"]
    forged = msgspec.structs.replace(
        audit, seq=10**6, row=msgspec.Raw(bytes(audit.row).replace(b'"actor":"admin"', b'"actor":"autre"'))
    )
    header = Header(1, _site(there), 1, "small", before["small"], 10**6, 0)
    (there / "inbox" / name_of(header)).write_bytes(encode(header, [forged]))
    apply_once(there)
    assert findings(there)["applied"] == before
    assert "contredit la copie" in str(state(there)["trouble"]["small"])


def test_nobody_writes_in_the_copy(tmp_path: Path, there: Path) -> None:
    with hospital(tmp_path / "a", SystemClock()) as services:
        ship(services, str(there))
    apply_once(there)
    copy = open_services(site_config(there, replica=Replica(role="replica")), clock=SystemClock())
    try:
        assert [room.code for room in copy.orders.rooms()] == sorted(room.code for room in ROOMS)
        with pytest.raises(NotAllowed, match="copie"):
            copy.orders.save_room(ADMIN, ROOMS[0])
        with pytest.raises(NotAllowed, match="copie"):
            copy.audit.rows(ADMIN)
    finally:
        copy.close()
    assert prove(tmp_path / "a", inventory(there)).ok


def test_a_copy_that_took_the_lead_stops_the_old_site_at_once(here: Services, there: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    promoted = state(there) | {"epoch": 2}
    (there / "replica" / "state.json").write_text(json.dumps(promoted))
    with linked(here, str(there)) as link:
        until(lambda: bool(link.status()["error"]), "the old site knows")
        assert "a pris la suite" in link.status()["error"]
    with pytest.raises(NotAllowed, match="époque 2"):
        here.orders.save_room(ADMIN, ROOMS[0])


def test_a_copy_left_in_an_older_epoch_is_named(here: Services, there: Path) -> None:
    ship(here, str(there))
    apply_once(there)
    (there / "replica" / "state.json").write_text(json.dumps(state(there) | {"epoch": 0}))
    with pytest.raises(Conflict, match="époque 0"):
        ship(here, str(there))
