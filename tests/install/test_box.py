"""The box from outside: it opens, serves, refuses to open twice, and closes."""

from __future__ import annotations

import json
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.boxes import PASSWORD, Box, init, yelen
from tests.skips import needs_dcmtk


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as `yelen init` leaves it."""
    data = tmp_path_factory.mktemp("site") / "data"
    done = init(data, "site.hospital=CHU-CDG", "site.patient_prefix=CDG", "site.authority=CDG")
    assert done.returncode == 0, done.stderr
    return data


def slice_of_a_head(folder: Path) -> Path:
    """A small CT image that dcmtk can send."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.PatientID, image.PatientName, image.Modality = "CDG0000001", "SANOU^Awa", "CT"
    image.Rows = image.Columns = 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation, image.PixelData = 15, 0, bytes(128)
    image.save_as(folder / "slice.dcm", enforce_file_format=True)
    return folder / "slice.dcm"


def send_a_slice(box: Box, folder: Path) -> None:
    yelen("device", "add", "CT1", "--address", "127.0.0.1", data=box.data)
    call = [
        "storescu",
        "-aet",
        "CT1",
        "-aec",
        "YELEN",
        "127.0.0.1",
        str(box.port("dicom")),
        str(slice_of_a_head(folder)),
    ]
    assert subprocess.run(call, capture_output=True, timeout=60).returncode == 0


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


@pytest.fixture
def box(data: Path) -> Iterator[Box]:
    opened = Box(data)
    yield opened
    if opened.process.poll() is None:
        opened.stop()


