"""Every crash point of storing an image: what was acknowledged is there, what was not leaves nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.archive.part10 import file_meta, read_file_meta
from core.config import Storage
from core.errors import BadMessage, OutOfResources
from core.index.tables import Instance, Quarantine
from core.model.received import Stored
from core.services import Ports
from core.services.startup import arrival_of
from tests.archive.faulty_disk import Cut, FaultyDisk
from tests.people.hospital import hospital, site_config
from tests.people.images import arrival, read_header


def operations_of_one_store(tmp_path: Path) -> list[str]:
    disk = FaultyDisk()
    with hospital(tmp_path / "count", disk=disk, ports=Ports(read_header=read_header)) as services:
        before = len(disk.log)
        services.ingest.store(arrival())
        return disk.log[before:]


def test_the_order_is_file_sync_rename_folder_sync(tmp_path: Path) -> None:
    operations = operations_of_one_store(tmp_path)
    assert operations[-5:] == ["create .dcm.part", "write", "sync", "rename", "sync_folder"]


@pytest.mark.parametrize("point", range(14))
def test_a_power_cut_at_any_point_loses_nothing_acknowledged(tmp_path: Path, point: int) -> None:
    disk = FaultyDisk()
    with hospital(tmp_path, disk=disk, ports=Ports(read_header=read_header)) as services:
        first, second = arrival("1.2.3.1"), arrival("1.2.3.2", study="1.2.9")
        services.ingest.store(first)
        disk.stop_at = len(disk.log) + point
        acknowledged = False
        try:
            services.ingest.store(second)
            acknowledged = True
        except Cut:
            pass
        disk.stop_at = None
        disk.lose_power()
    with hospital(tmp_path, ports=Ports(read_header=read_header)) as services:
        services.recover()
        kept = {i.sop_instance_uid: services.kit.archive.absolute(i.path) for i in Instance.select()}
        assert "1.2.3.1" in kept
        assert not acknowledged or "1.2.3.2" in kept
        for uid, path in kept.items():
            wanted = first if uid == "1.2.3.1" else second
            content = path.read_bytes()
            assert content[read_file_meta(content).dataset_offset :] == bytes(wanted.dataset)
        assert not list(tmp_path.rglob("*.part"))
        assert services.ingest.store(second).what in (Stored.ARCHIVED, Stored.DUPLICATE)
        assert Instance.select().where(Instance.sop_instance_uid == "1.2.3.2").count() == 1
        assert len(list((tmp_path / "archive").rglob("*.dcm"))) == 2


def test_a_file_published_before_the_commit_is_found_again(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=Ports(read_header=read_header)) as services:
        archive, sent = services.kit.archive, arrival()
        meta = file_meta(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax, "SCANNER1")
        archive.store(archive.folder_of("1.2.3", services.today()), [meta, sent.dataset])
        assert Instance.select().count() == 0
        assert services.recover().adopted == 1
        assert Instance.get().sop_instance_uid == sent.sop_instance_uid
        assert services.recover().adopted == 0


def test_a_missing_file_is_named_and_its_row_kept(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=Ports(read_header=read_header)) as services:
        services.ingest.store(arrival())
        row = Instance.get()
        services.kit.archive.absolute(row.path).unlink()
        assert services.recover().missing == [row.path]
        assert Instance.select().count() == 1


def test_the_disk_below_its_reserve_refuses_with_a_sentence_and_keeps_nothing(tmp_path: Path) -> None:
    config = site_config(tmp_path, storage=Storage(warn_percent=100, reserve_percent=100))
    with hospital(tmp_path, config=config) as services:
        with pytest.raises(OutOfResources, match="Disque presque plein"):
            services.ingest.store(arrival())
        assert not list((tmp_path / "archive").rglob("*.dcm"))
        assert Quarantine.select().count() == 0


def test_the_index_is_rebuilt_from_the_files_alone(tmp_path: Path) -> None:
    with hospital(tmp_path / "a", ports=Ports(read_header=read_header)) as services:
        for n in range(3):
            services.ingest.store(arrival(f"1.2.3.{n}", number=n))
        before = sorted((i.key, i.path, i.size, i.sha256, i.sop_instance_uid) for i in Instance.select())
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "archive").rename(tmp_path / "b" / "archive")
    with hospital(tmp_path / "b", ports=Ports(read_header=read_header)) as services:
        assert services.reindex().adopted == 3
        assert sorted((i.key, i.path, i.size, i.sha256, i.sop_instance_uid) for i in Instance.select()) == before
        assert services.reindex().adopted == 0


def test_a_file_without_meta_is_refused_by_name(tmp_path: Path) -> None:
    stray = tmp_path / "x.dcm"
    stray.write_bytes(b"GIF89a" + bytes(200))
    with pytest.raises(BadMessage) as refused:
        arrival_of(stray, "archive/x.dcm", read_header)
    assert refused.value.reason == "no-meta"
