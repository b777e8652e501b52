"""A disc arrives: everything readable is kept, everything else is named, nothing outside it is read."""

from __future__ import annotations

import json
import os
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite

from core.archive.part10 import file_meta, read_file_meta
from core.index.tables import Audit, Instance, Quarantine, Study
from core.services import Ports, Services
from scanners.media import DEFLATED, ImportReport, MediaImport
from tests.people.hospital import ADMIN, hospital
from tests.people.images import CT_IMAGE, EXPLICIT, dataset, encoded, read_header
from tests.skips import corpus, needs_corpus

PORTS = Ports(read_header=read_header)


def burn(path: Path, uid: str = "1.2.3.4", syntax: str = EXPLICIT, **facts: object) -> None:
    """One image on the disc, as another hospital's burner writes it."""
    ds = dataset(uid, **facts)  # type: ignore[arg-type]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = CT_IMAGE, uid
    ds.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, ds, enforce_file_format=True)


def run(services: Services, disc: Path) -> ImportReport:
    return MediaImport(services, read_header).run(ADMIN, disc)


def test_every_image_of_a_disc_is_archived_whatever_its_name(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    for n in range(3):
        burn(disc / "IMAGES" / f"IM{n}", f"1.2.3.{n}", number=n)
    burn(disc / "bare.dcm", "1.2.3.9", number=9)
    with hospital(tmp_path / "box", ports=PORTS) as services:
        report = run(services, disc)
        assert (report.archived, len(report.studies)) == (4, 1)
        assert run(services, disc).duplicates == 4
        assert Instance.select().count() == 4


def test_images_of_an_unknown_patient_wait_under_the_overlay(tmp_path: Path) -> None:
    burn(tmp_path / "disc" / "a", patient_id="EXT-1")
    with hospital(tmp_path / "box", ports=PORTS) as services:
        run(services, tmp_path / "disc")
        (study,) = services.reconciliation.unmatched(ADMIN)
        assert (study.match, study.patient_id) == ("unreconciled", None)


@pytest.mark.parametrize("preamble", [b"MZ\x90\0", b"\x7fELF"])
def test_a_program_hidden_before_an_image_is_not_kept(tmp_path: Path, preamble: bytes) -> None:
    """Row 29: 128 bytes that no reader of DICOM looks at may be the head of a program."""
    burn(tmp_path / "disc" / "a", "1.2.3.29")
    content = preamble.ljust(128, b"\xcc") + (tmp_path / "disc" / "a").read_bytes()[128:]
    (tmp_path / "disc" / "a").write_bytes(content)
    with hospital(tmp_path / "box", ports=PORTS) as services:
        assert run(services, tmp_path / "disc").archived == 1
        kept = services.kit.archive.absolute(Instance.get().path).read_bytes()
        assert kept[:132] == bytes(128) + b"DICM"
        [audit] = Audit.select().where(Audit.action == "preamble_erased")
        assert (audit.object, json.loads(audit.detail)["sha256"]) == ("sop:1.2.3.29", sha256(content).hexdigest())
        run(services, tmp_path / "disc")
        assert Audit.select().where(Audit.action == "preamble_erased").count() == 1


def test_what_is_not_an_image_is_listed_and_never_opened_as_one(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    burn(disc / "good")
    (disc / "AUTORUN.EXE").write_bytes(b"MZ" + bytes(500))
    (disc / "README.TXT").write_text("bonjour")
    (disc / "vide.dcm").write_bytes(b"")
    secret = tmp_path / "secret.dcm"
    burn(secret, "9.9.9")
    os.symlink(secret, disc / "link.dcm")
    with hospital(tmp_path / "box", ports=PORTS) as services:
        report = run(services, disc)
        assert report.archived == 1
        assert report.ignored == ["AUTORUN.EXE", "README.TXT"]
        assert [name for name, _why in report.unreadable] == ["link.dcm"]
        assert [name for name, _why in report.quarantined] == ["vide.dcm"]
        assert not Instance.select().where(Instance.sop_instance_uid == "9.9.9").exists()


def test_a_truncated_image_is_kept_aside_and_the_next_one_served(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    burn(disc / "a", "1.2.3.1")
    whole = (disc / "a").read_bytes()
    (disc / "b.dcm").write_bytes(whole[:400])
    burn(disc / "c", "1.2.3.3")
    with hospital(tmp_path / "box", ports=PORTS) as services:
        report = run(services, disc)
        assert report.archived == 2
        assert len(report.quarantined) == 1
        assert Quarantine.get().size > 0


def test_what_cannot_be_read_keeps_its_own_syntax_and_bytes(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    burn(disc / "a", "1.2.3.1", StudyInstanceUID="")
    content = (disc / "a").read_bytes()
    with hospital(tmp_path / "box", ports=PORTS) as services:
        run(services, disc)
        row = Quarantine.get()
        assert (row.reason, row.sop_instance_uid, row.transfer_syntax) == ("missing-uid", "1.2.3.1", EXPLICIT)
        kept = services.kit.archive.absolute(row.path).read_bytes()
        meta = read_file_meta(kept)
        assert (meta.sop_class_uid, meta.transfer_syntax) == (CT_IMAGE, EXPLICIT)
        assert kept[meta.dataset_offset :] == content[read_file_meta(content).dataset_offset :]


@pytest.mark.parametrize("said_by_the_file", [True, False])
def test_an_object_without_a_class_is_kept_aside_as_no_image(tmp_path: Path, said_by_the_file: bool) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    ds = dataset("1.2.3.1")
    del ds.SOPClassUID
    (disc / "a.dcm").write_bytes(file_meta(CT_IMAGE if said_by_the_file else "", "1.2.3.1", EXPLICIT, "") + encoded(ds))
    with hospital(tmp_path / "box", ports=PORTS) as services:
        assert [name for name, _why in run(services, disc).quarantined] == ["a.dcm"]
        assert Quarantine.get().reason == "not-an-instance"


@pytest.mark.parametrize("left", [20, 100, 131, 140, 150, 250, 330, 400, 600])
def test_a_cut_image_without_an_extension_is_never_passed_over_in_silence(tmp_path: Path, left: int) -> None:
    disc = tmp_path / "disc"
    burn(disc / "IM1", "1.2.3.1")
    (disc / "IM2").write_bytes((disc / "IM1").read_bytes()[:left])
    with hospital(tmp_path / "box", ports=PORTS) as services:
        report = run(services, disc)
        assert report.archived == 1
        assert [name for name, _why in report.quarantined] == ["IM2"]
        assert Quarantine.get().size >= left


def test_another_image_under_a_known_uid_is_set_aside_and_said_in_words(tmp_path: Path) -> None:
    with hospital(tmp_path / "box", ports=PORTS) as services:
        for folder, dose in (("a", 1), ("b", 2)):
            burn(tmp_path / folder / "IM1", "1.2.3.1")
            content = (tmp_path / folder / "IM1").read_bytes()
            (tmp_path / folder / "IM1").write_bytes(content[:-1] + bytes([dose]))
        assert run(services, tmp_path / "a").archived == 1
        report = run(services, tmp_path / "b")
        assert report.lines()[-1] == "en quarantaine : IM1 (même identifiant d'image, contenu différent)"


def test_a_cut_bare_data_set_is_kept_aside_too(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    (disc / "IM1").write_bytes(encoded(dataset("1.2.3.1"))[:150])
    with hospital(tmp_path / "box", ports=PORTS) as services:
        assert [name for name, _why in run(services, disc).quarantined] == ["IM1"]


def test_a_deflated_data_set_that_was_cut_is_not_taken_for_whole(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    burn(disc / "IM1", "1.2.3.1", syntax=DEFLATED)
    whole = (disc / "IM1").read_bytes()
    (disc / "IM1").write_bytes(whole[:-8])
    with hospital(tmp_path / "box", ports=PORTS) as services:
        report = run(services, disc)
        assert report.quarantined == [("IM1", "Contenu compressé coupé avant sa fin.")]
        assert Quarantine.get().reason == "truncated"
        (disc / "IM1").write_bytes(whole)
        assert run(services, disc).archived == 1


def told(services: Services) -> list[tuple[str, dict[str, object]]]:
    rows = Audit.select().where(Audit.action == "import").order_by(Audit.seq)
    return [(row.outcome, json.loads(row.detail or "{}")) for row in rows]


def test_a_full_disk_ends_the_import_with_its_report_and_its_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disc = tmp_path / "disc"
    (disc / "A").mkdir(parents=True)
    (disc / "A" / "bad.dcm").write_bytes(b"x" * 200)
    for n in range(4):
        burn(disc / "B" / f"IM{n}", f"1.2.3.{n}", number=n)
    with hospital(tmp_path / "box", ports=PORTS) as services:
        monkeypatch.setattr(
            services.kit.archive, "free_percent", lambda: 50.0 if Instance.select().count() < 2 else -1.0
        )
        report = run(services, disc)
        assert report.archived == 2
        assert any(line.startswith("ARRÊTÉ AVANT LA FIN : Disque presque plein") for line in report.lines())
        (begun, _facts), (stopped, facts) = told(services)
        assert (begun, stopped) == ("begun", "stopped")
        assert (facts["archived"], facts["refused"], facts["names"]) == (2, 1, ["A/bad.dcm"])


def test_a_box_that_stops_ends_the_import_after_a_whole_file(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    for n in range(4):
        burn(disc / f"IM{n}", f"1.2.3.{n}", number=n)
    looks = iter([False, False, True])
    with hospital(tmp_path / "box", ports=Ports(read_header=read_header, leaving=lambda: next(looks))) as services:
        report = run(services, disc)
        assert report.archived == Instance.select().count() == 2
        assert "le serveur s'arrête" in report.lines()[2]
        assert told(services)[-1][0] == "stopped"


def test_a_person_who_interrupts_leaves_an_audit_of_what_was_done(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    for n in range(4):
        burn(disc / f"IM{n}", f"1.2.3.{n}", number=n)

    def interrupts(number: int, _name: str) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with hospital(tmp_path / "box", ports=PORTS) as services:
        with pytest.raises(KeyboardInterrupt):
            MediaImport(services, read_header).run(ADMIN, disc, interrupts)
        outcome, facts = told(services)[-1]
        assert (outcome, facts["archived"], facts["why"]) == ("stopped", 2, "KeyboardInterrupt")


def test_a_deflated_bomb_is_refused_before_it_swells(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    disc.mkdir()
    file = disc / "bomb.dcm"
    ds = dataset("1.2.3.4")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = CT_IMAGE, "1.2.3.4"
    ds.file_meta.TransferSyntaxUID = DEFLATED
    dcmwrite(file, ds, enforce_file_format=True)
    content = file.read_bytes()
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = squeezer.compress(encoded(ds) + bytes(80 << 20)) + squeezer.flush()
    head = content[: read_file_meta(content).dataset_offset]
    file.write_bytes(head + body)
    with hospital(tmp_path / "box", ports=PORTS) as services:
        report = run(services, disc)
        assert report.archived == 0
        assert Quarantine.get().reason == "bomb"


@needs_corpus
def test_a_real_disc_with_a_damaged_directory_gives_all_its_images(tmp_path: Path) -> None:
    folder = corpus()
    assert folder is not None
    disc = folder / "media" / "pydicom" / "dicomdirtests"
    files = [f for f in disc.rglob("*") if f.is_file() and not f.name.startswith("DICOMDIR")]
    with hospital(tmp_path, ports=PORTS) as services:
        report = run(services, disc)
        assert report.archived == len(files)
        assert Study.select().count() >= 2
        assert [name for name in report.ignored if "DICOMDIR" not in name] == []
