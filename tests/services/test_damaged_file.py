"""A file the disk has altered or lost: one line says so, and the same object sent again heals it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.archive.part10 import file_meta, read_file_meta
from core.index.tables import Device, Instance, Quarantine, Study, Task
from core.model.received import Arrival, Sender, Stored
from core.model.report import ReportText
from core.model.step import Flag
from core.model.study import Match
from core.services import Ports, Services
from tests.people.hospital import RADIOLOGIST, TECHNOLOGIST, hospital
from tests.people.images import arrival, read_header
from tests.services.test_identity import planned

PORTS = Ports(read_header=read_header)
OTHER_MACHINE = Sender("STATION1", "127.0.0.1", True)


def kept(services: Services) -> Path:
    """The one archived file."""
    return services.kit.archive.absolute(Instance.get().path)


def publish(services: Services, sent: Arrival, calling_ae: str = "SCANNER1") -> Path:
    """The file of an image whose row was not committed when the power went."""
    archive = services.kit.archive
    meta = file_meta(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax, calling_ae)
    assert sent.header is not None
    folder = archive.folder_of(sent.header.study_instance_uid, services.today())
    return archive.absolute(archive.store(folder, [meta, sent.dataset]).path)


def flip(file: Path, at: int) -> None:
    """A bit of the disk turns."""
    content = bytearray(file.read_bytes())
    content[at] ^= 0x40
    file.write_bytes(content)


def open_lines() -> list[str]:
    return [t.text for t in Task.select().where(Task.kind == "damaged", Task.done_at.is_null())]


DAMAGES = {"prefix": 129, "meta": 140, "pixels": -20}


@pytest.mark.parametrize("where", DAMAGES)
def test_a_start_beside_a_damaged_file_goes_on_and_names_it(tmp_path: Path, where: str) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival("1.2.3.1"))
        flip(kept(services), DAMAGES[where])
        other = publish(services, arrival("1.2.3.1", shade=1))
        publish(services, arrival("1.2.3.2"))
        found = services.recover()
        assert {i.sop_instance_uid for i in Instance.select()} == {"1.2.3.1", "1.2.3.2"}
        assert any("abîmé" in line for line in found.lines())
        (line,) = open_lines()
        assert "SCANNER1" in line
        assert "renvoyer" in line
        assert other.exists()


def test_a_start_heals_a_damaged_file_with_a_second_copy_of_it(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        flip(kept(services), -20)
        second = publish(services, arrival())
        services.recover()
        assert kept(services) == second
        assert Quarantine.select().count() == 0
        assert open_lines() == []


def test_a_start_moves_the_damaged_file_that_a_cut_has_left_under_its_old_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        damaged = kept(services)
        flip(damaged, -20)
        monkeypatch.setattr(services.kit.archive, "set_damaged_aside", lambda _path: None)
        services.ingest.store(arrival())
        assert damaged.exists()
        monkeypatch.undo()
        services.recover()
        assert list((tmp_path / "archive").rglob("*.dcm")) == [kept(services)]
        assert damaged.with_suffix(".damaged").exists()
        assert Quarantine.select().count() == 0


def test_a_damaged_file_in_quarantine_that_cannot_be_read_does_not_stop_a_start(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        services.ingest.store(arrival(shade=1))
        (tmp_path / "quarantine" / "0001.dcm").mkdir()  # reading it fails, as on a sick disk
        publish(services, arrival("1.2.3.2"))
        services.recover()
        assert Instance.select().count() == 2


@pytest.mark.parametrize("where", DAMAGES)
@pytest.mark.parametrize("sender", [Sender("SCANNER1", "127.0.0.1", True), OTHER_MACHINE], ids=["same", "workstation"])
def test_the_same_object_sent_again_heals_the_damaged_file(tmp_path: Path, where: str, sender: Sender) -> None:
    with hospital(tmp_path) as services:
        services.ingest.store(arrival())
        damaged, promised = kept(services), Instance.get().sha256
        flip(damaged, DAMAGES[where])
        if where != "pixels":  # the meta alone: what was received is whole, and is what comes again
            damaged.write_bytes(damaged.read_bytes()[:-20])
        assert services.ingest.store(arrival(sender=sender)).what is Stored.DUPLICATE
        content = kept(services).read_bytes()
        assert content[read_file_meta(content).dataset_offset :] == bytes(arrival().dataset)
        assert Instance.get().sha256 == promised
        assert Quarantine.select().count() == 0
        assert not damaged.exists()
        assert damaged.with_suffix(".damaged").exists()
        assert open_lines() == []


def test_an_object_sent_twice_at_once_heals_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two associations: the second one finds the file gone that the first one has just replaced."""
    with hospital(tmp_path) as services:
        services.ingest.store(arrival())
        flip(kept(services), -20)
        compare, first = services.kit.archive.same_dataset, [True]

        def compared(*asked: Any) -> bool:
            if first.pop() if first else False:
                services.ingest.store(arrival())
            return compare(*asked)

        monkeypatch.setattr(services.kit.archive, "same_dataset", compared)
        assert services.ingest.store(arrival()).what is Stored.DUPLICATE
        assert Quarantine.select().count() == 0
        assert len(list((tmp_path / "archive").rglob("*.dcm"))) == 1