def test_init_makes_a_private_folder_with_a_filled_configuration(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE((made / "secrets").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in (made / "secrets").iterdir())
    assert stat.S_IMODE((made / "index.sqlite").stat().st_mode) == 0o600
    assert 'hospital = "CHU-CDG"' in (made / "yelen.toml").read_text(encoding="utf-8")


def test_init_never_touches_a_box_that_exists(data: Path) -> None:
    before = (data / "yelen.toml").read_bytes()
    again = init(data)
    assert again.returncode == 1
    assert "existe déjà" in again.stderr
    assert (data / "yelen.toml").read_bytes() == before


def test_init_with_a_weak_password_leaves_nothing_that_would_stop_the_next_try(tmp_path: Path) -> None:
    weak = yelen("init", data=tmp_path / "d", stdin="abc\n")
    assert weak.returncode == 1
    assert init(tmp_path / "d").returncode == 0


def test_init_without_a_password_says_so(tmp_path: Path) -> None:
    done = yelen("init", data=tmp_path / "d")
    assert done.returncode == 1
    assert "mot de passe" in done.stderr


def test_the_line_ready_names_every_door_and_each_listens(box: Box) -> None:
    assert list(box.addresses) == ["dicom", "hl7", "http", "rpc"]
    for door in ("dicom", "hl7", "http"):
        socket.create_connection(("127.0.0.1", box.port(door)), timeout=10).close()
    assert box.addresses["rpc"] == str(box.data / "yelen.sock")


def test_sigterm_closes_every_door_with_exit_code_0(box: Box) -> None:
    assert box.stop() == 0
    for door in ("dicom", "hl7", "http"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", box.port(door)), timeout=10)
    assert not (box.data / "yelen.sock").exists()


def test_a_second_server_on_the_same_data_is_refused_in_french(box: Box) -> None:
    second = yelen("serve", data=box.data)
    assert second.returncode == 1
    assert "tient déjà le dossier" in second.stderr
    assert "Traceback" not in second.stderr
    assert yelen("status", data=box.data).returncode == 0


def test_every_port_that_is_taken_is_said_at_once_with_its_line(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        text = (data / "yelen.toml").read_text(encoding="utf-8")
        head, dicom, tail = text.partition("[dicom]")
        tail = tail.replace("port = 0", f"port = {one.getsockname()[1]}", 1)
        (data / "yelen.toml").write_text(head + dicom + tail, encoding="utf-8")
        line = next(n for n, row in enumerate((head + dicom + tail).splitlines(), 1) if row.startswith("port = "))
        done = yelen("serve", "--set", f"web.port={two.getsockname()[1]}", data=data)
    assert done.returncode == 78
    assert f"yelen.toml:{line} : dicom.port" in done.stderr
    assert "web.port" in done.stderr
    assert "déjà pris" in done.stderr


def test_a_wrong_configuration_is_exit_code_78_with_every_fault(data: Path) -> None:
    done = yelen("serve", "--set", "dicom.ae_title=UN_TITRE_AE_TROP_LONG", "--set", "web.port=abc", data=data)
    assert done.returncode == 78
    assert "dicom.ae_title" in done.stderr
    assert "web.port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_others_can_read_stops_the_start(data: Path) -> None:
    (data / "secrets" / "audit.key").chmod(0o644)
    done = yelen("serve", data=data)
    assert done.returncode == 78
    assert "chmod 600" in done.stderr


@pytest.mark.parametrize("name", ["audit.key", "archive.key"])
def test_a_key_that_a_power_cut_emptied_stops_the_start(data: Path, name: str) -> None:
    key = data / "secrets" / name
    key.touch(mode=0o600)
    key.write_bytes(b"")
    done = yelen("serve", data=data)
    assert done.returncode == 78
    assert f"{name} : clé abîmée" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_of_a_stopped_box_is_exit_code_3(data: Path) -> None:
    assert yelen("status", data=data).returncode == 3
    assert json.loads(yelen("status", "--json", data=data).stdout) == {"running": False}


def test_status_speaks_the_words_of_the_state_page(box: Box) -> None:
    told = yelen("status", data=box.data).stdout
    assert "\nMessages HL7\n" in told
    assert "  Études à rapprocher        0\n" in told
    assert "_" not in told.replace("yelen.sock", "").replace(str(box.data), "")


def test_status_as_json_has_what_the_contract_promises(box: Box) -> None:
    told = json.loads(yelen("status", "--json", data=box.data).stdout)
    names = ("version", "uptime_s", "doors", "patients", "studies", "series", "instances", "quarantined")
    assert set(names) <= set(told)
    assert {"received", "applied", "quarantined", "dead"} <= set(told["hl7"])
    assert {"queued", "failed"} <= set(told["outbox"])
    assert {"queued", "failed"} <= set(told["print"])
    assert {"role", "lag_seq", "lag_s"} <= set(told["replica"])
    assert {"free_bytes", "days_left"} <= set(told["disk"])
    assert told["doors"]["dicom"] == box.addresses["dicom"]


def test_a_command_acts_on_a_running_box_and_on_a_stopped_one(box: Box) -> None:
    done = yelen(
        "user", "add", "zongo", "--roles", "radiologist", "--password-stdin", data=box.data, stdin=f"{PASSWORD}\n"
    )
    assert done.returncode == 0, done.stderr
    box.stop()
    done = yelen("user", "add", "sana", "--roles", "RS,AD", "--password-stdin", data=box.data, stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    lines = yelen("user", "list", "--text", data=box.data).stdout.splitlines()
    assert {line.split("\t")[0]: line.split("\t")[2] for line in lines} == {
        "admin": "AD",
        "sana": "AD,RS",
        "zongo": "RS",
    }


def test_a_refusal_is_one_french_sentence_whichever_way_it_came(box: Box) -> None:
    running = yelen("user", "add", "x", "--roles", "pape", "--password-stdin", data=box.data, stdin=f"{PASSWORD}\n")
    assert (running.returncode, "Rôle inconnu" in running.stderr) == (1, True)
    weak = yelen("user", "add", "x", "--roles", "cashier", "--password-stdin", data=box.data, stdin="abc\n")
    box.stop()
    stopped = yelen("user", "add", "x", "--roles", "cashier", "--password-stdin", data=box.data, stdin="abc\n")
    assert weak.returncode == stopped.returncode == 1
    assert weak.stderr == stopped.stderr != ""


def test_the_registries_are_filled_from_the_command_line(box: Box) -> None:
    for words in (
        ("room", "add", "SC1", "Scanner", "--modality", "CT", "--ae", "CT1"),
        ("device", "add", "CT1", "--address", "127.0.0.1", "--room", "SC1", "--modality", "CT"),
        ("exam", "add", "TDMC", "Scanner cérébral", "--modality", "CT", "--room", "SC1"),
        ("sender", "add", "HIS", "--address", "127.0.0.1"),
        ("destination", "add", "HIS", "127.0.0.1", "2576"),
        ("printer", "add", "bureau", "/tmp/papier"),
    ):
        done = yelen(*words, data=box.data)
        assert done.returncode == 0, done.stderr
        listed = yelen(words[0], "list", "--text", data=box.data).stdout
        assert [line.split("\t")[0] for line in listed.splitlines()] == [words[2]]
        assert yelen(words[0], "remove", words[2], data=box.data).returncode == 0
        assert yelen(words[0], "list", "--text", data=box.data).stdout == ""


def test_a_backup_restored_elsewhere_is_the_same_department(box: Box, tmp_path: Path) -> None:
    yelen("room", "add", "SC1", "Scanner", "--modality", "CT", data=box.data)
    (tmp_path / "safe").mkdir()
    assert yelen("backup", str(tmp_path / "safe"), data=box.data).returncode == 0
    yelen("room", "remove", "SC1", data=box.data)
    (copy,) = (tmp_path / "safe").iterdir()
    new = tmp_path / "new"
    done = yelen("restore", str(copy), data=new)
    assert done.returncode == 0, done.stderr
    assert yelen("room", "list", "--text", data=new).stdout.startswith("SC1\t")
    assert yelen("audit", "verify", data=new).returncode == 0
    assert yelen("room", "list", "--text", data=box.data).stdout == ""


def test_a_damaged_backup_changes_nothing(data: Path, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    yelen("backup", str(tmp_path / "safe"), data=data)
    (copy,) = (tmp_path / "safe").iterdir()
    with (copy / "index.sqlite").open("r+b") as index:
        index.seek(5000)
        index.write(b"\x00\xff")
    before = (data / "index.sqlite").read_bytes()
    done = yelen("restore", str(copy), data=data)
    assert done.returncode == 1
    assert "abîmée" in done.stderr
    assert (data / "index.sqlite").read_bytes() == before


def test_a_restore_under_a_running_box_is_refused(box: Box, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    yelen("backup", str(tmp_path / "safe"), data=box.data)
    (copy,) = (tmp_path / "safe").iterdir()
    done = yelen("restore", str(copy), data=box.data)
    assert done.returncode == 1
    assert "tient déjà" in done.stderr


def test_after_kill_9_the_box_opens_again_by_itself(box: Box) -> None:
    box.kill()
    assert (box.data / "yelen.sock").exists()
    again = Box(box.data)
    assert yelen("status", data=box.data).returncode == 0
    assert again.stop() == 0


@needs_dcmtk
def test_a_machine_declared_on_the_command_line_is_answered(box: Box) -> None:
    call = ["echoscu", "-aet", "CT1", "-aec", "YELEN", "127.0.0.1", str(box.port("dicom"))]
    assert subprocess.run(call, capture_output=True, timeout=60).returncode != 0
    yelen("device", "add", "CT1", "--address", "127.0.0.1", data=box.data)
    assert subprocess.run(call, capture_output=True, timeout=60).returncode == 0


def test_the_doctor_finds_a_new_box_healthy(data: Path) -> None:
    done = yelen("check", data=data)
    assert done.returncode == 0, done.stdout
    assert "Index sain" in done.stdout


def test_the_doctor_finds_a_damaged_index(data: Path) -> None:
    with (data / "index.sqlite").open("r+b") as index:
        index.seek(100)
        index.write(b"\xff" * 3000)
    done = yelen("check", data=data)
    assert done.returncode == 1
    assert "Index abîmé" in done.stdout


@needs_dcmtk
def test_a_lost_index_is_rebuilt_from_the_files(box: Box, tmp_path: Path) -> None:
    send_a_slice(box, tmp_path)
    assert yelen("verify", data=box.data).returncode == 0
    box.stop()
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
        (box.data / name).unlink(missing_ok=True)
    shutil.rmtree(box.data / "spool")
    unknown = yelen("verify", data=box.data)
    assert (unknown.returncode, "inconnu de l'index" in unknown.stderr) == (1, True)
    assert yelen("reindex", data=box.data).stdout == "1 images retrouvées.\n"
    assert yelen("reindex", data=box.data).stdout == "0 images retrouvées.\n"
    assert yelen("verify", data=box.data).returncode == 0


@needs_dcmtk
def test_a_file_that_changed_on_the_disk_is_named(box: Box, tmp_path: Path) -> None:
    send_a_slice(box, tmp_path)
    (stored,) = (box.data / "archive").rglob("*.dcm")
    with stored.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    found = yelen("verify", data=box.data)
    assert (found.returncode, found.stderr.strip()) == (1, f"{stored.relative_to(box.data)} : changé")
    stored.unlink()
    assert yelen("verify", data=box.data).stderr.strip() == f"{stored.relative_to(box.data)} : absent"


def test_a_disc_is_imported_and_its_unreadable_files_are_named(box: Box, tmp_path: Path) -> None:
    disc = tmp_path / "disque"
    (disc / "DICOM").mkdir(parents=True)
    shutil.copy(slice_of_a_head(tmp_path), disc / "DICOM" / "IM1")
    whole = (disc / "DICOM" / "IM1").read_bytes()
    (disc / "DICOM" / "IM2.DCM").write_bytes(whole[:200])
    (disc / "LISEZMOI.TXT").write_text("bonjour")
    done = yelen("import", str(disc), data=box.data)
    assert done.returncode == 1
    assert "1 image archivée" in done.stdout
    assert "IM2" in done.stdout
    assert json.loads(yelen("status", "--json", data=box.data).stdout)["instances"] == 1


def test_only_an_administrator_may_change_the_house_through_the_socket(box: Box) -> None:
    from core.errors import NotAllowed
    from core.model.people import Role, User
    from core.rpc.client import Client
    from core.rpc.contract import AddUser
    from install.calls import BackUp, Senders

    for name, role in (("compaore", "reception"), ("ilboudo", "administrator")):
        yelen("user", "add", name, "--roles", role, "--password-stdin", data=box.data, stdin=f"{PASSWORD}\n")
    up = threading.Event()
    client = Client(box.data / "yelen.sock", on_link=lambda link: up.set()).start()
    try:
        assert up.wait(60)
        client.login("compaore", PASSWORD)
        for call in (AddUser(User("moi", "Moi", frozenset({Role.ADMINISTRATOR})), PASSWORD), Senders()):
            with pytest.raises(NotAllowed):
                client.ask(call)
        client.login("ilboudo", PASSWORD)
        assert client.ask(Senders()) == ()
        with pytest.raises(NotAllowed):
            client.ask(BackUp("/tmp"))
    finally:
        client.close()
