"""The line through an rsync daemon, as over the VPN: a transfer that is cut goes on, the keys stay out of reach."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.config import Replica
from core.errors import Unreachable
from core.replication.transport import Rsync
from core.replication.verify import verify
from tests.peers.ports import free_port
from tests.people.hospital import hospital, site_config
from tests.people.images import arrival
from tests.replication.buildings import apply_once, caught_up, hashes, linked, second_building, until
from tests.replication.daemon import bytes_received, daemon
from tests.skips import needs_rsync

pytestmark = [pytest.mark.peer, needs_rsync]


def test_the_second_building_follows_through_a_daemon_and_proves_it(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    with hospital(here, SystemClock()) as services, second_building(there), daemon(there) as line:
        with linked(services, line.url) as link:
            for n in range(5):
                services.ingest.store(arrival(f"1.{n}", study="1.5", patient_id="E", name="BARRY^S", number=n))
            until(lambda: caught_up(link), "the second building has everything")
        config = site_config(here, replica=Replica(target=line.url))
        verdict = verify(config, SystemClock(), threading.Event().wait)
        assert (verdict.ok, verdict.files, verdict.under_way) == (True, 5, 0)
        victim = sorted((there / "archive").rglob("*.dcm"))[2]
        victim.write_bytes(victim.read_bytes()[:-1] + b"x")
        verdict = verify(config, SystemClock(), threading.Event().wait)
        assert not verdict.ok
        assert verdict.lines[-1] == f"fichier {victim.relative_to(there)} : diffère (là-bas)"


def test_a_daemon_that_goes_away_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    here, there, port = tmp_path / "a", tmp_path / "b", free_port()
    with hospital(here, SystemClock()) as services, second_building(there):
        with daemon(there, port) as line, linked(services, line.url) as link:
            services.ingest.store(arrival("1.0", study="1.5", patient_id="E", name="BARRY^S"))
            until(lambda: caught_up(link), "the first image is there")
        with linked(services, line.url) as link:
            for n in range(1, 30):
                services.ingest.store(arrival(f"1.{n}", study="1.5", patient_id="E", name="BARRY^S", number=n))
            until(lambda: bool(link.status()["error"]), "the link says that it is down")
            assert link.status()["up"] is False
            with daemon(there, port):
                until(lambda: caught_up(link), "the second building has everything")
        assert hashes(here) == hashes(there)
        assert len(hashes(there)) == 30


def test_a_file_that_is_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    big, there = tmp_path / "a" / "archive" / "x.dcm", tmp_path / "b"
    apply_once(there)
    big.parent.mkdir(parents=True)
    big.write_bytes(os.urandom(6_000_000))
    with daemon(there) as line:
        slow = Rsync(line.url, bandwidth_kbps=2000)
        failed: list[Exception] = []
        sending = threading.Thread(target=lambda: failed.append(_failure(slow, big)))
        sending.start()
        part = there / "replica" / "tmp"
        until(lambda: any(p.stat().st_size > 2_000_000 for p in part.iterdir()), "two megabytes are there")
        slow.close()
        sending.join()
        assert isinstance(failed[0], Unreachable)
        until(lambda: (there / "archive" / ".part" / "x.dcm").exists(), "the receiver kept what it had")
        assert not (there / "archive" / "x.dcm").exists(), "a cut file never has its final name"
        kept = (there / "archive" / ".part" / "x.dcm").stat().st_size
        Rsync(line.url).push(tmp_path / "a", ["archive/x.dcm"])
        assert (there / "archive" / "x.dcm").read_bytes() == big.read_bytes()
        until(lambda: bool(bytes_received(there, "x.dcm")), "the daemon has written its log")
        assert bytes_received(there, "x.dcm")[-1] < 6_000_000 - kept // 2


def _failure(rsync: Rsync, file: Path) -> Exception:
    try:
        rsync.push(file.parents[1], ["archive/x.dcm"])
    except Unreachable as fault:
        return fault
    raise AssertionError("it came through")


def test_keys_configuration_and_index_are_out_of_the_daemons_reach(tmp_path: Path) -> None:
    there = tmp_path / "b"
    apply_once(there)
    (there / "yelen.toml").write_text("secret")
    (tmp_path / "secrets").mkdir()
    for name in ("secrets/audit.key", "yelen.toml", "index.sqlite"):
        (tmp_path / name).write_text("forged")
    before = (there / "secrets" / "audit.key").read_bytes()
    with daemon(there) as line:
        for name in ("secrets/audit.key", "yelen.toml", "index.sqlite"):
            with pytest.raises(Unreachable):
                Rsync(line.url).push(tmp_path, [name])
            assert Rsync(line.url).fetch(name, tmp_path) is None
        for flag in ("--delete", "--inplace", "--append"):
            call = ["rsync", "-r", flag, f"{tmp_path}/secrets/", f"{line.url}/archive/"]
            assert subprocess.run(call, check=False, stderr=subprocess.DEVNULL).returncode == 4
    assert (there / "secrets" / "audit.key").read_bytes() == before
    assert (there / "yelen.toml").read_text() == "secret"


def test_a_good_file_of_the_copy_is_never_replaced(tmp_path: Path) -> None:
    there = tmp_path / "b"
    apply_once(there)
    for folder, content in ((there, "good"), (tmp_path / "a", "rotten since")):
        (folder / "archive").mkdir(parents=True, exist_ok=True)
        (folder / "archive" / "x.dcm").write_text(content)
    with daemon(there) as line:
        Rsync(line.url).push(tmp_path / "a", ["archive/x.dcm"])
    assert (there / "archive" / "x.dcm").read_text() == "good"


def test_a_killed_receiver_leaves_nothing_that_a_start_does_not_sweep(tmp_path: Path) -> None:
    big, there = tmp_path / "a" / "archive" / "x.dcm", tmp_path / "b"
    apply_once(there)
    big.parent.mkdir(parents=True)
    big.write_bytes(os.urandom(4_000_000))
    with daemon(there) as line:
        slow = Rsync(line.url, bandwidth_kbps=2000)
        failed: list[Exception] = []
        sending = threading.Thread(target=lambda: failed.append(_failure(slow, big)))
        sending.start()
        part = there / "replica" / "tmp"
        until(lambda: any(p.stat().st_size > 500_000 for p in part.iterdir()), "a part is there")
        for receiver in line.receivers():
            os.kill(receiver, signal.SIGKILL)
        sending.join()
    assert len(list(part.iterdir())) == 1
    apply_once(there)
    assert list(part.iterdir()) == []
    assert not (there / "archive" / "x.dcm").exists()


def test_a_line_that_falls_silent_in_the_middle_is_noticed_and_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.replication.transport.SILENCE_S", 1)
    here, there = tmp_path / "a", tmp_path / "b"
    with hospital(here, SystemClock()) as services, second_building(there), daemon(there) as line:
        for n in range(4):
            content = os.urandom(400_000)
            services.ingest.store(
                arrival(f"1.{n}", study="1.5", patient_id="E", name="B^S", number=n, PixelData=content)
            )
        with linked(services, line.url, bandwidth_kbps=1000) as link:
            until(lambda: any((there / "replica" / "tmp").iterdir()), "a file is on its way")
            for receiver in line.receivers():
                os.kill(receiver, signal.SIGSTOP)
            until(lambda: bool(link.status()["error"]), "the silence is noticed")
            for receiver in line.receivers():
                os.kill(receiver, signal.SIGCONT)
            until(lambda: caught_up(link), "the second building has everything")
        assert hashes(here) == hashes(there)
        assert len(hashes(there)) == 4
