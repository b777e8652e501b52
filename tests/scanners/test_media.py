"""A disc arrives: everything readable is kept, everything else is named, nothing outside it is read."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite

from core.archive.part10 import read_file_meta
from core.index.tables import Instance, Quarantine, Study
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
