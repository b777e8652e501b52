"""Everything out, in a form that others read; everything back, in a box that is then the same."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet

from core.clock import SystemClock
from core.dicom.rejection_note import write
from core.errors import BadInput, BadMessage, Conflict, NotAllowed, NotFound, OutOfResources
from core.index.tables import REPLICATED
from core.model.export import Asked, Phase, Progress
from core.replication.pairing import carry_keys, take_keys
from core.services import Ports, Services
from core.services import export as exporting
from core.services.export_rows import FAMILIES
from core.services.import_back import Parcel, bring_back
from printers.pages.press import Press
from scanners.media import MediaImport
from tests.people.hospital import ADMIN, RADIOLOGIST, hospital, site_config
from tests.people.images import read_header
from tests.replication.every_verb import everything, watched
from tests.skips import corpus, needs_corpus, needs_dcmtk


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a hospital where every verb was used."""
    folder = tmp_path_factory.mktemp("old") / "data"
    folder.mkdir()
    with open_hospital(folder) as services:
        everything(watched(services))
    return folder


def open_hospital(folder: Path):  # type: ignore[no-untyped-def]
    return hospital(
        folder,
        SystemClock(),
        Ports(pages=Press(site_config(folder).site), read_header=read_header, write_note=write),
        accounts=True,
    )


@pytest.fixture
def services(old: Path) -> Iterator[Services]:
    with open_hospital(old) as opened:
        yield opened


def exported(services: Services, to: Path, asked: Asked | None = None) -> Progress:
    progress = services.export.begin(ADMIN, str(to), asked or Asked())
    while not progress.is_finished:
        progress = services.export.proceed(ADMIN, str(to))
    return progress


