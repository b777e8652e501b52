"""What a cut may leave beside the index: the next start makes files and rows agree again, and loses nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.archive.part10 import file_meta, read_file_meta
from core.errors import OutOfResources
from core.index.tables import Instance, PrintJob, Quarantine
from core.index.writer import Unit
from core.model.printing import PaperKind
from core.model.received import Arrival, Reason
from core.services import Ports, Services
from tests.people.hospital import ADMIN, hospital
from tests.people.images import arrival, read_header

PORTS = Ports(read_header=read_header)


def publish(services: Services, sent: Arrival) -> Path:
    """The file of an image whose row was not committed when the power went."""
    archive = services.kit.archive
    meta = file_meta(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax, "SCANNER1")
    stored = archive.store(archive.folder_of("1.2.3", services.today()), [meta, sent.dataset])
    return archive.absolute(stored.path)


def test_the_second_copy_of_one_image_sent_twice_at_once_goes(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        second = publish(services, arrival())
        services.recover()
        assert not second.exists()
        assert Instance.select().count() == 1
        assert services.kit.archive.absolute(Instance.get().path).exists()
        assert Quarantine.select().count() == 0


def test_another_image_under_the_same_uid_is_kept_whole_in_quarantine(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        other = arrival(shade=1)
        publish(services, other)
        services.recover()
        assert Instance.select().count() == 1
        row = Quarantine.get()
        assert row.reason == str(Reason.DUPLICATE_CONFLICT)
        content = services.kit.archive.absolute(row.path).read_bytes()
        assert content[read_file_meta(content).dataset_offset :] == bytes(other.dataset)
        lying = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.dcm")}
        assert lying == {Instance.get().path, row.path}


def test_a_second_copy_takes_the_place_of_a_file_that_is_lost(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        services.kit.archive.absolute(Instance.get().path).unlink()
        publish(services, arrival())
        services.recover()
        row = Instance.get()
        content = services.kit.archive.absolute(row.path).read_bytes()
        assert content[read_file_meta(content).dataset_offset :] == bytes(arrival().dataset)
        assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.dcm")] == [row.path]


def test_reindexing_deletes_nothing(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        second, third = publish(services, arrival()), publish(services, arrival(shade=1))
        services.reindex()
        assert second.exists()
        assert third.exists()
        assert Instance.select().count() == 1


def test_a_document_whose_job_was_never_queued_goes(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        kept = services.printing.enqueue(
            ADMIN, "LASER1", PaperKind.REPORT, "CR", "OUEDRAOGO", b"%PDF-1.4 a", "application/pdf"
        )
        lost = services.kit.archive.keep_paper(b"%PDF-1.4 b", ".pdf")
        services.recover()
        assert [p.name for p in (tmp_path / "paper").iterdir()] == [Path(kept.payload).name]
        assert PrintJob.select().count() == 1
        assert not services.kit.archive.absolute(lost.path).exists()


def test_what_the_index_refuses_leaves_no_file_in_quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        full = _full_index(services, monkeypatch)
        with pytest.raises(OutOfResources):
            services.ingest.store(arrival(shade=1))
        full.undo()
        assert not list((tmp_path / "quarantine").iterdir())
        services.ingest.store(arrival(shade=1))
        assert Quarantine.select().count() == 1


def test_a_start_on_a_full_disk_serves_and_leaves_the_rest_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        file = publish(services, arrival())
        full = _full_index(services, monkeypatch)
        assert services.recover().lines() == ["disque plein : la reprise finira au prochain démarrage"]
        assert services.status()["recovery"] == ["disque plein : la reprise finira au prochain démarrage"]
        full.undo()
        assert services.recover().lines() == ["1 image retrouvée"]
        assert services.kit.archive.absolute(Instance.get().path) == file


def _full_index(services: Services, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Every row of the audit now meets SQLITE_FULL, as on a disk without space."""

    def audit(_unit: Unit, *_a: object, **_k: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Unit, "audit", audit)
    return monkeypatch