def test_another_object_under_the_uid_of_a_damaged_one_does_not_take_its_place(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.ingest.store(arrival())
        before = Instance.get().path
        flip(kept(services), -20)
        assert services.ingest.store(arrival(shade=1)).what is Stored.QUARANTINED
        assert Instance.get().path == before
        assert Quarantine.select().count() == 1
        (line,) = open_lines()
        assert "OUEDRAOGO" in line
        services.ingest.store(arrival())
        assert open_lines() == []
        (done,) = Task.select().where(Task.kind == "damaged")
        assert done.done_by == "dicom"


def test_another_object_does_not_take_the_place_of_a_lost_file(tmp_path: Path) -> None:
    """The UID of a lost image, on another child's image: it is set aside, and the true one is still asked for."""
    with hospital(tmp_path) as services:
        services.ingest.store(arrival())
        kept(services).unlink()
        other = arrival(patient_id="CDG0000009", name="ZONGO^Issa", shade=7)
        assert services.ingest.store(other).what is Stored.QUARANTINED
        assert len(open_lines()) == 1
        assert services.ingest.store(arrival()).what is Stored.DUPLICATE
        content = kept(services).read_bytes()
        assert content[read_file_meta(content).dataset_offset :] == bytes(arrival().dataset)


def test_many_damaged_images_of_a_study_are_one_line(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        for n in range(3):
            services.ingest.store(arrival(f"1.2.3.{n}", number=n))
        for row in Instance.select():
            flip(services.kit.archive.absolute(row.path), -20)
        for n in range(3):
            services.ingest.store(arrival(f"1.2.3.{n}", number=n, shade=9))
        assert len(open_lines()) == 1
        for n in range(2):
            services.ingest.store(arrival(f"1.2.3.{n}", number=n))
        assert len(open_lines()) == 1
        services.ingest.store(arrival("1.2.3.2", number=2))
        assert open_lines() == []


def test_an_image_known_to_be_damaged_says_so_to_its_reader(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        outcome = services.ingest.store(arrival())
        flip(kept(services), -20)
        services.ingest.store(arrival(shade=1))
        assert outcome.study_id is not None
        (series,) = services.studies.series(TECHNOLOGIST, outcome.study_id)
        (image,) = services.studies.instances(TECHNOLOGIST, series.id)
        assert image.damaged
        services.ingest.store(arrival())
        (image,) = services.studies.instances(TECHNOLOGIST, series.id)
        assert not image.damaged


def test_a_quarantined_file_that_has_vanished_is_kept_again_when_it_comes_again(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        services.ingest.store(arrival())
        services.ingest.store(arrival(shade=1))
        services.kit.archive.absolute(Quarantine.get().path).unlink()
        services.ingest.store(arrival(shade=1))
        (row,) = list(Quarantine.select())
        content = services.kit.archive.absolute(row.path).read_bytes()
        assert content[read_file_meta(content).dataset_offset :] == bytes(arrival(shade=1).dataset)
        services.ingest.store(arrival(shade=1))
        assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_start_names_what_has_vanished_from_quarantine(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        services.ingest.store(arrival())
        services.ingest.store(arrival(shade=1))
        path = Quarantine.get().path
        services.kit.archive.absolute(path).unlink()
        assert services.recover().missing == [path]


def test_a_file_found_without_its_row_is_a_known_machines_when_only_such_a_machine_may_send(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        publish(services, arrival())
        services.recover()
        assert Study.get().match == str(Match.UNSCHEDULED)


def test_a_file_found_without_its_row_of_an_undeclared_machine_waits_under_the_overlay(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        publish(services, arrival(), calling_ae="IMPORT")
        services.recover()
        study = Study.get()
        assert (study.match, study.patient_id, study.step_id) == (str(Match.UNRECONCILED), None, None)
        assert "retrouvée" in study.why


def test_a_file_found_by_reindexing_waits_under_the_overlay(tmp_path: Path) -> None:
    """Nothing says any more who laid it there."""
    with hospital(tmp_path, ports=PORTS) as services:
        publish(services, arrival())
        services.kit.archive.settled()
        services.reindex()
        assert Study.get().match == str(Match.UNRECONCILED)


def test_a_file_of_a_machine_that_is_no_longer_active_waits_under_the_overlay(tmp_path: Path) -> None:
    with hospital(tmp_path, ports=PORTS) as services:
        publish(services, arrival())
        services.kit.index.writer.do(lambda unit: Device.update(active=False).execute())
        services.recover()
        assert Study.get().match == str(Match.UNRECONCILED)


def test_a_file_found_without_its_row_goes_to_the_exam_that_it_names(tmp_path: Path) -> None:
    """Its Study UID is the worklist's and its patient is that exam's: who carried it does not matter."""
    with hospital(tmp_path, ports=PORTS) as services:
        step, number, uid = planned(services)
        publish(services, arrival(study=uid, patient_id=number), calling_ae="IMPORT")
        services.recover()
        assert Study.get().step_id == step
        assert str(Flag.IDENTITY_DOUBTFUL) not in services.scheduling.line(RADIOLOGIST, step).flags


def test_a_damaged_image_asks_the_signer_for_a_reason(tmp_path: Path) -> None:
    with hospital(tmp_path) as services:
        step, number, uid = planned(services)
        services.ingest.store(arrival(study=uid, patient_id=number))
        services.reports.open(RADIOLOGIST, step)
        assert not services.reports.signer_view(RADIOLOGIST, step, ReportText()).reason_needed
        flip(kept(services), -20)
        services.ingest.store(arrival(study=uid, patient_id=number, shade=1))
        assert services.reports.signer_view(RADIOLOGIST, step, ReportText()).reason_needed