def rows(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that another building would hold, derived columns too."""
    with sqlite3.connect(f"file:{folder / 'index.sqlite'}?mode=ro", uri=True) as index:
        names = [t._meta.table_name for t in REPLICATED]
        return {name: index.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}


def hashes(folder: Path) -> dict[str, str]:
    files = [*(folder / "archive").rglob("*.dcm"), *(folder / "quarantine").rglob("*.dcm")]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def new_box(folder: Path) -> Path:
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    with hospital(folder, SystemClock()) as services:
        assert services.orders.rooms()
    return folder


def test_an_export_brought_into_a_new_box_is_the_same_department(old: Path, services: Services, tmp_path: Path) -> None:
    assert exported(services, tmp_path / "out").faults == ()
    services.close()
    carry_keys(old, tmp_path / "keys.json")
    new = new_box(tmp_path / "new")
    told: list[tuple[int, int]] = []
    found = bring_back(
        new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), lambda: take_keys(new, tmp_path / "keys.json"),
        lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert (found.missing, found.broken_at, found.is_resealed) == ([], None, False)
    assert told[-1] == (found.files, found.files)
    there, here = rows(old), rows(new)
    assert [name for name, lines in there.items() if not lines] == [], "a table that no export was ever proved for"
    # What happened after the moment of the export is not in it; the last line of the new box says whence it came.
    audit = here.pop("audit")
    assert audit[:-1] == there.pop("audit")[: len(audit) - 1]
    assert (audit[-1][5], audit[-1][8]) == ("import_export", "ok")
    assert here == there
    superseded = {str(line[4]) for line in there["original"]}  # what a smaller file has taken the place of
    assert hashes(new) == {path: sha256 for path, sha256 in hashes(old).items() if path not in superseded}
    with open_hospital(new) as again:
        assert again.audit.verify().ok
        assert again.recover().lines() == []
        assert (new / "avant-import-1" / "index.sqlite").exists()


def test_without_the_old_keys_the_audit_is_sealed_anew_and_says_so(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    services.close()
    new = new_box(tmp_path / "new")
    found = bring_back(new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), None)
    assert found.is_resealed
    with open_hospital(new) as again:
        assert again.audit.verify().ok
    assert '"resealed": true' in str(rows(new)["audit"][-1])


def test_every_file_of_an_export_has_its_fingerprint(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    out = tmp_path / "out"
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.TXT"], cwd=out, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    listed = {line.split("  ")[1] for line in (out / "MANIFEST.TXT").read_text().splitlines()}
    assert listed == {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()} - {"MANIFEST.TXT"}
    assert all(p.stat().st_mode & 0o077 == 0 for p in (out, *out.rglob("*")))


def test_rejected_images_are_kept_apart_and_a_viewer_does_not_meet_them(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    hidden = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "out" / "HIDDEN").iterdir()}
    with sqlite3.connect(f"file:{services.config.data / 'index.sqlite'}?mode=ro", uri=True) as index:
        assert hidden == {s for (s,) in index.execute("SELECT sha256 FROM instance WHERE series_id IS NULL")}
    assert len(hidden) >= 2


def test_names_are_those_of_media(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    for path in (tmp_path / "out" / "DICOM").rglob("*"):
        parts = path.relative_to(tmp_path / "out").parts
        assert len(parts) <= 8
        assert all(len(p) <= 8 and p.isascii() and p == p.upper() and p.isalnum() for p in parts)


def test_the_dicomdir_leads_to_every_image(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    files = FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR"))
    by_uid = {instance.SOPInstanceUID: Path(instance.path) for instance in files}
    with sqlite3.connect(f"file:{services.config.data / 'index.sqlite'}?mode=ro", uri=True) as index:
        wanted = dict(index.execute("SELECT sop_instance_uid, sha256 FROM instance WHERE series_id IS NOT NULL"))
    assert {uid: hashlib.sha256(path.read_bytes()).hexdigest() for uid, path in by_uid.items()} == wanted
    for instance in files:
        file = pydicom.dcmread(instance.path, stop_before_pixels=True)
        assert (instance.PatientID or "-", instance.StudyInstanceUID) == (file.PatientID or "-", file.StudyInstanceUID)
        assert instance.SeriesInstanceUID == file.SeriesInstanceUID


@needs_dcmtk
def test_dcmtk_reads_the_dicomdir(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    told = subprocess.run(["dcmdump", "DICOMDIR"], cwd=tmp_path / "out", capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    with sqlite3.connect(f"file:{services.config.data / 'index.sqlite'}?mode=ro", uri=True) as index:
        [(shown,)] = index.execute("SELECT COUNT(*) FROM instance WHERE series_id IS NOT NULL")
    assert told.stdout.count("[IMAGE]") == shown


def test_rows_are_json_lines_and_the_readme_names_every_table_and_column(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    readme = (tmp_path / "out" / "README.TXT").read_text(encoding="utf-8")
    words, seen = " ".join(readme.split()), set()
    for family in FAMILIES:
        for line in (tmp_path / "out" / "DATA" / f"{family.upper()}.JSONL").read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            seen.add(told["table"])
            assert f"\n  {told['table']}\n" in readme
            assert all(f" {column} (" in words for column in told["row"])
    assert seen == {t._meta.table_name for t in REPLICATED}
    manual = (Path(__file__).parents[2] / "install" / "README.md").read_text(encoding="utf-8")
    for family, tables in FAMILIES.items():
        [line] = [line for line in manual.splitlines() if line.startswith(f"| `{family.upper()}` |")]
        assert line.split("`")[3::2] == [t._meta.table_name for t in tables]
    described = json.loads((tmp_path / "out" / "EXPORT.JSON").read_text(encoding="utf-8"))
    assert described["rows"]["patient"] == len(rows(services.config.data)["patient"])


def test_reports_are_paper(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    papers = list((tmp_path / "out" / "REPORTS").iterdir())
    assert len(papers) == len(rows(services.config.data)["report_version"])
    assert all(paper.read_bytes().startswith(b"%PDF") for paper in papers)


def test_an_export_that_was_cut_is_completed_and_a_torn_file_written_again(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(exporting, "STEP_S", 0.0)  # one file a step
    progress = services.export.begin(ADMIN, str(out), Asked())
    assert progress.phase is Phase.FILES
    progress = services.export.proceed(ADMIN, str(out))
    assert progress.done == 1
    [first] = list((out / "DICOM").rglob("IM*"))
    first.write_bytes(first.read_bytes()[:100])  # the power went before it was on the disk
    assert not (out / "MANIFEST.TXT").exists()
    with pytest.raises(NotFound, match="complet"):
        Parcel(out)
    moment = json.loads((out / ".work" / "state.json").read_text())["at"]
    assert exported(services, out).faults == ()
    assert json.loads((out / "EXPORT.JSON").read_text())["at"] == moment
    assert subprocess.run(["sha256sum", "-c", "--quiet", "MANIFEST.TXT"], cwd=out).returncode == 0
    assert not (out / ".work").exists()
    assert list(out.rglob("*.part")) == []


def test_a_disk_that_fills_meanwhile_is_a_sentence_and_the_export_goes_on_later(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: str, _flags: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    services.export.begin(ADMIN, str(tmp_path / "out"), Asked())
    monkeypatch.setattr(exporting, "_private", full)
    with pytest.raises(OutOfResources, match=r"Écriture impossible .* plus de place"):
        services.export.proceed(ADMIN, str(tmp_path / "out"))
    monkeypatch.undo()
    assert exported(services, tmp_path / "out").faults == ()


def test_a_second_export_into_the_same_folder_writes_only_what_is_new(services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "DICOM").rglob("IM*")}
    exported(services, tmp_path / "out")
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_damaged_file_is_a_line_and_is_not_in_the_export(old: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    with sqlite3.connect(f"file:{copy / 'index.sqlite'}?mode=ro", uri=True) as index:
        [(path,)] = index.execute("SELECT path FROM instance WHERE series_id IS NOT NULL ORDER BY id LIMIT 1")
    victim = copy / path
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    with open_hospital(copy) as services:
        done = exported(services, tmp_path / "out")
    assert len(done.faults) == 1, done.faults
    (fault,) = done.faults
    assert "abîmé" in fault
    assert str(victim.relative_to(copy)) in fault
    new = new_box(tmp_path / "new")
    found = bring_back(new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), None)
    assert found.missing == [str(victim.relative_to(copy))]


def test_a_full_disk_is_said_before_anything_is_written(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting.shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    with pytest.raises(OutOfResources, match=r"il faut .* Go"):
        services.export.begin(ADMIN, str(tmp_path / "out"), Asked())
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_to_is_a_sentence(services: Services, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "vacances.jpg").write_bytes(b"x")
    with pytest.raises(Conflict, match="n'est pas vide"):
        services.export.begin(ADMIN, str(tmp_path / "photos"), Asked())
    with pytest.raises(BadInput, match="dossier des données"):
        services.export.begin(ADMIN, str(services.config.data / "out"), Asked())
    with pytest.raises(BadInput, match="chemin complet"):
        services.export.begin(ADMIN, "out", Asked())
    (tmp_path / "fichier").write_bytes(b"")
    with pytest.raises(BadInput, match="pas un dossier"):
        services.export.begin(ADMIN, str(tmp_path / "fichier"), Asked())
    with pytest.raises(OutOfResources, match="Pas assez de place"):
        services.export.begin(ADMIN, "/proc/export", Asked())
    with pytest.raises(NotFound, match="Aucun patient"):
        services.export.begin(ADMIN, str(tmp_path / "out"), Asked(patient="CDG9999999"))
    with pytest.raises(NotAllowed):
        services.export.begin(RADIOLOGIST, str(tmp_path / "out"), Asked())
    assert not (tmp_path / "out").exists()


def test_a_patient_goes_with_their_images_and_nobody_elses(services: Services, tmp_path: Path) -> None:
    with sqlite3.connect(f"file:{services.config.data / 'index.sqlite'}?mode=ro", uri=True) as index:
        number, patient = index.execute(
            "SELECT p.number, p.id FROM patient p JOIN study s ON s.patient_id = p.id WHERE p.merged_into_id IS NULL"
        ).fetchone()
        wanted = index.execute(
            "SELECT i.sop_instance_uid FROM instance i JOIN series e ON e.id = i.series_id "
            "JOIN study s ON s.id = e.study_id JOIN patient p ON p.id = s.patient_id "
            "WHERE ? IN (p.id, p.merged_into_id)", (patient,)
        ).fetchall()  # fmt: skip
    exported(services, tmp_path / "out", Asked(patient=number))
    found = {i.SOPInstanceUID for i in FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR"))}
    assert found == {uid for (uid,) in wanted}
    assert not (tmp_path / "out" / "ASIDE").exists()
    assert sorted(p.name for p in (tmp_path / "out" / "DATA").iterdir()) == [
        "IMAGES.JSONL", "ORDERS.JSONL", "PATIENTS.JSONL", "REPORTS.JSONL",
    ]  # fmt: skip
    with pytest.raises(Conflict, match="ne tient pas tout"):
        Parcel(tmp_path / "out")


def test_a_study_goes_alone(services: Services, tmp_path: Path) -> None:
    with sqlite3.connect(f"file:{services.config.data / 'index.sqlite'}?mode=ro", uri=True) as index:
        (uid,) = index.execute("SELECT study_instance_uid FROM study LIMIT 1").fetchone()
    exported(services, tmp_path / "out", Asked(study=uid))
    assert {i.StudyInstanceUID for i in FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR"))} == {uid}


@pytest.mark.parametrize("name", ["DATA/AUDIT", "DICOM", "EXPORT.JSON"])
def test_an_export_that_somebody_changed_is_not_brought_back(services: Services, tmp_path: Path, name: str) -> None:
    exported(services, tmp_path / "out")
    services.close()
    victim = {
        "DATA/AUDIT": tmp_path / "out" / "DATA" / "HAPPENED.JSONL",
        "DICOM": next((tmp_path / "out" / "DICOM").rglob("IM*")),
        "EXPORT.JSON": tmp_path / "out" / "EXPORT.JSON",
    }[name]
    content = bytearray(victim.read_bytes())
    content[-3] ^= 1
    victim.write_bytes(content)
    new = new_box(tmp_path / "new")
    before = rows(new)
    with pytest.raises(BadMessage, match="abîmé"):
        bring_back(new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), None)
    assert rows(new) == before


def test_a_box_that_has_lived_takes_no_export(old: Path, services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    services.close()
    with pytest.raises(Conflict, match="boîte neuve"):
        bring_back(old, Parcel(tmp_path / "out"), ADMIN, SystemClock(), None)


@pytest.mark.parametrize("path", ["/etc/passwd", "archive/../../x.dcm", "archive/2026/11/24/" + "0" * 24 + "/../x.dcm"])
def test_a_path_of_an_export_leads_nowhere_else(services: Services, tmp_path: Path, path: str) -> None:
    exported(services, tmp_path / "out")
    services.close()
    images, manifest = tmp_path / "out" / "DATA" / "IMAGES.JSONL", tmp_path / "out" / "MANIFEST.TXT"
    lines = images.read_text().splitlines()
    told = [json.loads(line) for line in lines]
    next(t for t in told if t["table"] == "instance")["row"]["path"] = path
    before = hashlib.sha256(images.read_bytes()).hexdigest()
    images.write_text("".join(json.dumps(t) + "\n" for t in told))
    manifest.write_text(manifest.read_text().replace(before, hashlib.sha256(images.read_bytes()).hexdigest()))
    new = new_box(tmp_path / "new")
    with pytest.raises(BadMessage, match="Chemin refusé"):
        bring_back(new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), None)


class Cut(Exception):
    """The power went."""


def cut_at_the_third_file(done: int, _total: int) -> None:
    if done == 3:
        raise Cut


def cut() -> None:
    raise Cut


def test_an_import_that_was_cut_is_completed_by_the_next_run(old: Path, services: Services, tmp_path: Path) -> None:
    exported(services, tmp_path / "out")
    services.close()
    carry_keys(old, tmp_path / "keys.json")
    new = new_box(tmp_path / "new")
    for keys, tell in ((None, cut_at_the_third_file), (cut, lambda _done, _total: None)):
        with pytest.raises(Cut):
            bring_back(new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), keys, tell)
    found = bring_back(
        new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), lambda: take_keys(new, tmp_path / "keys.json")
    )
    assert found.missing == []
    there, here = rows(old), rows(new)
    assert here.pop("audit")[:-1] == there.pop("audit")[: found.rows][: len(rows(new)["audit"]) - 1]
    assert here == there
    superseded = {str(line[4]) for line in there["original"]}
    assert hashes(new) == {path: sha256 for path, sha256 in hashes(old).items() if path not in superseded}
    assert (new / "avant-import-1" / "index.sqlite").exists()


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        ("DATA/IMAGES.JSONL", b"\xff\xfe"),
        ("DATA/IMAGES.JSONL", b"[]\n"),
        ("DATA/IMAGES.JSONL", b"null\n"),
        ("DATA/IMAGES.JSONL", b'{"table": "instance"}\n'),
        ("DATA/IMAGES.JSONL", b'{"table": 7, "row": {}}\n'),
        ("DATA/IMAGES.JSONL", b'{"table": "instance", "row": 7}\n'),
        ("DATA/IMAGES.JSONL", b'{"table": "sqlite_master", "row": {}}\n'),
        ("DATA/PATIENTS.JSONL", b'{"table": "patient", "row": {"id": 1}}\n'),
        ("DATA/MESSAGES.JSONL", b'{"table": "inbox", "row": '),
        ("DATA/PLACES.JSONL", b'{"table": "counter", "row": {"name": null, "value": 1}}\n'),
        ("DATA/PLACES.JSONL", b'{"table": "counter", "row": {"name": "n", "value": 99999999999999999999}}\n'),
        ("DATA/PLACES.JSONL", b'{"table": "counter", "row": {"name": "n", "value": [1]}}\n'),
        (
            "DATA/REPORTS.JSONL",
            b'{"table": "viewed", "row": {"id": 1, "series_id": 999, "login": "a", "quality": "b", "at": "c"}}\n',
        ),
        ("EXPORT.JSON", b"{"),
        ("EXPORT.JSON", b"[]"),
        ("EXPORT.JSON", b'{"format": 1, "asked": 3}'),
        ("MANIFEST.TXT", b"\xff\xff  x\n"),
        ("MANIFEST.TXT", b"\n\n"),
    ],
)
def test_junk_under_a_true_fingerprint_is_one_sentence_and_changes_nothing(
    services: Services, tmp_path: Path, name: str, junk: bytes
) -> None:
    exported(services, tmp_path / "out")
    services.close()
    target, manifest = tmp_path / "out" / name, tmp_path / "out" / "MANIFEST.TXT"
    before = hashlib.sha256(target.read_bytes()).hexdigest()
    target.write_bytes(junk)
    if target != manifest:
        manifest.write_text(manifest.read_text().replace(before, hashlib.sha256(junk).hexdigest()))
    new = new_box(tmp_path / "new")
    rows_before = rows(new)
    with pytest.raises((BadMessage, Conflict)):
        bring_back(new, Parcel(tmp_path / "out"), ADMIN, SystemClock(), None)
    if (new / "index.sqlite").exists():
        assert rows(new) in (rows_before, {name: [] for name in rows_before})


@needs_corpus
@needs_dcmtk
@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_every_real_image_is_in_a_directory_that_dcmtk_and_pydicom_read(tmp_path: Path) -> None:
    folder = corpus()
    assert folder is not None
    (tmp_path / "data").mkdir()
    with hospital(tmp_path / "data", SystemClock(), Ports(read_header=read_header)) as services:
        archived = MediaImport(services, read_header).run(ADMIN, folder).archived
        assert exported(services, tmp_path / "out").faults == ()
    told = subprocess.run(["dcmdump", "DICOMDIR"], cwd=tmp_path / "out", capture_output=True, timeout=120)
    assert (told.returncode, told.stderr) == (0, b"")
    assert len(FileSet(pydicom.dcmread(tmp_path / "out" / "DICOMDIR"))) == archived > 100
